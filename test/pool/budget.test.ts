import t from 'tap'
import { ServerBudget } from '../../src/limits/server-budget.ts'
import { ServerUnreachableError } from '../../src/server/server-errors.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { leaseOf, linkOf, PoolRig } from './pool-fixture.ts'

const DOWN = new ServerUnreachableError({ host: 'db', port: 5432 }, { reason: 'refused' })

function neighbours(max: number, count = 2) {
  const clock = new FakeClock()
  const budget = new ServerBudget(max)
  const rigs = Array.from({ length: count }, () => new PoolRig({}, { budget, clock }))
  return { clock, budget, rigs: rigs as [PoolRig, PoolRig, PoolRig] }
}

t.test('an idle connection of another pool is closed, and its end awaited', async (t) => {
  const { budget, rigs } = neighbours(1)
  const [one, other] = rigs
  const { guest, server } = await one.guestWithServer()
  server.lingers = true
  leaseOf(guest).release()
  const late = other.guest()
  t.strictSame(one.events.slice(-1), ['closed evicted'])
  t.equal(other.opening, 0, 'the server still has the old one')
  server.hangUp()
  t.equal(other.opening, 1)
  await other.opens()
  t.ok(late.lease)
  t.equal(budget.used, 1)
  t.equal(one.pool.isEmpty, true)
})

t.test('what comes back goes to whoever came first over all pools', async (t) => {
  const { rigs } = neighbours(1, 3)
  const [one, two, three] = rigs
  const { guest } = await one.guestWithServer()
  const second = two.guest()
  const third = one.guest()
  const fourth = three.guest()
  leaseOf(guest).release()
  t.equal(third.lease, undefined, 'who waits in another pool came first')
  await two.opens()
  leaseOf(second).release()
  await one.opens()
  leaseOf(third).release()
  await three.opens()
  t.ok(fourth.lease)
})

t.test('its own waiter gets it at once, if it came first', async (t) => {
  const { rigs } = neighbours(1)
  const [one, two] = rigs
  const { guest } = await one.guestWithServer()
  const second = one.guest()
  const third = two.guest()
  leaseOf(guest).release()
  t.ok(second.lease)
  t.equal(third.lease, undefined)
  t.notOk(one.events.includes('closed evicted'))
})

t.test('a login that fails gives its place to another pool', async (t) => {
  const { budget, rigs, clock } = neighbours(1)
  const [one, two] = rigs
  const unlucky = one.guest()
  const lucky = two.guest()
  await one.fails(DOWN)
  t.equal(unlucky.error?.code, 'SERVER_UNREACHABLE')
  t.equal(two.opening, 1)
  await two.opens()
  t.ok(lucky.lease)
  clock.advance(1_000)
  t.equal(budget.used, 1)
})

t.test('a wait for a place ends in time, and leaves nothing behind', async (t) => {
  const { budget, rigs, clock } = neighbours(1)
  const [one, two] = rigs
  const { guest } = await one.guestWithServer()
  const patient = two.guest(linkOf('acme'), 100)
  const leaving = two.guest()
  clock.advance(100)
  t.equal(patient.error?.code, 'CHECKOUT_TIMEOUT')
  two.pool.abandon(leaving)
  leaseOf(guest).release()
  t.strictSame(one.pool.counts().idle, 1, 'nobody waits: it stays')
  t.equal(two.opening, 0)
  t.equal(two.pool.isEmpty, true)
  t.equal(budget.used, 1)
})

t.test('in its own pool, a connection that serves one link alone makes room too', async (t) => {
  const { rigs } = neighbours(1)
  const [one] = rigs
  const first = one.guest(linkOf('acme'), 0, 'session')
  await one.opens()
  leaseOf(first).release()
  const second = one.guest(linkOf('globex'), 0, 'session')
  await one.opens()
  t.ok(second.lease)
})

t.test('pools that drain give their places back', async (t) => {
  const { budget, rigs } = neighbours(2)
  const [one, two] = rigs
  const { guest } = await one.guestWithServer()
  await one.guestWithServer()
  const waiting = two.guest()
  one.pool.drain()
  leaseOf(guest).release()
  await two.opens()
  t.ok(waiting.lease)
  t.equal(budget.used, 2)
})
