import type { ProxyError } from '../base/proxy-error.ts'
import type { GuardReason } from '../tenancy/guard.ts'
import type { PinReason } from './kept-state.ts'

/** What became of a change of tenant that a client asked for; a metric label. */
export type SwitchResult = 'done' | 'refused' | 'failed'

/** Told of what becomes of sessions; must not throw. */
export interface SessionObserver {
  /** A client is logged in. `loginMs`: since its connection was accepted. */
  opened(tenant: string, loginMs: number): void
  /** A logged-in client is gone; `error` says why it was sent away. */
  closed(tenant: string, error: ProxyError | undefined): void
  /** A client was not let in. */
  refused(error: ProxyError): void
  /** A cancel request came; `isKnown` when its key was one of ours. */
  cancelRequested(isKnown: boolean): void
  /** A turn on a server connection ended with a release. */
  transactionEnded(tenant: string): void
  /** A client asked for another tenant; `tenant` is the one that its session is in now. */
  tenantSwitched(tenant: string, result: SwitchResult): void
  /** A client in transaction mode keeps its server connection from now on. */
  pinned(tenant: string, reason: PinReason): void
  /** A statement was not run, as it would have led its tenant out of its place. */
  guardRefused(tenant: string, reason: GuardReason): void
}
