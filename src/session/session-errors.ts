import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'
import type { RefusalReason } from '../catalog/catalog.ts'

/** The client did not finish its login within `timeouts.startupMs`. */
export class StartupTimeoutError extends ProxyError {
  override readonly code = 'STARTUP_TIMEOUT'
  override readonly sqlState = SqlState.queryCanceled
  override readonly origin = 'client'
  override readonly clientMessage = 'canceling authentication due to timeout'

  constructor(startupMs: number) {
    super(`the client did not log in within ${startupMs} ms`)
  }
}

/** The client left in the middle of its login. There is nobody to tell. */
export class ClientGoneError extends ProxyError {
  override readonly code = 'CLIENT_GONE'
  override readonly sqlState = SqlState.connectionFailure
  override readonly origin = 'client'
  override readonly clientMessage = 'the client closed the connection'

  constructor() {
    super('the client closed the connection before it was logged in')
  }
}

/** TLS with a client did not come about. There is no language left to tell it in. */
export class TlsHandshakeError extends ProxyError {
  override readonly code = 'TLS_HANDSHAKE_FAILED'
  override readonly sqlState = SqlState.protocolViolation
  override readonly origin = 'client'
  override readonly clientMessage = 'the TLS handshake failed'

  constructor(reason: string) {
    super(`no TLS with the client: ${reason}`)
  }
}

/** The client came without TLS, over a network where it has to have it. */
export class TlsRequiredError extends ProxyError {
  override readonly code = 'TLS_REQUIRED'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage = 'the connection is not encrypted'
  override readonly hint = 'Connect with sslmode=require, or better verify-full.'

  constructor() {
    super('a client without TLS')
  }
}

/** The client gave a certificate that is not to be trusted. */
export class ClientCertificateError extends ProxyError {
  override readonly code = 'CLIENT_CERTIFICATE_REFUSED'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage = 'the certificate of the client is not valid'
  override readonly hint = 'Use one that is in force and comes from the authority of this service.'

  /** @param fault - OpenSSL's name for it, such as `CERT_HAS_EXPIRED`. */
  constructor(fault: string) {
    super(`client certificate refused: ${fault}`)
  }
}

/** The tenant is suspended in the catalog. Told only to those who proved who they are. */
export class TenantSuspendedError extends ProxyError {
  override readonly code = 'TENANT_SUSPENDED'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'tenant'
  override readonly clientMessage: string
  override readonly hint = 'Ask the operator of the service to resume the tenant.'

  constructor(tenant: string) {
    super(`tenant "${tenant}" is suspended`)
    this.clientMessage = this.message
  }
}

/** Nothing came from the client for `timeouts.idleClientMs`. */
export class IdleClientError extends ProxyError {
  override readonly code = 'IDLE_CLIENT_TIMEOUT'
  override readonly sqlState = SqlState.idleSessionTimeout
  override readonly origin = 'client'
  override readonly clientMessage = 'terminating connection due to idle-session timeout'

  constructor(idleClientMs: number) {
    super(`the client was idle for ${idleClientMs} ms`)
  }
}

/** The client left a transaction open for `timeouts.idleInTransactionMs` without a request. */
export class IdleInTransactionError extends ProxyError {
  override readonly code = 'IDLE_IN_TRANSACTION_TIMEOUT'
  override readonly sqlState = SqlState.idleInTransactionSessionTimeout
  override readonly origin = 'client'
  override readonly clientMessage = 'terminating connection due to idle-in-transaction timeout'

  constructor(idleInTransactionMs: number) {
    super(`the client was idle in a transaction for ${idleInTransactionMs} ms`)
  }
}

/** A query ran past `timeouts.queryMs`, and the server did not give it up when asked to. */
export class QueryTimeoutError extends ProxyError {
  override readonly code = 'QUERY_TIMEOUT'
  override readonly sqlState = SqlState.queryCanceled
  override readonly origin = 'tenant'
  override readonly clientMessage = 'terminating connection due to query timeout'

  constructor(queryMs: number) {
    super(`a query ran for more than ${queryMs} ms and did not end when canceled`)
  }
}

/** The client canceled a request that was still waiting for a server connection. */
export class CanceledError extends ProxyError {
  override readonly code = 'CANCELED_WAITING'
  override readonly sqlState = SqlState.queryCanceled
  override readonly origin = 'client'
  override readonly clientMessage = 'canceling statement due to user request'

  constructor() {
    super('a request was canceled while it waited for a server connection')
  }
}

/** A statement would make session state that can't be carried over, where the tenant may not. */
export class PinRefusedError extends ProxyError {
  override readonly code = 'PIN_REFUSED'
  override readonly sqlState = SqlState.featureNotSupported
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint =
    'Transactions of this tenant share server connections. Use SET LOCAL or state of the transaction, or ask the operator for session mode.'

  /** @param what - The kind of state, or the name of the setting. */
  constructor(what: string) {
    const text = `session state is not kept between transactions here: ${what}`
    super(text)
    this.clientMessage = text
  }
}

