import t from 'tap'
import { ServerLoginError, ServerUnreachableError } from '../../src/server/server-errors.ts'
import { errorResponse, readyForQuery } from '../../src/wire/backend-messages.ts'
import { commandComplete } from '../support/fake-server.ts'
import { DEAF, leaseOf, linkOf, PoolRig } from './pool-fixture.ts'

const ADDRESS = { host: 'db', port: 5432 }
const DOWN = new ServerUnreachableError(ADDRESS, { reason: 'refused' })
const WRONG = new ServerLoginError(ADDRESS, { reason: 'wrong password', isPermanent: true })
const FAREWELL = errorResponse({ severity: 'FATAL', code: '57P01', message: 'going' })

t.test('prefers the same link, then the same tenant, then the longest idle', async (t) => {
  const rig = new PoolRig({ size: 4, maxConnecting: 4 })
  const links = [
    linkOf('acme'),
    linkOf('acme', { timezone: 'UTC' }),
    linkOf('globex'),
    linkOf('acme'),
  ]
  const guests = links.map((link) => rig.guest(link))
  for (const guest of guests) {
    await rig.opens()
    rig.linkUp(guest)
  }
  const [acme, acmeUtc, globex, acmeLater] = guests.map(({ lease }) => lease?.server.id)
  for (const guest of guests) leaseOf(guest).release()
  t.equal(leaseOf(rig.guest(linkOf('acme', { timezone: 'UTC' }))).server.id, acmeUtc)
  t.equal(leaseOf(rig.guest(linkOf('acme', { timezone: 'PST' }))).server.id, acme)
  t.equal(leaseOf(rig.guest(linkOf('initech'))).server.id, globex)
  t.equal(leaseOf(rig.guest(linkOf('initech'))).server.id, acmeLater)
  t.equal(rig.guest(linkOf('acme')).lease, undefined)
})

t.test('opens one connection for each who waits, up to its size', async (t) => {
  const rig = new PoolRig({ size: 2, maxConnecting: 5 })
  const guests = [rig.guest(), rig.guest(), rig.guest()]
  t.equal(rig.opening, 2)
  await rig.opens()
  await rig.opens()
  t.equal(rig.opening, 0)
  t.strictSame(
    guests.map(({ heard }) => heard),
    [1, 1, 0],
  )
  leaseOf(guests[0] ?? rig.guest()).release()
  t.equal(guests[2]?.heard, 1)
})

t.test('goes on opening for the others when few may be opened at once', async (t) => {
  const rig = new PoolRig({ size: 3, maxConnecting: 1 })
  const guests = [rig.guest(), rig.guest(), rig.guest()]
  for (let opened = 1; opened <= 3; opened += 1) {
    t.equal(rig.opening, 1)
    await rig.opens()
    t.equal(guests.filter(({ heard }) => heard === 1).length, opened)
  }
})

t.test('serves those who wait in order, without letting others pass', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { guest } = await rig.guestWithServer()
  const queue = [rig.guest(linkOf('globex')), rig.guest(), rig.guest(linkOf('globex'))]
  let last = guest
  for (const next of queue) {
    t.equal(next.heard, 0)
    leaseOf(last).release()
    t.equal(next.heard, 1)
    last = next
  }
})

t.test('ends a wait at its own limit, also behind a longer one', async (t) => {
  const rig = new PoolRig({ size: 1 })
  await rig.guestWithServer()
  const patient = rig.guest(linkOf('acme'), 60_000)
  const hasty = rig.guest(linkOf('globex'), 100)
  const endless = rig.guest(linkOf('globex'), 0)
  rig.clock.advance(99)
  t.equal(hasty.error, undefined)
  rig.clock.advance(1)
  t.equal(hasty.error?.code, 'CHECKOUT_TIMEOUT')
  t.equal(patient.error, undefined)
  rig.clock.advance(59_900)
  t.equal(patient.error?.code, 'CHECKOUT_TIMEOUT')
  rig.clock.advance(10_000_000)
  t.equal(endless.heard, 0)
  t.equal(rig.pool.counts().oldestWaitMs, 10_060_000)
  t.equal(rig.clock.pending, 0)
})

