import t from 'tap'
import { cancelQuery } from '../../src/cancel/cancel-query.ts'
import type { Endpoint } from '../../src/server/open/connect-server.ts'
import { readyForQuery } from '../../src/wire/backend-messages.ts'
import { query } from '../../src/wire/frontend-messages.ts'
import { DEAF, leaseOf, linkOf, PoolRig } from '../pool/pool-fixture.ts'
import { commandComplete, linkReplies } from '../support/fake-server.ts'
import { type ScriptStep, startScriptedServer } from '../support/scripted-server.ts'

const READY = readyForQuery('I')
const TIMEOUT_MS = 5_000
const NOBODY = { host: '127.0.0.1', port: 1 }

function place(pool: PoolRig['pool'], { host, port }: Pick<Endpoint, 'host' | 'port'>) {
  const target = { host, port, database: 'd', user: 'u', password: undefined, tls: undefined }
  return { target, pool, timeoutMs: TIMEOUT_MS }
}

/** A client whose query runs. */
async function running() {
  const rig = new PoolRig({ size: 1 })
  const { guest, server } = await rig.guestWithServer()
  const lease = leaseOf(guest)
  lease.server.attach(DEAF)
  lease.server.owe('query')
  lease.server.write(query('select 1'))
  return { rig, lease, server }
}

t.test('the connection is lent again when the request has reached its end', async (t) => {
  const script: readonly ScriptStep[] = [{ expect: 'startup' }, { close: 'end' }]
  const postmaster = await startScriptedServer(script)
  t.teardown(() => postmaster.stop())
  const { rig, lease, server } = await running()
  const canceling = cancelQuery(lease.server, place(rig.pool, postmaster))
  await postmaster.firstMessage
  const [body] = postmaster.received
  t.equal(body?.readUInt32BE(4), lease.server.processId)
  t.strictSame(body?.subarray(8), lease.server.secretKey)
  server.say(commandComplete('SELECT 1'), READY)
  lease.release()
  t.equal(rig.pool.counts().canceling, 1)
  const next = rig.guest()
  t.equal(next.heard, 0)
  await canceling
  t.equal(next.lease?.server, lease.server)
  t.equal(lease.server.isClean, true)
})

t.test('a request of which nobody knows the end costs the connection', async (t) => {
  const postmaster = await startScriptedServer([{ expect: 'startup' }, { close: 'reset' }])
  t.teardown(() => postmaster.stop())
  for (const at of [postmaster, NOBODY]) {
    const { rig, lease, server } = await running()
    await t.rejects(cancelQuery(lease.server, place(rig.pool, at)), { code: 'SERVER_UNREACHABLE' })
    server.say(commandComplete('SELECT 1'), READY)
    t.equal(lease.server.isClean, false)
    lease.release()
    t.equal(rig.pool.isEmpty, true)
    t.equal(server.isDestroyed, true)
  }
})

t.test('where no query of the client runs, nothing is sent', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { guest, server } = await rig.guestWithServer()
  const connection = leaseOf(guest).server
  const nowhere = place(rig.pool, NOBODY)
  await cancelQuery(connection, nowhere)
  connection.attach(DEAF)
  connection.beginLink(linkOf('acme'))
  t.equal(connection.isOccupied, true)
  await cancelQuery(connection, nowhere)
  server.say(linkReplies())
  connection.beginAsk({ kinds: new Set(['listen']), settings: [], customSettings: [] })
  await cancelQuery(connection, nowhere)
  t.equal(rig.pool.counts().leased, 1)
})

t.test('a server that gave no key is not asked', async (t) => {
  const { rig, lease } = await running()
  Object.defineProperty(lease.server, 'processId', { value: 0 })
  await cancelQuery(lease.server, place(rig.pool, NOBODY))
  t.equal(lease.server.isClosed, false)
})

t.test('two requests at once are both waited for', async (t) => {
  const postmaster = await startScriptedServer([{ expect: 'startup' }, { close: 'end' }])
  t.teardown(() => postmaster.stop())
  const { rig, lease, server } = await running()
  const endHold = rig.pool.holdForCancel(lease.server)
  const canceling = cancelQuery(lease.server, place(rig.pool, postmaster))
  server.say(commandComplete('SELECT 1'), READY)
  lease.release()
  await canceling
  t.equal(rig.pool.counts().canceling, 1)
  endHold()
  t.equal(rig.pool.counts().idle, 1)
})
