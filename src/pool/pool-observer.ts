import type { ViolationKind } from '../tenancy/verification.ts'

/** Why a server connection was given up. A metric label. */
export type CloseReason =
  | 'idle'
  | 'lifetime'
  /** It was idle or came back, and its place was needed for a client that it could not serve. */
  | 'evicted'
  | 'drain'
  | 'busy'
  /** The client made state that nothing undoes, such as a loaded library. */
  | 'indelible'
  /** Its tenant had left its place in a way that no text showed. */
  | 'violated'
  | 'lost'
  | 'linkFailed'
  | 'clientGone'
  | 'timeout'
  /** The catalog changed: its pool is not used any more, or the session on it was ended for that. */
  | 'changed'
  /** An operator asked for new ones, or paused its tenant. */
  | 'reconnect'

/**
 * Why a connection was taken back to its resting state: for what a session left on it, or since
 * another tenant is next. A metric label.
 */
export type ResetKind = 'session' | 'handover'

/** Told of what happens in a pool; must not throw. `pool` names it for people, without secrets. */
export interface PoolObserver {
  serverOpened(pool: string, openMs: number): void
  serverFailed(pool: string, error: Error): void
  serverClosed(pool: string, reason: CloseReason): void
  /** A session got a server connection after waiting `waitMs` (0 when one was free). */
  checkedOut(pool: string, waitMs: number): void
  checkoutRefused(pool: string, error: Error): void
  /** What was done on a server connection is being undone. */
  wasReset(kind: ResetKind): void
  /** A tenant had left its place: the server connection is closed. */
  violated(tenant: string, kind: ViolationKind): void
}

/** Sees nothing: for tests, and for pools run on their own. */
export const blindPoolObserver: PoolObserver = {
  serverOpened() {},
  serverFailed() {},
  serverClosed() {},
  checkedOut() {},
  checkoutRefused() {},
  wasReset() {},
  violated() {},
}
