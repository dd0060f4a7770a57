import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'
import type { RefusalReason } from '../catalog/catalog.ts'

/** Why a client was not let in. For the log and a metric, never for the client. */
export type AuthFailureReason =
  | RefusalReason
  | 'wrongPassword'
  /** The login's secret is of a kind that the configured method can't check. */
  | 'unsuitableSecret'

/** The client could not prove that it is who it says it is, or may not act for that tenant. */
export class AuthenticationFailedError extends ProxyError {
  override readonly code = 'AUTHENTICATION_FAILED'
  override readonly sqlState = SqlState.invalidPassword
  override readonly origin = 'client'
  /** The same words for every reason: they must not tell a client which names exist. */
  override readonly clientMessage: string
  readonly reason: AuthFailureReason

  constructor(login: string, reason: AuthFailureReason, options?: ErrorOptions) {
    super(`authentication failed for login ${JSON.stringify(login)}: ${reason}`, options)
    this.clientMessage = `password authentication failed for user "${login}"`
    this.reason = reason
  }
}

/** The configured method is not safe on the way by which the client came. */
export class AuthMethodRefusedError extends ProxyError {
  override readonly code = 'AUTH_METHOD_REFUSED'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage: string
  readonly method: string

  /** @param remedy - How the client would have to connect, in words that it may read. */
  constructor(method: string, remedy: string, options?: ErrorOptions) {
    super(`authentication method ${method} refused: it needs ${remedy}`, options)
    this.clientMessage = `this way of logging in needs ${remedy}`
    this.method = method
  }
}
