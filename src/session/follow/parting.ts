import type { Clock, ClockTimer } from '../../base/clock.ts'
import type { ProxyError } from '../../base/proxy-error.ts'

/**
 * `revoked`: the session goes at the end of its transaction, and when the grace is over in any
 * case. `moved`: it may come along if it gives its server connection back within the grace; after
 * that it goes as soon as no transaction is open.
 */
export type PartingKind = 'revoked' | 'moved'

/** Why a session that is in the middle of something has to go, and until when it may finish. */
export class Parting {
  readonly error: ProxyError
  readonly kind: PartingKind
  #isOverdue = false
  #timer: ClockTimer | undefined

  /** @param error - What the client is told. */
  constructor(error: ProxyError, kind: PartingKind) {
    this.error = error
    this.kind = kind
  }

  /** The grace is over. */
  get isOverdue(): boolean {
    return this.#isOverdue
  }

  /**
   * @param graceMs - `0`: none.
   * @param over - Told when the grace is over; at once where there is none.
   */
  begin(graceMs: number, clock: Clock, over: () => void): void {
    const end = () => {
      this.#isOverdue = true
      over()
    }
    if (graceMs === 0) end()
    else this.#timer = clock.after(graceMs, end)
  }

  /** It may stay after all, or is gone. */
  withdraw(): void {
    this.#timer?.cancel()
  }

  /**
   * Whether the session ends between two transactions.
   *
   * @param isKeeping - It would keep its server connection.
   */
  endsBetweenTransactions(isKeeping: boolean): boolean {
    return this.kind === 'revoked' || (isKeeping && this.#isOverdue)
  }
}
