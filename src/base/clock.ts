/** A timer that was started; `cancel` is safe to call twice. */
export interface ClockTimer {
  cancel(): void
}

/** Time, passed in so that tests can own it. */
export interface Clock {
  /** Milliseconds from a fixed point, never going back. */
  nowMs(): number
  /** Runs `action` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, action: () => void): ClockTimer
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}
