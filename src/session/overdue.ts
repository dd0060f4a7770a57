import type { ProxyError } from '../base/proxy-error.ts'
import type { SessionTimeouts } from '../catalog/route.ts'
import { IdleClientError, IdleInTransactionError } from './session-errors.ts'
import { isHolding, type SessionState } from './session-state.ts'

/** Whose time is over: a query of the server's, or the client's, which is sent away. */
export type Overdue =
  | { readonly kind: 'query' }
  | { readonly kind: 'client'; readonly error: ProxyError }
  | { readonly kind: 'nothing' }

/** What a time limit that has run out was about. */
export function overdueOf(state: SessionState, timeouts: SessionTimeouts): Overdue {
  const idle = (): Overdue => ({
    kind: 'client',
    error: new IdleClientError(timeouts.idleClientMs),
  })
  if (state.kind === 'idle') return idle()
  if (!isHolding(state)) return { kind: 'nothing' }
  const { server } = state.lease
  if (!server.isSettled) return { kind: 'query' }
  if (server.transactionStatus === 'idle') return idle()
  return { kind: 'client', error: new IdleInTransactionError(timeouts.idleInTransactionMs) }
}
