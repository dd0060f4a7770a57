import fc from 'fast-check'
import t from 'tap'
import { ServerBudget } from '../../src/limits/server-budget.ts'
import { ServerUnreachableError } from '../../src/server/server-errors.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Guest, linkOf, PoolRig } from './pool-fixture.ts'

const POOLS = 4
const SIZE = 3
const DOWN = new ServerUnreachableError({ host: 'db', port: 5432 }, { reason: 'refused' })

/** Several pools with one budget. */
class Street {
  readonly clock = new FakeClock()
  readonly budget: ServerBudget
  readonly rigs: readonly PoolRig[]
  readonly guests: (readonly [rig: PoolRig, guest: Guest])[] = []

  constructor(max: number) {
    this.budget = new ServerBudget(max)
    const parts = { budget: this.budget, clock: this.clock }
    const options = { size: SIZE, maxConnecting: SIZE, idleServerMs: 500, serverLifetimeMs: 900 }
    this.rigs = Array.from({ length: POOLS }, () => new PoolRig(options, parts))
  }

  rig(pick: number): PoolRig {
    return this.rigs[pick % POOLS] as PoolRig
  }

  holder(pick: number): Guest | undefined {
    const holders = this.guests.filter(([, { lease }]) => lease !== undefined)
    return holders[pick % Math.max(1, holders.length)]?.[1]
  }

  /** Connections that the server still knows, or will. */
  get alive(): number {
    return this.sum((rig) => rig.opening + rig.servers.filter((it) => !it.isDestroyed).length)
  }

  /** Connections that the proxy has ended and the server has not. */
  get leaving(): number {
    return this.sum((rig) => rig.servers.filter((it) => it.isEnded && !it.isDestroyed).length)
  }

  sum(of: (rig: PoolRig) => number): number {
    return this.rigs.reduce((sum, rig) => sum + of(rig), 0)
  }

  releaseAll(): void {
    for (const [, { lease }] of this.guests) lease?.release()
  }

  async opensAll(): Promise<void> {
    for (const rig of this.rigs) while (rig.opening > 0) await rig.opens()
  }

  hangUp(pick?: number): void {
    const servers = this.rigs
      .flatMap((rig) => rig.servers)
      .filter((it) => it.isEnded && !it.isDestroyed)
    const chosen =
      pick === undefined ? servers : servers.slice(pick % (servers.length + 1)).slice(0, 1)
    for (const server of chosen) server.hangUp()
  }
}

type Step = (street: Street, pick: number) => Promise<void> | void

const STEPS: Readonly<Record<string, Step>> = {
  ask: (street, pick) => {
    const rig = street.rig(pick)
    street.guests.push([rig, rig.guest(linkOf(`t${pick % 3}`), (pick % 4) * 50)])
  },
  askForLong: (street, pick) => {
    const rig = street.rig(pick)
    street.guests.push([rig, rig.guest()])
  },
  opens: async (street, pick) => {
    const rig = street.rig(pick)
    if (rig.opening === 0) return
    const server = await rig.opens()
    server.lingers = pick % 3 > 0
  },
  fails: async (street, pick) => {
    const rig = street.rig(pick)
    if (rig.opening === 0) return
    await rig.fails(DOWN)
    // No pool is in the pause after a failure when the street is looked at.
    street.clock.advance(1_000)
  },
  release: (street, pick) => street.holder(pick)?.lease?.release(),
  releaseSoon: (street, pick) => street.holder(pick + 1)?.lease?.release(),
  discard: (street, pick) => street.holder(pick)?.lease?.discard('busy'),
  busy: (street, pick) => {
    const lease = street.holder(pick)?.lease
    if (lease?.server.isClosed === false) lease.server.owe('query')
    lease?.release()
  },
  cancel: (street, pick) => {
    const server = street.holder(pick)?.lease?.server
    if (server === undefined) return
    for (const rig of street.rigs) street.clock.after(30, rig.pool.holdForCancel(server))
  },
  lose: (street, pick) => {
    const { servers } = street.rig(pick)
    servers[pick % Math.max(1, servers.length)]?.hangUp()
  },
  hangUp: (street, pick) => street.hangUp(pick),
  abandon: (street, pick) => {
    const [rig, guest] = street.guests.filter(([, { heard }]) => heard === 0)[pick % 3] ?? []
    if (rig === undefined || guest === undefined) return
    rig.pool.abandon(guest)
    guest.heard = -1
  },
  wait: (street, pick) => street.clock.advance(pick % 100),
  sweep: (street, pick) => street.rig(pick).pool.closeExpired(),
  resize: (street, pick) => street.budget.setMax(1 + (pick % 5)),
}

t.test('random steps of several pools with one budget', async (t) => {
  let granted = 0
  let evicted = 0
  const steps = fc.array(fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat(1_000)), {
    minLength: 80,
    maxLength: 80,
  })
  const check = fc.asyncProperty(fc.integer({ min: 1, max: 5 }), steps, async (max, script) => {
    const street = new Street(max)
    for (const [name, pick] of script) {
      const before = street.alive
      await STEPS[name]?.(street, pick)
      watch(street, before)
    }
    await finish(street)
    granted += street.guests.filter(([, { lease }]) => lease !== undefined).length
    evicted += street.sum(({ events }) => events.filter((it) => it === 'closed evicted').length)
  })
  await fc.assert(check, { numRuns: 150 })
  t.ok(granted > 150, `${granted} leases`)
  t.ok(evicted > 50, `${evicted} evictions`)
})

function watch(street: Street, before: number): void {
  const { budget, alive, guests } = street
  assert(budget.used === alive, `no place is lost: ${budget.used} for ${alive} connections`)
  assert(alive <= Math.max(budget.max, before), 'never more than the budget')
  const heard = guests.every(([, guest]) => guest.heard <= 1)
  assert(heard, 'a waiter hears once')
  const unheard = guests.filter(([, guest]) => guest.heard === 0).length
  assert(unheard === street.sum(({ pool }) => pool.counts().waiting), 'nobody is forgotten')
  const inNeed = street.rigs.filter(isInNeed).length
  const onTheWay = Math.max(0, budget.max - budget.used + street.leaving)
  const idle = street.sum(({ pool }) => pool.counts().idle)
  assert(inNeed === 0 || budget.used >= budget.max, 'nobody waits beside a free place')
  assert(inNeed <= onTheWay || idle === 0, 'nobody waits beside an idle connection')
}

/** A pool that would open a connection if it had a place. */
function isInNeed({ pool }: PoolRig): boolean {
  const { idle, leased, canceling, resetting, connecting, waiting } = pool.counts()
  return waiting > connecting && idle + leased + canceling + resetting + connecting < SIZE
}

/** Every lease ends, and then everybody is served; nothing is left when the pools are drained. */
async function finish(street: Street): Promise<void> {
  const waiting = () => street.sum(({ pool }) => pool.counts().waiting)
  for (let round = 0; round < 500 && waiting() > 0; round += 1) {
    street.releaseAll()
    street.hangUp()
    await street.opensAll()
    watch(street, Math.max(street.alive, street.budget.max))
    street.clock.advance(100)
  }
  assert(waiting() === 0, 'somebody waits for ever')
  for (const { pool } of street.rigs) pool.drain()
  street.releaseAll()
  await street.opensAll()
  street.clock.advance(1_000)
  street.hangUp()
  assert(street.budget.used === 0, `${street.budget.used} places are left`)
}

function assert(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what)
}
