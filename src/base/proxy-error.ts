import type { SqlState } from './sql-state.ts'

/** Whose fault a failure is. A metric label, and what decides the log level. */
export type ErrorOrigin = 'client' | 'tenant' | 'server' | 'proxy'

/**
 * A failure that PgUsher foresaw: every room throws its own subclasses, and `session/` alone
 * turns one into a log line and an ErrorResponse. A plain `Error` means a bug in the proxy.
 */
export abstract class ProxyError extends Error {
  /** Stable name in the log and in `docs/errors.md`, such as `CHECKOUT_TIMEOUT`. */
  abstract readonly code: string
  abstract readonly sqlState: SqlState
  abstract readonly origin: ErrorOrigin
  /** What the client is told. Never a host, a secret or another tenant. */
  abstract readonly clientMessage: string
  /** The remedy, sent in the HINT field; `undefined` when there is none to give. */
  readonly hint: string | undefined = undefined

  /** @param message - For the log: may name hosts, never secrets. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}
