import type { Lease } from '../pool/lease.ts'
import type { FactsWanted } from '../server/session-facts.ts'

/**
 * Where a logged-in session stands.
 *
 * - `idle`: no server connection is held; `held` is the beginning of an unfinished request.
 * - `waiting`: a complete request waits for a server connection.
 * - `moving`: a complete request waits for the session to enter the place that its tenant moved to.
 * - `switching`: the client asked for another tenant; what it holds it still holds, and it may stay.
 * - `crossing`: it gave its server connection back for that: it arrives there, or ends.
 * - `active`: a server connection is leased; a pinned client is so between its transactions too.
 * - `asking`: the transaction is over, and the server is asked what the session holds.
 * - `leaving`: the client said Terminate, or is gone, but the server still owes replies.
 * - `closed`: over.
 */
export type SessionState =
  | { readonly kind: 'idle'; readonly held: Buffer | undefined }
  | { readonly kind: 'waiting'; readonly requests: Buffer[] }
  | { readonly kind: 'moving'; readonly requests: Buffer[]; readonly attempt: AbortController }
  | {
      readonly kind: 'switching'
      readonly lease: Lease | undefined
      readonly requests: Buffer[]
      readonly attempt: AbortController
    }
  | { readonly kind: 'crossing'; readonly requests: Buffer[]; readonly attempt: AbortController }
  | {
      readonly kind: 'active'
      readonly lease: Lease
      /** Between two requests, the beginning of what may be one to the proxy. */
      readonly held?: Buffer | undefined
    }
  | {
      readonly kind: 'asking'
      readonly lease: Lease
      readonly wanted: FactsWanted
      /** What the client has asked for since, and must not be done on this connection. */
      readonly held: Buffer[]
    }
  | { readonly kind: 'leaving'; readonly lease: Lease }
  | { readonly kind: 'closed' }

/** The only legal moves; anything else is a bug here, not an error of the client. */
const NEXT_STATES = {
  idle: ['idle', 'waiting', 'moving', 'switching', 'active', 'closed'],
  waiting: ['idle', 'moving', 'active', 'closed'],
  moving: ['idle', 'waiting', 'moving', 'active', 'closed'],
  switching: ['idle', 'crossing', 'active', 'closed'],
  crossing: ['idle', 'active', 'closed'],
  active: ['idle', 'waiting', 'moving', 'switching', 'active', 'asking', 'leaving', 'closed'],
  asking: ['idle', 'active', 'leaving', 'closed'],
  leaving: ['closed'],
  closed: [],
} as const satisfies Record<SessionState['kind'], readonly SessionState['kind'][]>

export const IDLE: SessionState = { kind: 'idle', held: undefined }
export const CLOSED: SessionState = { kind: 'closed' }

/**
 * Between two requests.
 *
 * @param lease - The server connection that is kept, if one is.
 * @param held - The beginning of the next request.
 */
export function resting(lease: Lease | undefined, held?: Buffer): SessionState {
  return lease === undefined ? { kind: 'idle', held } : { kind: 'active', lease, held }
}

/** Returns `next` if `from` may move there. */
export function move(from: SessionState, next: SessionState): SessionState {
  const allowed: readonly string[] = NEXT_STATES[from.kind]
  if (!allowed.includes(next.kind))
    throw new Error(`a session can't go ${from.kind} → ${next.kind}`)
  return next
}

/** A server connection is leased. */
export function isHolding(state: SessionState): state is SessionState & { readonly lease: Lease } {
  return 'lease' in state && state.lease !== undefined
}
