import type { Clock, ClockTimer } from '../base/clock.ts'

/**
 * One time limit that moves often: moving it later costs no timer. Used where a limit changes
 * with every request, and hardly ever runs out.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #expired: () => void
  #setMs: number
  #dueMs = Number.POSITIVE_INFINITY
  #timer: ClockTimer | undefined
  #timerDueMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock
    this.#expired = expired
    this.#setMs = clock.nowMs()
  }

  /** Time since it was last set, in ms. */
  get ageMs(): number {
    return this.#clock.nowMs() - this.#setMs
  }

  /** Sets the limit to `limitMs` from now; `0` means none. */
  set(limitMs: number): void {
    this.#setMs = this.#clock.nowMs()
    if (limitMs === 0) {
      this.#dueMs = Number.POSITIVE_INFINITY
      return
    }
    this.#dueMs = this.#setMs + limitMs
    if (this.#dueMs < this.#timerDueMs) this.#arm()
  }

  /** Ends it for good. */
  stop(): void {
    this.#timer?.cancel()
    this.#dueMs = Number.POSITIVE_INFINITY
    this.#timerDueMs = Number.POSITIVE_INFINITY
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timerDueMs = this.#dueMs
    const delayMs = Math.max(1, Math.ceil(this.#dueMs - this.#clock.nowMs()))
    this.#timer = this.#clock.after(delayMs, () => this.#fired())
  }

  #fired(): void {
    this.#timerDueMs = Number.POSITIVE_INFINITY
    if (this.#dueMs === Number.POSITIVE_INFINITY) return
    if (this.#clock.nowMs() < this.#dueMs) {
      this.#arm()
      return
    }
    this.#dueMs = Number.POSITIVE_INFINITY
    this.#expired()
  }
}
