import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'
import type { RefusalReason } from '../catalog/catalog.ts'

/** Why a client was not let in. For the log and a metric, never for the client. */
export type AuthFailureReason =
  | RefusalReason
  | 'wrongPassword'
  /** The certificate is another login's. */
  | 'wrongCertificate'
  | 'passwordExpired'
  /** The login's secret is of a kind that the configured method can't check, or there is none. */
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

/** The configured method is not safe on the way by which the client came, or can't work there. */
export class AuthMethodRefusedError extends ProxyError {
  override readonly code = 'AUTH_METHOD_REFUSED'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string | undefined
  readonly method: string

  /** @param remedy - How the client would have to connect, in words that it may read. */
  constructor(method: string, remedy: string, hint?: string) {
    super(`authentication method ${method} refused: it needs ${remedy}`)
    this.clientMessage = `this way of logging in needs ${remedy}`
    this.hint = hint
    this.method = method
  }
}

/** The server that knows the login's secret could not be asked, or made no sense. */
export class AuthQueryFailedError extends ProxyError {
  override readonly code = 'AUTH_QUERY_FAILED'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'server'
  override readonly clientMessage = 'logins can not be checked at the moment'
  override readonly hint = 'Try again. The log of the proxy names the cause.'

  constructor(server: { readonly host: string; readonly port: number }, failure: AuthQueryFailure) {
    super(`can't ask server ${server.host}:${server.port} for a login: ${failure.reason}`, failure)
  }
}

interface AuthQueryFailure extends ErrorOptions {
  readonly reason: string
}
