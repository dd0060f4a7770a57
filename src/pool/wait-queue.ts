import type { Clock, ClockTimer } from '../base/clock.ts'
import type { Waiter } from './waiter.ts'

/** What a connection must have been opened with to serve a waiter; waiters of one key are alike. */
export function homeKey({ link, mode }: Pick<Waiter, 'link' | 'mode'>): string {
  return mode === 'session' ? link.key : ''
}

/** Who waits for a server connection, first come first served. */
export class WaitQueue {
  readonly #clock: Clock
  readonly #expired: (waiter: Waiter) => void
  /** In order of arrival, with the time of it. */
  readonly #waiters = new Map<Waiter, number>()
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

  /** How long the first one has waited, in ms. */
  get oldestWaitMs(): number {
    const [oldest] = this.#waiters.values()
    return oldest === undefined ? 0 : this.#clock.nowMs() - oldest
  }

  add(waiter: Waiter): void {
    const nowMs = this.#clock.nowMs()
    this.#waiters.set(waiter, nowMs)
    this.#watch(waiter.waitMs, nowMs)
  }

  remove(waiter: Waiter): void {
    this.#waiters.delete(waiter)
  }

  /** The one who came first. */
  get first(): Waiter | undefined {
    const [first] = this.#waiters.keys()
    return first
  }

  /** Takes a waiter. */
  take(waiter: Waiter): { readonly waiter: Waiter; readonly waitedMs: number } {
    const sinceMs = this.#waiters.get(waiter) ?? this.#clock.nowMs()
    this.#waiters.delete(waiter)
    return { waiter, waitedMs: this.#clock.nowMs() - sinceMs }
  }

  /** The first that `isServed` says the connection at hand is for. */
  find(isServed: (waiter: Waiter) => boolean): Waiter | undefined {
    for (const waiter of this.#waiters.keys()) if (isServed(waiter)) return waiter
    return undefined
  }

  /** The first for whom no connection is being opened yet. */
  firstUnserved(connecting: ReadonlyMap<string, number>): Waiter | undefined {
    const left = new Map(connecting)
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
      for (const [waiter, since] of this.#waiters) this.#watch(waiter.waitMs, since)
    })
  }

  #expire(): void {
    const nowMs = this.#clock.nowMs()
    for (const [waiter, sinceMs] of [...this.#waiters]) {
      if (waiter.waitMs === 0 || nowMs - sinceMs < waiter.waitMs) continue
      this.#waiters.delete(waiter)
      this.#expired(waiter)
    }
  }
}
