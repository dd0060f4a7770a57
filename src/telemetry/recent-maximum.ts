import type { Clock } from '../base/clock.ts'

/**
 * The greatest of the values of late: of the last `windowMs`, and of up to as much before. Unlike a
 * maximum since the last scrape, it is the same for everybody who reads it.
 */
export class RecentMaximum {
  readonly #windowMs: number
  readonly #clock: Clock
  #window = 0
  #current = 0
  #previous = 0

  constructor(windowMs: number, clock: Clock) {
    this.#windowMs = windowMs
    this.#clock = clock
  }

  /** @param value - Not negative. */
  note(value: number): void {
    this.#moveOn()
    this.#current = Math.max(this.#current, value)
  }

  /** `0` when there was none. */
  read(): number {
    this.#moveOn()
    return Math.max(this.#current, this.#previous)
  }

  #moveOn(): void {
    const window = Math.floor(this.#clock.nowMs() / this.#windowMs)
    if (window === this.#window) return
    this.#previous = window === this.#window + 1 ? this.#current : 0
    this.#current = 0
    this.#window = window
  }
}
