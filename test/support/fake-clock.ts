import type { Clock, ClockTimer } from '../../src/base/clock.ts'

interface Timer {
  readonly dueMs: number
  readonly action: () => void
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, action: () => void): ClockTimer {
    if (!(delayMs >= 0)) throw new RangeError(`a delay of ${delayMs} ms`)
    const timer = { dueMs: this.#nowMs + delayMs, action }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  /** Timers that are still to fire. */
  get pending(): number {
    return this.#timers.size
  }

  /** Moves on, firing what comes due on the way in the order in which it does. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs
    for (;;) {
      const due = [...this.#timers].filter(({ dueMs }) => dueMs <= endMs)
      const [first] = due.sort((a, b) => a.dueMs - b.dueMs)
      if (first === undefined) break
      this.#timers.delete(first)
      this.#nowMs = Math.max(this.#nowMs, first.dueMs)
      first.action()
    }
    this.#nowMs = endMs
  }
}
