import type { RequestUsage } from '../session/session-observer.ts'

/** What was done, added up. Nothing in it ever falls. Additions are made per request: no more. */
export class Work {
  transactions = 0
  transactionMs = 0
  queries = 0
  queryMs = 0
  /** How long server connections were held. */
  serverMs = 0
  /** How long clients waited for one. */
  waitMs = 0
  receivedBytes = 0
  sentBytes = 0
  /** By class of SQLSTATE. Most tenants have none. */
  #errors: Map<string, number> | undefined

  get errors(): ReadonlyMap<string, number> {
    return this.#errors ?? NO_ERRORS
  }

  addRequest({ queries, durationMs, receivedBytes, sentBytes }: RequestUsage): void {
    this.queries += queries
    this.queryMs += durationMs
    this.receivedBytes += receivedBytes
    this.sentBytes += sentBytes
  }

  addTransaction(durationMs: number): void {
    this.transactions += 1
    this.transactionMs += durationMs
  }

  addError(errorClass: string): void {
    this.#errors ??= new Map()
    this.#errors.set(errorClass, (this.#errors.get(errorClass) ?? 0) + 1)
  }
}

const NO_ERRORS: ReadonlyMap<string, number> = new Map()
