import type { ProxyError } from '../base/proxy-error.ts'
import type { GuardReason } from '../tenancy/guard.ts'
import type { PinReason } from './kept-state.ts'

/** What became of a change of tenant that a client asked for; a metric label. */
export type SwitchResult = 'done' | 'refused' | 'failed'

/** What a request took, from its first byte until all of it was answered. */
export interface RequestUsage {
  /** Answered with ReadyForQuery, as PgBouncer counts queries; `0` where only a Flush was answered. */
  readonly queries: number
  readonly durationMs: number
  /** Bytes that the client sent. */
  readonly receivedBytes: number
  /** Bytes that the client was sent. */
  readonly sentBytes: number
}

/**
 * Told of the work that is done for one tenant; must not throw. Sessions ask for it once, so that
 * nothing is looked up for each request.
 */
export interface TenantObserver {
  requestEnded(usage: RequestUsage): void
  /** A transaction ended, `durationMs` after its first request reached a server connection. */
  transactionEnded(durationMs: number): void
  /** A server connection was lent, after a wait of `waitMs`. */
  checkedOut(waitMs: number): void
  /** It came back, or was closed. `heldMs`: since it was lent. */
  leaseEnded(heldMs: number): void
  /** The client was told an error with this SQLSTATE, by its server or by the proxy. */
  errorReported(sqlState: string, origin: 'server' | 'proxy'): void
}

/** Told of what becomes of sessions; must not throw. */
export interface SessionObserver {
  /** Whom to tell of the work that is done for a tenant. */
  tenant(name: string): TenantObserver
  /** A client is logged in. `loginMs`: since its connection was accepted. */
  opened(tenant: string, loginMs: number): void
  /** A logged-in client is gone; `error` says why it was sent away. */
  closed(tenant: string, error: ProxyError | undefined): void
  /** A client was not let in. */
  refused(error: ProxyError): void
  /** One of those had proven to be the tenant's; told beside `refused`. */
  turnedAway(tenant: string, error: ProxyError): void
  /** A cancel request came; `isKnown` when its key was one of ours. */
  cancelRequested(isKnown: boolean): void
  /**
   * A client asked for another tenant; `tenant` is the one that its session is in now, `from` the
   * one that it has left.
   */
  tenantSwitched(tenant: string, result: SwitchResult, from?: string): void
  /** A client in transaction mode keeps its server connection from now on. */
  pinned(tenant: string, reason: PinReason): void
  /** A statement was not run, as it would have led its tenant out of its place. */
  guardRefused(tenant: string, reason: GuardReason): void
}
