import type { SessionLog } from './session-log.ts'
import type { RequestUsage, TenantObserver } from './session-observer.ts'

/** Tells the log of the work of one session, where its tenant is looked into; and whoever counts it. */
export class LoggedWork implements TenantObserver {
  readonly #counted: TenantObserver
  readonly #log: SessionLog

  constructor(counted: TenantObserver, log: SessionLog) {
    this.#counted = counted
    this.#log = log
  }

  requestEnded(usage: RequestUsage): void {
    this.#counted.requestEnded(usage)
    if (!this.#log.isDebugging) return
    const durationMs = rounded(usage.durationMs)
    this.#log.tellOfStatement('debug', 'request done', { ...usage, durationMs })
  }

  transactionEnded(durationMs: number): void {
    this.#counted.transactionEnded(durationMs)
    if (!this.#log.isDebugging) return
    this.#log.tell('debug', 'transaction done', { durationMs: rounded(durationMs) })
  }

  checkedOut(waitMs: number): void {
    this.#counted.checkedOut(waitMs)
    if (!this.#log.isDebugging) return
    this.#log.tell('debug', 'server connection lent', { waitMs: rounded(waitMs) })
  }

  leaseEnded(heldMs: number): void {
    this.#counted.leaseEnded(heldMs)
  }

  errorReported(sqlState: string, origin: 'server' | 'proxy'): void {
    this.#counted.errorReported(sqlState, origin)
    if (!this.#log.isDebugging) return
    this.#log.tellOfStatement('debug', 'error reported', { sqlState, origin })
  }
}

/** To a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
