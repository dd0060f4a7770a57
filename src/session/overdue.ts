import type { ProxyError } from '../base/proxy-error.ts'
import type { SessionTimeouts } from '../catalog/route.ts'
import { CheckoutTimeoutError } from '../pool/pool-errors.ts'
import { IdleClientError, IdleInTransactionError, QueryTimeoutError } from './session-errors.ts'
import { isHolding, type SessionState } from './session-state.ts'

/** Whose time is over: that of a query, which is given up, or the client's, which is sent away. */
export type Overdue =
  | { readonly kind: 'query' }
  | { readonly kind: 'client'; readonly error: ProxyError }
  | { readonly kind: 'nothing' }

/**
 * What a time limit that has run out was about.
 *
 * @param isGivenUp - The server was asked to give the running query up, and has not.
 */
export function overdueOf(
  state: SessionState,
  timeouts: SessionTimeouts,
  isGivenUp: boolean,
): Overdue {
  const { queryMs, waitMs, idleClientMs, idleInTransactionMs } = timeouts
  const end = (error: ProxyError): Overdue => ({ kind: 'client', error })
  if (state.kind === 'idle') return end(new IdleClientError(idleClientMs))
  // Of those who wait in a pool, the pool itself keeps the time.
  if (state.kind === 'waiting') return end(new CheckoutTimeoutError(waitMs))
  if (!isHolding(state)) return { kind: 'nothing' }
  const { server } = state.lease
  if (!server.isSettled) {
    return isGivenUp ? end(new QueryTimeoutError(queryMs)) : { kind: 'query' }
  }
  if (server.transactionStatus === 'idle') return end(new IdleClientError(idleClientMs))
  return end(new IdleInTransactionError(idleInTransactionMs))
}
