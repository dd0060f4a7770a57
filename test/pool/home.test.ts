import t from 'tap'
import { ServerLoginError, ServerUnreachableError } from '../../src/server/server-errors.ts'
import { linkReplies } from '../support/fake-server.ts'
import { type Guest, leaseOf, linkOf, PoolRig } from './pool-fixture.ts'

const UTC = linkOf('acme', { timezone: 'UTC' })
const LIMA = linkOf('acme', { timezone: 'America/Lima' })
const ADDRESS = { host: 'db', port: 5432 }
const DOWN = new ServerUnreachableError(ADDRESS, { reason: 'refused' })
const WRONG_VALUE = new ServerLoginError(ADDRESS, {
  reason: 'invalid value',
  serverSqlState: '22023',
  isPermanent: false,
})

function inSession(rig: PoolRig, link = UTC): Guest {
  return rig.guest(link, 0, 'session')
}

/** The client leaves: what it did is undone before anybody else gets its connection. */
function leave(rig: PoolRig, guest: Guest): void {
  const { server } = leaseOf(guest)
  server.markDirty()
  leaseOf(guest).release()
  for (const fake of rig.servers) if (fake.written.length > 0) fake.answer(linkReplies())
}

t.test('a session gets a connection that was opened for its link', async (t) => {
  const rig = new PoolRig()
  const guest = inSession(rig)
  t.strictSame(rig.homes, [UTC])
  await rig.opens()
  t.equal(leaseOf(guest).server.home, UTC)
  t.equal(leaseOf(guest).server.link, UTC, 'and needs no link')
  t.equal(leaseOf(guest).server.beginLink(UTC), undefined)
})

t.test('a transaction gets one in the resting state', async (t) => {
  const rig = new PoolRig()
  rig.guest(UTC)
  t.strictSame(rig.homes, [undefined])
})

t.test('the next session with the same link gets the same connection, reset', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const first = inSession(rig)
  await rig.opens()
  const { server } = leaseOf(first)
  server.markDirty()
  leaseOf(first).release()
  const second = inSession(rig)
  t.equal(second.heard, 0, 'not before it is reset')
  rig.servers[0]?.answer(linkReplies())
  t.equal(leaseOf(second).server, server)
  t.equal(server.isDirty, false)
  t.equal(server.link, UTC)
  t.equal(rig.homes.length, 1)
})

t.test('nobody else gets it', async (t) => {
  const rig = new PoolRig({ size: 4, maxConnecting: 4 })
  const first = inSession(rig)
  await rig.opens()
  leave(rig, first)
  const others = [inSession(rig, LIMA), rig.guest(UTC), rig.guest(linkOf('globex'))]
  t.strictSame(
    others.map(({ heard }) => heard),
    [0, 0, 0],
  )
  t.strictSame(rig.homes, [UTC, LIMA, undefined, undefined])
})

t.test('a session gets none in the resting state', async (t) => {
  const rig = new PoolRig()
  const first = rig.guest(UTC)
  await rig.opens()
  leaseOf(first).release()
  const second = inSession(rig)
  t.equal(second.heard, 0)
  t.strictSame(rig.homes, [undefined, UTC])
})

t.test('in a full pool, the longest idle one makes room', async (t) => {
  const rig = new PoolRig({ size: 2 })
  const [first, second] = [inSession(rig), rig.guest(linkOf('globex'))]
  const [server, other] = [await rig.opens(), await rig.opens()]
  leaveInOrder(rig, first, second)
  const third = inSession(rig, LIMA)
  t.equal(server.isDestroyed, true)
  t.equal(other.isDestroyed, false)
  t.ok(rig.events.includes('closed evicted'))
  await rig.opens()
  t.equal(leaseOf(third).server.home, LIMA)
  t.equal(rig.pool.counts().idle, 1)
})

function leaveInOrder(rig: PoolRig, ...guests: readonly Guest[]): void {
  for (const guest of guests) {
    rig.clock.advance(1_000)
    leave(rig, guest)
  }
}

t.test('a connection in use makes room for nobody', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const first = inSession(rig)
  const server = await rig.opens()
  const second = inSession(rig, LIMA)
  t.equal(second.heard, 0)
  t.equal(server.isDestroyed, false)
  leave(rig, first)
  t.equal(server.isDestroyed, true)
  await rig.opens()
  t.equal(second.heard, 1)
})

t.test('those who wait are served in order, whatever they need', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const holder = inSession(rig)
  await rig.opens()
  const queue = [rig.guest(), inSession(rig), inSession(rig, LIMA), rig.guest(), inSession(rig)]
  let last = holder
  for (const [turn, next] of queue.entries()) {
    leave(rig, last)
    if (next.heard === 0) await rig.opens()
    t.strictSame(
      queue.map(({ heard }) => heard),
      queue.map((_, index) => (index <= turn ? 1 : 0)),
    )
    last = next
  }
})

t.test(
  'while one is opened for the first, others may pass it with what it can not use',
  async (t) => {
    const rig = new PoolRig({ size: 2 })
    const holder = rig.guest()
    await rig.opens()
    const first = inSession(rig)
    const second = rig.guest()
    t.equal(rig.opening, 1)
    leaseOf(holder).release()
    t.equal(second.heard, 1)
    t.equal(first.heard, 0)
    await rig.opens()
    t.equal(first.heard, 1)
  },
)

t.test('a wrong setting is the fault of those who have it', async (t) => {
  const rig = new PoolRig({ size: 3, maxConnecting: 3 })
  const guests = [inSession(rig), inSession(rig, LIMA), rig.guest()]
  await rig.fails(WRONG_VALUE)
  t.equal(guests[0]?.error, WRONG_VALUE)
  t.equal(guests[1]?.error, undefined)
  await rig.opens()
  await rig.opens()
  t.equal(guests[1]?.heard, 1)
  t.equal(guests[2]?.heard, 1)
  const next = inSession(rig)
  t.equal(rig.opening, 1, 'the pool does not pause')
  await rig.opens()
  t.equal(next.heard, 1)
})

t.test('a server that is down is told to all, and pauses the pool', async (t) => {
  const rig = new PoolRig({ size: 3, maxConnecting: 1 })
  const guests = [inSession(rig), rig.guest()]
  await rig.fails(DOWN)
  for (const guest of guests) t.equal(guest.error, DOWN)
  inSession(rig)
  t.equal(rig.opening, 0)
  rig.clock.advance(1_000)
  t.equal(rig.opening, 1)
})

t.test('what only the resting state gets wrong is no fault of a client', async (t) => {
  const rig = new PoolRig()
  const guests = [rig.guest(), rig.guest()]
  await rig.fails(WRONG_VALUE)
  for (const guest of guests) t.equal(guest.error, WRONG_VALUE)
  rig.guest()
  t.equal(rig.opening, 1, 'the login that was under way for the second')
})
