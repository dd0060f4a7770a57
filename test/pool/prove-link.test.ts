import t from 'tap'
import { proveLink } from '../../src/pool/prove-link.ts'
import { ServerUnreachableError } from '../../src/server/server-errors.ts'
import { errorResponse, readyForQuery } from '../../src/wire/backend-messages.ts'
import { factsReplies, linkReplies } from '../support/fake-server.ts'
import { linkOf, PoolRig } from './pool-fixture.ts'

const DOWN = new ServerUnreachableError({ host: 'db', port: 5432 }, { reason: 'refused' })

t.test('proves a link once, and remembers what the server reports under it', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { signal } = new AbortController()
  const link = linkOf('acme')
  const proof = proveLink(rig.pool, link, { waitMs: 0, signal })
  const server = await rig.opens()
  t.match(server.takeWritten().toString('latin1'), /BEGIN; .*COMMIT/s)
  server.say(linkReplies())
  t.match(server.takeWritten().toString('latin1'), /pg_settings/)
  server.say(factsReplies(['setting', 'work_mem', '65536']))
  t.strictSame([...(await proof).settings], [['work_mem', '65536']])
  t.strictSame([...(await proof).parameters], [['server_version', '18.4']])
  t.equal((await proof).link, link)
  t.equal(rig.pool.counts().idle, 1)
  t.strictSame(await proveLink(rig.pool, link, { waitMs: 0, signal }), await proof)
  t.equal(server.written.length, 0)
})

t.test('those who waited together need one proof', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { signal } = new AbortController()
  const link = linkOf('acme')
  const proofs = [1, 2, 3].map(() => proveLink(rig.pool, link, { waitMs: 0, signal }))
  const server = await rig.opens()
  server.say(linkReplies())
  server.takeWritten()
  server.say(factsReplies())
  const [first, ...others] = await Promise.all(proofs)
  for (const other of others) t.equal(other, first)
  t.equal(server.written.length, 0)
  t.equal(rig.pool.counts().idle, 1)
})

t.test('a link is proven by a server that can not say what it holds', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { signal } = new AbortController()
  const proof = proveLink(rig.pool, linkOf('acme'), { waitMs: 0, signal })
  const server = await rig.opens()
  server.say(linkReplies())
  server.say(errorResponse({ severity: 'ERROR', code: '57014', message: 'timeout' }))
  server.say(readyForQuery('I'))
  t.equal((await proof).settings.size, 0)
  t.equal(rig.pool.counts().idle, 1)
})

t.test('a link that fails is told, and costs the connection', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { signal } = new AbortController()
  const proof = proveLink(rig.pool, linkOf('acme'), { waitMs: 0, signal })
  const server = await rig.opens()
  server.say(errorResponse({ severity: 'ERROR', code: '22023', message: 'no' }))
  server.say(readyForQuery('E'))
  await t.rejects(proof, { code: 'LINK_FAILED', serverSqlState: '22023' })
  t.equal(rig.pool.isEmpty, true)
})

t.test('a proof can be given up', async (t) => {
  const rig = new PoolRig({ size: 1 })
  await rig.guestWithServer()
  const controller = new AbortController()
  const options = { waitMs: 0, signal: controller.signal }
  const proof = proveLink(rig.pool, linkOf('acme'), options)
  controller.abort(DOWN)
  await t.rejects(proof, DOWN)
  t.equal(rig.pool.counts().waiting, 0)
  await t.rejects(proveLink(rig.pool, linkOf('acme'), options), DOWN)
})
