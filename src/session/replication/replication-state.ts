import type { ProxyError } from '../../base/proxy-error.ts'

/**
 * Where a replication session stands.
 *
 * - `open`: bytes pass both ways.
 * - `leaving`: the client said Terminate, and the server has still to hang up.
 * - `stopping`: the client is sent away as soon as the message that is going out to it ends.
 * - `closed`: over.
 */
export type ReplicationState =
  | { readonly kind: 'open' }
  | { readonly kind: 'leaving' }
  | { readonly kind: 'stopping'; readonly error: ProxyError }
  | { readonly kind: 'closed' }

/** The only legal moves; anything else is a bug here, not an error of the client. */
const NEXT_STATES = {
  open: ['leaving', 'stopping', 'closed'],
  leaving: ['stopping', 'closed'],
  stopping: ['closed'],
  closed: [],
} as const satisfies Record<ReplicationState['kind'], readonly ReplicationState['kind'][]>

/** Returns `next` if `from` may move there. */
export function moveReplication(from: ReplicationState, next: ReplicationState): ReplicationState {
  const allowed: readonly string[] = NEXT_STATES[from.kind]
  if (!allowed.includes(next.kind)) {
    throw new Error(`a replication session can't go ${from.kind} → ${next.kind}`)
  }
  return next
}