/** The proxy is shutting down. */
export class ShutdownError extends ProxyError {
  override readonly code = 'SHUTDOWN'
  override readonly sqlState = SqlState.adminShutdown
  override readonly origin = 'proxy'
  override readonly clientMessage = 'terminating connection because the proxy shuts down'
  override readonly hint = 'Connect again: another proxy will answer.'

  constructor() {
    super('the proxy shuts down')
  }
}

/** An operator ended it: KILL, or KILL_CLIENT. */
export class SessionKilledError extends ProxyError {
  override readonly code = 'SESSION_KILLED'
  override readonly sqlState = SqlState.adminShutdown
  override readonly origin = 'proxy'
  override readonly clientMessage = 'terminating connection due to administrator command'

  constructor() {
    super('an operator ended the session')
  }
}

/** Why the catalog does not let a session go on. */
export type RevocationReason = RefusalReason | 'passwordChanged' | 'replicationNotAllowed'

/** The catalog does not let the login act for the tenant any more: a running session ends. */
export class SessionRevokedError extends ProxyError {
  override readonly code = 'SESSION_REVOKED'
  override readonly sqlState = SqlState.adminShutdown
  override readonly origin = 'tenant'
  override readonly clientMessage = 'terminating connection because its login is no longer valid'
  override readonly hint = 'Connect again with what the operator of the service gives you.'

  /** @param reason - For the log. */
  constructor(reason: RevocationReason) {
    super(`the catalog does not let the session go on: ${reason}`)
  }
}

/** The tenant was suspended while a session of it was open. */
export class SessionSuspendedError extends ProxyError {
  override readonly code = 'SESSION_SUSPENDED'
  override readonly sqlState = SqlState.adminShutdown
  override readonly origin = 'tenant'
  override readonly clientMessage = 'terminating connection because the tenant is suspended'
  override readonly hint = 'Ask the operator of the service to resume the tenant.'

  constructor() {
    super('the tenant was suspended while the session was open')
  }
}

/** The tenant lies elsewhere now, and the session can't follow it there. The client may reconnect. */
export class SessionMovedError extends ProxyError {
  override readonly code = 'SESSION_MOVED'
  override readonly sqlState = SqlState.adminShutdown
  override readonly origin = 'tenant'
  override readonly clientMessage = 'terminating connection because the tenant has moved'
  override readonly hint = 'Connect again.'

  /** @param reason - What keeps the session from following, for the log. */
  constructor(reason: string, options?: ErrorOptions) {
    super(`the tenant has moved, and the session can't follow: ${reason}`, options)
  }
}

/** How a server may refuse a setting, beside finding its value wrong. */
const SETTING_REFUSALS = [
  SqlState.featureNotSupported,
  SqlState.insufficientPrivilege,
  SqlState.undefinedObject,
  SqlState.cantChangeRuntimeParam,
] as const

/** What the server said of a setting. */
export interface SettingRefusal {
  readonly serverSqlState: string | undefined
  readonly serverMessage: string | undefined
  /** All that it said, as the body of an ErrorResponse that ends a login. */
  readonly serverReport?: Buffer | undefined
}

/** One of the client's own settings was refused by the server; told in the server's words. */
export class ClientSettingError extends ProxyError {
  override readonly code = 'CLIENT_SETTING_INVALID'
  override readonly sqlState: SqlState
  override readonly origin = 'client'
  override readonly clientMessage: string
  /** Goes to the client as it is, where there is one. */
  readonly serverReport: Buffer | undefined

  /** @param refusal - Its SQLSTATE is kept if it tells of a setting; else it is a wrong value. */
  constructor(refusal: SettingRefusal, options?: ErrorOptions) {
    const { serverMessage = 'invalid setting' } = refusal
    super(`the server refused a setting of the client: ${serverMessage}`, options)
    const known = SETTING_REFUSALS.find((state) => state === refusal.serverSqlState)
    this.sqlState = known ?? SqlState.invalidParameterValue
    this.clientMessage = serverMessage
    this.serverReport = refusal.serverReport
  }
}

/** Something in the proxy itself went wrong. The log has it; the client learns only that. */
class InternalError extends ProxyError {
  override readonly code = 'INTERNAL_ERROR'
  override readonly sqlState = SqlState.internalError
  override readonly origin = 'proxy'
  override readonly clientMessage = 'internal error of the proxy'

  constructor(cause: unknown) {
    super(`internal error: ${cause instanceof Error ? cause.stack : String(cause)}`, { cause })
  }
}

/** What was thrown, as a failure that can be told: a bug stands behind whatever was not foreseen. */
export function foreseen(thrown: unknown): ProxyError {
  return thrown instanceof ProxyError ? thrown : new InternalError(thrown)
}

/**
 * A function or a trigger changed what keeps the session in its tenant, and the server connection
 * is closed for it, with the session's state on it.
 */
export class PlaceLeftError extends ProxyError {
  override readonly code = 'ISOLATION_VIOLATED'
  override readonly sqlState = SqlState.insufficientPrivilege
  override readonly origin = 'client'
  override readonly clientMessage = "the settings of the tenant were changed by the session's code"
  override readonly hint =
    'Functions may change search_path, the role and the tenant setting for themselves alone: in a SET clause of CREATE FUNCTION.'

  constructor() {
    super('code that a session ran left its tenant')
  }
}
