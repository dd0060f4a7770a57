import { getEventListeners } from 'node:events'
import t from 'tap'
import { awaitLease } from '../../src/pool/await-lease.ts'
import { endSink } from '../../src/pool/end-sink.ts'
import { ServerUnreachableError } from '../../src/server/server-errors.ts'
import { linkOf, PoolRig } from './pool-fixture.ts'

const DOWN = new ServerUnreachableError({ host: 'db', port: 5432 }, { reason: 'refused' })
const wanted = (signal: AbortSignal) =>
  ({ link: linkOf('acme'), mode: 'transaction', waitMs: 0, signal }) as const

t.test('takes an idle connection at once, or waits for one', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { signal } = new AbortController()
  const first = awaitLease(rig.pool, wanted(signal))
  await rig.opens()
  const lease = await first
  lease.release()
  const again = await awaitLease(rig.pool, wanted(signal))
  t.equal(again.server, lease.server)
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

t.test('tells why there is none', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { signal } = new AbortController()
  const refused = t.rejects(awaitLease(rig.pool, wanted(signal)), DOWN)
  await rig.fails(DOWN)
  await refused
  t.equal(getEventListeners(signal, 'abort').length, 0)
  rig.pool.drain()
  await t.rejects(awaitLease(rig.pool, wanted(signal)), { code: 'POOL_DRAINED' })
})

t.test('can be given up while it waits, and before', async (t) => {
  const rig = new PoolRig({ size: 1 })
  await rig.guestWithServer()
  const controller = new AbortController()
  const waiting = awaitLease(rig.pool, wanted(controller.signal))
  t.equal(rig.pool.counts().waiting, 1)
  controller.abort(DOWN)
  await t.rejects(waiting, DOWN)
  t.equal(rig.pool.counts().waiting, 0)
  await t.rejects(awaitLease(rig.pool, wanted(controller.signal)), DOWN)
})

t.test('a sink for nobody hears of the end alone', async (t) => {
  const heard: unknown[] = []
  const sink = endSink((reason) => heard.push(reason))
  sink.replyBytes(Buffer.from('secret'))
  sink.linked()
  sink.factsTold(undefined)
  sink.plansChanged()
  sink.statementsDropped()
  sink.drained()
  t.strictSame(heard, [])
  sink.settled()
  sink.lost(DOWN)
  t.strictSame(heard, [undefined, DOWN])
})
