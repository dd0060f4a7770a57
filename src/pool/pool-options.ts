/** Limits of one pool. Built in `config/`, handed down; this room reads no environment. */
export interface PoolOptions {
  /** Most server connections held, idle and active together. PgBouncer's `default_pool_size`. */
  readonly size: number
  /** Server logins in flight at once. */
  readonly maxConnecting: number
  /** Longest time a server connection may take to open, in ms. */
  readonly connectTimeoutMs: number
  /** An idle server connection older than this is closed, in ms; `0` keeps it. */
  readonly idleServerMs: number
  /** A server connection older than this is not lent again, in ms; `0` means no limit. */
  readonly serverLifetimeMs: number
  /** Share of the lifetime by which it varies, so that connections do not end together; 0 to 1. */
  readonly lifetimeJitter: number
  /** Most sessions that wait for a server connection; one more is refused. */
  readonly maxWaiting: number
  /** Most prepared statements held on one server connection. */
  readonly maxPreparedStatements: number
  /** Most bytes of their texts on one server connection. */
  readonly maxPreparedBytes: number
  /** Shortest and longest pause after a failed connect, in ms. */
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
}
