import { Backoff, type BackoffOptions } from './backoff.ts'
import type { Clock } from './clock.ts'

/** When a breaker opens, and for how long: the delays of `Backoff`, from `minMs` to `maxMs`. */
export interface BreakerOptions extends BackoffOptions {
  /** Failures in a row that open it, at least 1. */
  readonly failures: number
}

/** Whether something that failed is left alone for a while. */
export type BreakerState =
  /** Everybody may try. `failures`: how many there were since the last success. */
  | { readonly kind: 'closed'; readonly failures: number }
  /** Nobody may try before `untilMs`, on the breaker's clock. */
  | { readonly kind: 'open'; readonly untilMs: number }
  /** One attempt is a trial for all: it closes the breaker or opens it again. */
  | { readonly kind: 'halfOpen'; readonly untilMs: number }

/** The only legal moves; anything else is a bug here. */
const NEXT_STATES = {
  closed: ['closed', 'open'],
  open: ['halfOpen'],
  halfOpen: ['halfOpen', 'open', 'closed'],
} as const satisfies Record<BreakerState['kind'], readonly BreakerState['kind'][]>

/** Leave to try once. The first word on how it went counts, later ones are not heard. */
export interface Attempt {
  succeeded(): void
  failed(): void
}

/** What became of a piece of work: done, or not begun as the breaker is open. */
export type BreakerOutcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'skipped' }

/**
 * Leaves something alone that fails, so that nobody waits for it in vain and it can come back. It
 * opens after some failures in a row; when its time is over, one attempt is let through as a trial.
 * Each opening without a success in between lasts twice as long as the one before.
 *
 * Work has to end by itself, at a deadline of its own: the breaker ends none. A trial that does not
 * end within `maxMs` is given up all the same, for another one.
 */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #clock: Clock
  readonly #backoff: Backoff
  #state: BreakerState = { kind: 'closed', failures: 0 }
  /** Counts trials and openings: what began before the last of them says nothing of now. */
  #era = 0

  constructor(options: BreakerOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#backoff = new Backoff(options)
  }

  /** Stays `open` when its time is over, until somebody tries. */
  get state(): BreakerState {
    return this.#state
  }

  /** Leave to try now; `undefined` while nobody may. Its outcome must be told. */
  begin(): Attempt | undefined {
    if (this.#state.kind === 'closed') return this.#attempt()
    const nowMs = this.#clock.nowMs()
    if (nowMs < this.#state.untilMs) return undefined
    this.#move({ kind: 'halfOpen', untilMs: nowMs + this.#options.maxMs })
    this.#era += 1
    return this.#attempt()
  }

  /** Does `work` unless the breaker is open. A rejection counts as a failure, and is passed on. */
  async run<T>(work: () => Promise<T>): Promise<BreakerOutcome<T>> {
    const attempt = this.begin()
    if (attempt === undefined) return { kind: 'skipped' }
    try {
      const value = await work()
      attempt.succeeded()
      return { kind: 'done', value }
    } catch (error) {
      attempt.failed()
      throw error
    }
  }

  #attempt(): Attempt {
    const era = this.#era
    let isTold = false
    const tell = (note: () => void) => {
      if (!isTold && era === this.#era) note()
      isTold = true
    }
    return {
      succeeded: () => tell(() => this.#succeeded()),
      failed: () => tell(() => this.#failed()),
    }
  }

  #succeeded(): void {
    this.#backoff.succeeded()
    this.#move({ kind: 'closed', failures: 0 })
  }

  #failed(): void {
    const failures = this.#state.kind === 'closed' ? this.#state.failures + 1 : undefined
    if (failures !== undefined && failures < this.#options.failures) {
      this.#move({ kind: 'closed', failures })
      return
    }
    this.#era += 1
    this.#move({ kind: 'open', untilMs: this.#clock.nowMs() + this.#backoff.failed() })
  }

  #move(next: BreakerState): void {
    const moves: readonly BreakerState['kind'][] = NEXT_STATES[this.#state.kind]
    if (!moves.includes(next.kind)) {
      throw new Error(`a breaker can't go from ${this.#state.kind} to ${next.kind}`)
    }
    this.#state = next
  }
}
