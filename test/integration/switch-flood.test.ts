import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { PASSWORD } from '../support/proxy.ts'
import { query, RawClient, rows } from '../support/raw-client.ts'
import { startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'
import { openTown, type Town } from './follow-fixture.ts'

t.setTimeout(200_000)

/** Their answers are more than a socket and its stream hold, and so are they. */
const CHANGES = 10_000
const SET = query(`SET pgusher.tenant = 'globex' /* ${'.'.repeat(300)} */`)
const STILL_LOOKS = 20
/** Each chunk has more than that. */
const SOME = 150

const server = await startSaas(18)
t.teardown(() => server.stop())
const folder = await mkdtemp(join(tmpdir(), 'pgusher-flood-'))
t.teardown(() => rm(folder, { recursive: true }))

/** Over a socket that holds little. */
async function logIn({ proxy }: Town): Promise<RawClient> {
  const socket = connect(join(folder, `.s.PGSQL.${proxy.port}`))
  await once(socket, 'connect')
  const client = RawClient.over(socket)
  await client.logIn({ user: 'app.acme', password: PASSWORD })
  return client
}

/** Resolves to the number of changes when there are no more. */
async function stillness(town: Town): Promise<number> {
  let last = 0
  for (let looks = 0; last === 0 || looks < STILL_LOOKS; ) {
    const now = await changesOf(town)
    looks = now === last ? looks + 1 : 0
    last = now
  }
  return last
}

async function changesOf({ proxy }: Town): Promise<number> {
  return (await proxy.metric('pgusher_tenant_switches_total', { result: 'done' })) ?? 0
}

/** A client that sends all of it, and reads nothing. */
async function flood(town: Town): Promise<RawClient> {
  const client = await logIn(town)
  client.socket.pause()
  client.send(Buffer.concat(Array.from({ length: CHANGES }, () => SET)))
  return client
}

t.test('a client that reads no answers gets no further change through', async (t) => {
  const town = await openTown(t, server, { listen: { socketDir: folder } })
  const client = await flood(town)
  const done = await stillness(town)
  t.ok(done < CHANGES, `${done} of ${CHANGES} were done`)
  t.not(client.socket.writableLength, 0, 'nor is the rest of them taken in')
  client.socket.resume()
  for (let left = CHANGES; left > 0; left -= 1) await client.upTo('Z')
  t.equal(await changesOf(town), CHANGES)
  t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), ['globex'])
  await client.end()
})

t.test('changes are not taken in faster than they are done', async (t) => {
  const settings = { listen: { socketDir: folder }, pool: { mode: 'session', size: 1 } }
  const town = await openTown(t, server, settings)
  const client = await flood(town)
  await until(async () => (await changesOf(town)) >= SOME)
  t.not(client.socket.writableLength, 0)
  client.socket.destroy()
  await until(async () => (await town.proxy.metric('pgusher_sessions')) === 0)
})
