import type { Clock } from '../../base/clock.ts'
import type { ProxyError } from '../../base/proxy-error.ts'
import type { CloseReason } from '../../pool/pool-observer.ts'
import { ShutdownError } from '../session-errors.ts'
import { Parting, type PartingKind } from './parting.ts'

/** Why a session ends: `error` is told to the client, `reason` to the pool. */
export interface SessionEnd {
  readonly error?: ProxyError
  readonly reason: CloseReason
}

/** With what a session is given time to finish. */
export interface DepartureParts {
  readonly clock: Clock
  options(): { readonly changeGraceMs: number }
}

/**
 * Whether a session has to go: the proxy shuts down, or the catalog ends it, or moved its tenant
 * while it was in the middle of something.
 */
export class Departure {
  readonly #parts: DepartureParts
  readonly #graceOver: (parting: Parting) => void
  #isDraining = false
  #parting: Parting | undefined

  /** @param graceOver - Told when the session has had its time to finish. */
  constructor(parts: DepartureParts, graceOver: (parting: Parting) => void) {
    this.#parts = parts
    this.#graceOver = graceOver
  }

  /** Why it parts; `undefined` when it may stay, as far as the catalog goes. */
  get kind(): PartingKind | undefined {
    return this.#parting?.kind
  }

  /** The proxy shuts down. There is no way back. */
  drain(): void {
    this.#isDraining = true
  }

  /** @param error - What the client is told. */
  begin(error: ProxyError, kind: PartingKind): void {
    this.withdraw()
    const { clock, options } = this.#parts
    const parting = new Parting(error, kind)
    this.#parting = parting
    parting.begin(options().changeGraceMs, clock, () => this.#graceOver(parting))
  }

  /** It may stay after all, or is gone. */
  withdraw(): void {
    this.#parting?.withdraw()
    this.#parting = undefined
  }

  /** It gives its server connection back before anything more is done: it goes, or goes elsewhere. */
  isNext(isPinned: boolean): boolean {
    return (
      this.#parting?.endsBetweenTransactions(isPinned) === true ||
      (this.#parting?.kind === 'moved' && !isPinned)
    )
  }

  /**
   * Why the session ends between two transactions, if it does.
   *
   * @param isKeeping - It would keep its server connection.
   */
  betweenTransactions(isKeeping: boolean): SessionEnd | undefined {
    if (this.#isDraining) return { error: new ShutdownError(), reason: 'drain' }
    const parting = this.#parting
    if (parting?.endsBetweenTransactions(isKeeping) !== true) return undefined
    return { error: parting.error, reason: 'changed' }
  }
}
