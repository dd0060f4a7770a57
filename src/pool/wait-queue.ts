import type { Clock, ClockTimer } from '../base/clock.ts'
import type { Waiter } from './waiter.ts'

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

  /** Takes the one who came first. */
  takeFirst(): { readonly waiter: Waiter; readonly waitedMs: number } | undefined {
    const [first] = this.#waiters
    if (first === undefined) return undefined
    const [waiter, sinceMs] = first
    this.#waiters.delete(waiter)
    return { waiter, waitedMs: this.#clock.nowMs() - sinceMs }
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
