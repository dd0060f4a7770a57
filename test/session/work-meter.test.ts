import t from 'tap'
import type { RequestUsage, TenantObserver } from '../../src/session/session-observer.ts'
import { WorkMeter } from '../../src/session/work-meter.ts'
import { readyForQuery } from '../../src/wire/backend-messages.ts'
import { DEAF } from '../pool/pool-fixture.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { commandComplete, FakeServer } from '../support/fake-server.ts'

/** A meter, what it told, and a server connection that answers as many queries as it is told to. */
function rig() {
  const clock = new FakeClock()
  const told: (string | RequestUsage)[] = []
  const passed = { receivedBytes: 0, sentBytes: 0 }
  const observer: TenantObserver = {
    requestEnded: (usage) => told.push(usage),
    transactionEnded: (durationMs) => told.push(`transaction ${durationMs}`),
    checkedOut: (waitMs) => told.push(`out ${waitMs}`),
    leaseEnded: (heldMs) => told.push(`held ${heldMs}`),
    errorReported: (sqlState, origin) => told.push(`${origin} ${sqlState}`),
  }
  const meter = new WorkMeter(observer, clock, passed)
  const socket = new FakeServer()
  const server = socket.connection()
  server.attach(DEAF)
  const answer = () => {
    server.owe('query')
    socket.say(commandComplete('SELECT 1'), readyForQuery('I'))
  }
  return { meter, clock, told, passed, server, answer }
}

t.test('a transaction of two requests, after a wait', async (t) => {
  const { meter, clock, told, passed, server, answer } = rig()
  t.equal(meter.requestAgeMs, undefined)
  meter.waits()
  clock.advance(5)
  t.equal(meter.waitMs, 5)
  meter.lent(server)
  t.equal(meter.waitMs, 0)
  meter.requested()
  Object.assign(passed, { receivedBytes: 10 })
  clock.advance(2)
  // More of the same request.
  meter.requested()
  answer()
  Object.assign(passed, { sentBytes: 30 })
  meter.answered(server)
  clock.advance(100)
  meter.requested()
  clock.advance(1)
  answer()
  answer()
  Object.assign(passed, { receivedBytes: 25, sentBytes: 90 })
  meter.answered(server)
  meter.transactionEnded()
  meter.returned(server)
  t.equal(meter.requestAgeMs, 1)
  t.strictSame(told, [
    'out 5',
    { queries: 1, durationMs: 2, receivedBytes: 10, sentBytes: 30 },
    { queries: 2, durationMs: 1, receivedBytes: 15, sentBytes: 60 },
    'transaction 103',
    'held 103',
  ])
})

t.test('what was under way when the server connection was lost counts as it stands', async (t) => {
  const { meter, clock, told, passed, server } = rig()
  meter.lent(server)
  meter.requested()
  Object.assign(passed, { receivedBytes: 7 })
  clock.advance(4)
  meter.returned(server)
  t.strictSame(told, [
    'out 0',
    { queries: 0, durationMs: 4, receivedBytes: 7, sentBytes: 0 },
    'held 4',
  ])
  meter.transactionEnded()
  meter.returned(server)
  t.equal(told.length, 3, 'nothing is told twice')
})

t.test('a wait that came to nothing is not the next one’s', async (t) => {
  const { meter, clock, told, server } = rig()
  meter.waits()
  clock.advance(9)
  meter.waitsNoMore()
  meter.lent(server)
  t.strictSame(told, ['out 0'])
})

t.test('errors are passed on', async (t) => {
  const { meter, told } = rig()
  meter.errorReported('23505', 'server')
  t.strictSame(told, ['server 23505'])
})
