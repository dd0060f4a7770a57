/** Bounds of a growing delay, in ms. */
export interface BackoffOptions {
  readonly minMs: number
  readonly maxMs: number
  /** Uniform in [0, 1); passed in so that tests can own it. @defaultValue `Math.random` */
  readonly random?: () => number
}

/**
 * A delay that doubles with each failure and starts anew after a success. Each delay is drawn
 * from its upper half, so that many proxies do not come back at one moment.
 */
export class Backoff {
  readonly #options: BackoffOptions
  #failures = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  get failures(): number {
    return this.#failures
  }

  succeeded(): void {
    this.#failures = 0
  }

  /** Notes a failure. Returns how long to wait before the next try, in ms. */
  failed(): number {
    const { minMs, maxMs, random = Math.random } = this.#options
    const ceiling = Math.min(maxMs, minMs * 2 ** this.#failures)
    this.#failures += 1
    return ceiling / 2 + (random() * ceiling) / 2
  }
}