t.test('refuses one waiter too many', async (t) => {
  const rig = new PoolRig({ size: 1, maxWaiting: 1 })
  await rig.guestWithServer()
  rig.guest()
  t.equal(rig.guest().error?.code, 'WAIT_QUEUE_FULL')
})

t.test('who gave up waiting hears nothing', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { guest } = await rig.guestWithServer()
  const gone = rig.guest(linkOf('acme'), 100)
  rig.pool.abandon(gone)
  leaseOf(guest).release()
  rig.clock.advance(1_000)
  t.equal(gone.heard, 0)
  t.equal(rig.pool.counts().idle, 1)
})

t.test('a lease ends once', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { guest } = await rig.guestWithServer()
  const lease = leaseOf(guest)
  lease.release()
  const next = rig.guest()
  lease.release()
  lease.discard('busy')
  t.equal(next.lease?.server, lease.server)
  t.equal(lease.server.isClosed, false)
  t.equal(rig.pool.counts().idle, 0)
})

t.test('closes what is given back while it is busy', async (t) => {
  const rows = [
    { name: 'a reply is owed', say: undefined },
    { name: 'half a reply came', say: commandComplete('SELECT 1').subarray(0, 8) },
    { name: 'in a transaction', say: [commandComplete('BEGIN'), readyForQuery('T')] },
    { name: 'in a failed transaction', say: [FAREWELL, readyForQuery('E')] },
  ]
  for (const { name, say } of rows) {
    const rig = new PoolRig({ size: 1 })
    const { guest, server } = await rig.guestWithServer()
    leaseOf(guest).server.attach(DEAF)
    leaseOf(guest).server.owe('query')
    for (const bytes of [say ?? []].flat()) server.say(bytes)
    leaseOf(guest).release()
    t.equal(server.isDestroyed, true, name)
    t.strictSame(rig.events.at(-1), 'closed busy', name)
    t.equal(rig.pool.isEmpty, true, name)
  }
})

t.test('a cancel in flight keeps a connection from being lent again', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { guest } = await rig.guestWithServer()
  const { server } = leaseOf(guest)
  const ends = [rig.pool.holdForCancel(server), rig.pool.holdForCancel(server)]
  leaseOf(guest).release()
  const next = rig.guest()
  t.match(rig.pool.counts(), { canceling: 1, idle: 0, leased: 0, waiting: 1 })
  ends[0]?.()
  ends[0]?.()
  t.equal(next.heard, 0)
  ends[1]?.()
  t.equal(next.lease?.server, server)
})

t.test('a connection that is lost while a cancel is in flight is not lent', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { guest, server } = await rig.guestWithServer()
  const end = rig.pool.holdForCancel(leaseOf(guest).server)
  leaseOf(guest).release()
  server.hangUp()
  end()
  t.equal(rig.pool.isEmpty, true)
})

t.test('a lifetime ends a connection, between leases only', async (t) => {
  const options = { size: 2, serverLifetimeMs: 1_000, lifetimeJitter: 0.5 }
  const rig = new PoolRig(options, { random: () => 0.5 })
  const { guest } = await rig.guestWithServer()
  const { guest: other } = await rig.guestWithServer()
  leaseOf(other).release()
  rig.clock.advance(749)
  rig.pool.closeExpired()
  t.match(rig.pool.counts(), { idle: 1, leased: 1 })
  rig.clock.advance(1)
  rig.pool.closeExpired()
  t.match(rig.pool.counts(), { idle: 0, leased: 1 })
  leaseOf(guest).release()
  t.equal(rig.pool.isEmpty, true)
})

