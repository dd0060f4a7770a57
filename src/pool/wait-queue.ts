import type { Clock, ClockTimer } from '../base/clock.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import { fits } from './idle-servers.ts'
import type { Waiter } from './waiter.ts'

/** What a connection must have been opened with to serve a waiter; waiters of one key are alike. */
export function homeKey({ link, mode }: Pick<Waiter, 'link' | 'mode'>): string {
  return mode === 'session' ? link.key : ''
}

/** A connection under way, and the key of the waiters whom it can serve. */
export interface Opening {
  readonly key: string
}

let lastArrival = 0

interface Arrival {
  /** Counted over all queues of this process: who came first has the lower one. */
  readonly number: number
  readonly sinceMs: number
}

/** Who waits for a server connection, first come first served. */
export class WaitQueue {
  readonly #clock: Clock
  readonly #expired: (waiter: Waiter) => void
  /** In order of arrival. */
  readonly #waiters = new Map<Waiter, Arrival>()
  #timer: ClockTimer | undefined
  #timerDueMs = Number.POSITIVE_INFINITY

  /** @param expired - Hears of each waiter whose `waitMs` is over; it waits no more. */
  constructor(clock: Clock, expired: (waiter: Waiter) => void) {
    this.#clock = clock
    this.#expired = expired
  }

  get count(): number {
    return this.#waiters.size
  }

  /** For each who waits, the tenant. */
  *tenants(): Iterable<string> {
    for (const { link } of this.#waiters.keys()) yield link.tenant
  }

  /** How long the first one has waited, in ms. */
  get oldestWaitMs(): number {
    const [oldest] = this.#waiters.values()
    return oldest === undefined ? 0 : this.#clock.nowMs() - oldest.sinceMs
  }

  add(waiter: Waiter): void {
    const sinceMs = this.#clock.nowMs()
    lastArrival += 1
    this.#waiters.set(waiter, { number: lastArrival, sinceMs })
    this.#watch(waiter.waitMs, sinceMs)
  }

  remove(waiter: Waiter): void {
    this.#waiters.delete(waiter)
  }

  /** The one who came first. */
  get first(): Waiter | undefined {
    const [first] = this.#waiters.keys()
    return first
  }

  /** Tells who of several queues came first; `undefined` for nobody, or one that does not wait. */
  arrivalOf(waiter: Waiter | undefined): number | undefined {
    return waiter && this.#waiters.get(waiter)?.number
  }

  /** Takes a waiter. */
  take(waiter: Waiter): { readonly waiter: Waiter; readonly waitedMs: number } {
    const nowMs = this.#clock.nowMs()
    const { sinceMs } = this.#waiters.get(waiter) ?? { sinceMs: nowMs }
    this.#waiters.delete(waiter)
    return { waiter, waitedMs: nowMs - sinceMs }
  }

  /**
   * Who gets a connection that is free. Nobody is passed over but those for whom one is under way.
   */
  nextFor(server: ServerConnection, connecting: Iterable<Opening>): Waiter | undefined {
    const { first } = this
    if (first === undefined || fits(server, first)) return first
    if (this.firstUnserved(connecting) === first) return undefined
    for (const waiter of this.#waiters.keys()) if (fits(server, waiter)) return waiter
    return undefined
  }

  /** The first for whom no connection is being opened yet. */
  firstUnserved(connecting: Iterable<Opening>): Waiter | undefined {
    const left = new Map<string, number>()
    for (const { key } of connecting) left.set(key, (left.get(key) ?? 0) + 1)
    for (const waiter of this.#waiters.keys()) {
      const key = homeKey(waiter)
      const served = left.get(key) ?? 0
      if (served === 0) return waiter
      left.set(key, served - 1)
    }
    return undefined
  }

  /** Takes those who wait for a connection of that home. */
  takeOf(key: string): readonly Waiter[] {
    const found = [...this.#waiters.keys()].filter((waiter) => homeKey(waiter) === key)
    for (const waiter of found) this.#waiters.delete(waiter)
    return found
  }

  /** Takes everybody. */
  takeAll(): readonly Waiter[] {
    const all = [...this.#waiters.keys()]
    this.#waiters.clear()
    return all
  }

  /** One timer serves the whole queue: it wakes for the first wait that can end. */
  #watch(waitMs: number, sinceMs: number): void {
    const dueMs = waitMs === 0 ? Number.POSITIVE_INFINITY : sinceMs + waitMs
    if (dueMs >= this.#timerDueMs) return
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    this.#timer = this.#clock.after(Math.max(1, dueMs - this.#clock.nowMs()), () => {
      this.#timerDueMs = Number.POSITIVE_INFINITY
      this.#expire()
      for (const [waiter, { sinceMs }] of this.#waiters) this.#watch(waiter.waitMs, sinceMs)
    })
  }

  #expire(): void {
    const nowMs = this.#clock.nowMs()
    for (const [waiter, { sinceMs }] of [...this.#waiters]) {
      if (waiter.waitMs === 0 || nowMs - sinceMs < waiter.waitMs) continue
      this.#waiters.delete(waiter)
      this.#expired(waiter)
    }
  }
}
