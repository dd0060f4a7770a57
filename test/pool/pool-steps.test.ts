import fc from 'fast-check'
import t from 'tap'
import { ServerUnreachableError } from '../../src/server/server-errors.ts'
import { type Guest, leaseOf, linkOf, PoolRig } from './pool-fixture.ts'

const SIZE = 3
const DOWN = new ServerUnreachableError({ host: 'db', port: 5432 }, { reason: 'refused' })
const LINKS = [linkOf('acme'), linkOf('globex'), linkOf('acme', { timezone: 'UTC' })]

type Step = (rig: PoolRig, guests: Guest[], pick: number) => Promise<void> | void

const STEPS: Readonly<Record<string, Step>> = {
  ask: (rig, guests, pick) => void guests.push(rig.guest(LINKS[pick % 3], (pick % 4) * 50)),
  askAgain: (rig, guests, pick) => void guests.push(rig.guest(LINKS[pick % 3])),
  opens: async (rig) => {
    if (rig.opening > 0) await rig.opens()
  },
  fails: async (rig) => {
    if (rig.opening > 0) await rig.fails(DOWN)
  },
  release: (_rig, guests, pick) => holder(guests, pick)?.lease?.release(),
  discard: (_rig, guests, pick) => holder(guests, pick)?.lease?.discard('busy'),
  busy: (_rig, guests, pick) => {
    const lease = holder(guests, pick)?.lease
    if (lease?.server.isClosed === false) lease.server.owe('query')
    lease?.release()
  },
  cancel: (rig, guests, pick) => {
    const server = holder(guests, pick)?.lease?.server
    if (server !== undefined) rig.clock.after(30, rig.pool.holdForCancel(server))
  },
  hangUp: (rig, _guests, pick) => rig.servers[pick % rig.servers.length]?.hangUp(),
  abandon: (rig, guests, pick) => {
    const guest = guests.filter(({ heard }) => heard === 0)[pick % 3]
    if (guest === undefined) return
    rig.pool.abandon(guest)
    guest.heard = -1
  },
  wait: (rig, _guests, pick) => rig.clock.advance(pick % 100),
  sweep: (rig) => rig.pool.closeExpired(),
}

/** Somebody with a lease, who may have ended it already: that must not matter. */
function holder(guests: readonly Guest[], pick: number): Guest | undefined {
  const holders = guests.filter(({ lease }) => lease !== undefined)
  return holders[pick % Math.max(1, holders.length)]
}

t.test('random steps', async (t) => {
  let granted = 0
  const steps = fc.array(fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat()), {
    minLength: 60,
    maxLength: 60,
  })
  const check = fc.asyncProperty(steps, async (script) => {
    const rig = new PoolRig({ size: SIZE, idleServerMs: 500, serverLifetimeMs: 900 })
    const guests: Guest[] = []
    for (const [name, pick] of script) {
      await STEPS[name]?.(rig, guests, pick)
      watch(rig, guests)
    }
    granted += guests.filter(({ lease }) => lease !== undefined).length
    await finish(rig, guests)
  })
  await fc.assert(check, { numRuns: 200 })
  t.ok(granted > 200, `${granted} leases`)
})

function watch(rig: PoolRig, guests: readonly Guest[]): void {
  const { idle, leased, canceling, connecting, waiting } = rig.pool.counts()
  assert(idle + leased + canceling + connecting <= SIZE, 'never more than its size')
  assert(rig.servers.filter(({ isDestroyed }) => !isDestroyed).length <= SIZE, 'all counted')
  assert(
    guests.every(({ heard }) => heard <= 1),
    'a waiter hears once',
  )
  assert(guests.filter(({ heard }) => heard === 0).length === waiting, 'nobody is forgotten')
  assert(waiting === 0 || idle === 0, 'nobody waits beside an idle connection')
}

/** Every lease ends, and then everybody is served. */
async function finish(rig: PoolRig, guests: readonly Guest[]): Promise<void> {
  for (let round = 0; round < 500 && rig.pool.counts().waiting > 0; round += 1) {
    for (const guest of guests) guest.lease?.release()
    rig.clock.advance(100)
    if (rig.opening > 0) await rig.opens()
  }
  for (const guest of guests) guest.lease?.release()
  rig.clock.advance(1_000)
  const left = rig.pool.counts()
  assert(left.waiting === 0 && left.leased === 0 && left.canceling === 0, JSON.stringify(left))
}

function assert(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what)
}

t.test('no connection is lent twice', async (t) => {
  const rig = new PoolRig({ size: SIZE, maxConnecting: SIZE })
  const guests = Array.from({ length: 10 }, () => rig.guest())
  for (let opened = 0; opened < SIZE; opened += 1) await rig.opens()
  const held = new Set<unknown>()
  for (const guest of guests) {
    const { server } = leaseOf(guest)
    t.equal(held.has(server), false)
    held.add(server)
    if (held.size < SIZE) continue
    for (const other of guests) if (other.lease?.server === server) other.lease.release()
    held.delete(server)
  }
})