t.test('a connection past its lifetime makes room for a new one at once', async (t) => {
  const rig = new PoolRig({ size: 1, serverLifetimeMs: 1_000 })
  const { guest, server } = await rig.guestWithServer()
  leaseOf(guest).release()
  rig.clock.advance(1_000)
  const next = rig.guest()
  t.equal(server.isDestroyed, true)
  await rig.opens()
  t.equal(next.heard, 1)
})

t.test('an idle connection is closed in time', async (t) => {
  const rig = new PoolRig({ idleServerMs: 1_000 })
  const { guest, server } = await rig.guestWithServer()
  rig.clock.advance(5_000)
  leaseOf(guest).release()
  rig.clock.advance(999)
  rig.pool.closeExpired()
  t.equal(server.isDestroyed, false)
  rig.clock.advance(1)
  rig.pool.closeExpired()
  t.equal(server.isDestroyed, true)
  t.equal(server.takeWritten().toString('latin1'), 'X\0\0\0\x04')
  t.equal(rig.events.at(-1), 'closed idle')
})

t.test('a failing connect tells those who wait, and is tried again later and later', async (t) => {
  const rig = new PoolRig({ size: 1 })
  for (const delayMs of [50, 100, 200, 400, 500, 500]) {
    const guest = rig.guest()
    t.equal(rig.opening, 1)
    await rig.fails(DOWN)
    t.equal(guest.error, DOWN)
    const next = rig.guest()
    rig.clock.advance(delayMs - 1)
    t.equal(rig.opening, 0)
    rig.clock.advance(1)
    t.equal(rig.opening, 1)
    rig.pool.abandon(next)
  }
  await rig.opens()
  t.equal(rig.guest().heard, 1)
})

t.test('any failure of a connect is told as one of the server', async (t) => {
  const rig = new PoolRig()
  const guest = rig.guest()
  await rig.fails(new Error('a bug'))
  t.equal(guest.error?.code, 'SERVER_UNREACHABLE')
  t.equal(rig.pool.counts().connecting, 0)
})

t.test('while other connections live, a failing connect refuses nobody', async (t) => {
  const rig = new PoolRig({ size: 2 })
  const { guest } = await rig.guestWithServer()
  const next = rig.guest()
  await rig.fails(DOWN)
  t.equal(next.heard, 0)
  leaseOf(guest).release()
  t.equal(next.lease?.server, guest.lease?.server)
})

t.test('unless it is for good', async (t) => {
  const rig = new PoolRig({ size: 2 })
  await rig.guestWithServer()
  const next = rig.guest()
  await rig.fails(WRONG)
  t.equal(next.error, WRONG)
})

t.test('a server that says goodbye right after its greeting is not lent', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const guest = rig.guest()
  await rig.opens(FAREWELL)
  t.equal(guest.error?.code, 'SERVER_UNREACHABLE')
  t.equal(rig.pool.isEmpty, true)
})

t.test('a lost idle connection makes room', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const { guest, server } = await rig.guestWithServer()
  leaseOf(guest).release()
  server.say(FAREWELL)
  t.equal(rig.events.at(-1), 'closed lost')
  rig.guest()
  t.equal(rig.opening, 1)
})

t.test('drains', async (t) => {
  const rig = new PoolRig({ size: 3, maxConnecting: 3 })
  const [leased, idle, waiting] = [rig.guest(), rig.guest(), rig.guest(linkOf('acme'), 100)]
  const [first, second] = [await rig.opens(), await rig.opens()]
  leaseOf(idle).release()
  t.equal(waiting.heard, 1)
  leaseOf(waiting).release()
  rig.guest()
  rig.guest()
  const last = rig.guest()
  rig.pool.drain()
  t.equal(last.error?.code, 'POOL_DRAINED')
  t.equal(rig.guest().error?.code, 'POOL_DRAINED')
  t.equal(first?.isDestroyed, false)
  leaseOf(leased).release()
  t.equal(first?.isDestroyed, true)
  t.equal((await rig.opens()).isDestroyed, true)
  t.equal(second?.isDestroyed, false)
})
