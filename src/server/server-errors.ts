import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** Where a server listens; named in log messages, never to a client. */
export interface ServerAddress {
  /** Host name or address; a leading `/` means the directory of a unix socket. */
  readonly host: string
  readonly port: number
}

/** No connection came about: refused, timed out, given up, or closed before it was ready. */
export class ServerUnreachableError extends ProxyError {
  override readonly code = 'SERVER_UNREACHABLE'
  override readonly sqlState = SqlState.sqlClientUnableToEstablishConnection
  override readonly origin = 'server'
  override readonly clientMessage = 'the database server can not be reached'

  constructor(address: ServerAddress, failure: { readonly reason: string } & ErrorOptions) {
    super(`can't reach server ${address.host}:${address.port}: ${failure.reason}`, failure)
  }
}

/** What is known of a login that failed. */
export interface LoginFailure {
  readonly reason: string
  /** From the server's ErrorResponse, when it sent one. */
  readonly serverSqlState?: string | undefined
  readonly serverMessage?: string | undefined
  /** The body of that ErrorResponse. */
  readonly serverReport?: Buffer | undefined
  readonly isPermanent: boolean
  readonly cause?: unknown
}

/** Invalid values (class 22), unknown settings, settings that may not be set. */
const SETTING_STATES = /^(?:22...|42704|42501|42602|0A000|55P02)$/

/** The server was reached, but would not or could not open a session for the pool's login. */
export class ServerLoginError extends ProxyError {
  override readonly code = 'SERVER_LOGIN_FAILED'
  override readonly sqlState = SqlState.sqlClientUnableToEstablishConnection
  override readonly origin = 'server'
  override readonly clientMessage = 'the database server refused the login of the pool'
  /** The server's own SQLSTATE, such as `28P01`; `undefined` when it gave none. */
  readonly serverSqlState: string | undefined
  /** The server's own words: for the log alone, as they name databases and users. */
  readonly serverMessage: string | undefined
  /** All that it said, as the body of an ErrorResponse. */
  readonly serverReport: Buffer | undefined
  /** True when trying again is useless until somebody changes the server or the catalog. */
  readonly isPermanent: boolean

  /** The server refused a setting of the startup packet, not the login. */
  get isAboutSettings(): boolean {
    return SETTING_STATES.test(this.serverSqlState ?? '')
  }

  constructor(address: ServerAddress, failure: LoginFailure) {
    const options = failure.cause === undefined ? undefined : { cause: failure.cause }
    super(`can't log in to server ${address.host}:${address.port}: ${failure.reason}`, options)
    this.serverSqlState = failure.serverSqlState
    this.serverMessage = failure.serverMessage
    this.serverReport = failure.serverReport
    this.isPermanent = failure.isPermanent
  }
}

/** A server connection ended while a client was using it. */
export class ServerLostError extends ProxyError {
  override readonly code = 'SERVER_LOST'
  override readonly sqlState = SqlState.connectionFailure
  override readonly origin = 'server'
  override readonly clientMessage = 'the server connection was lost'
  /**
   * False when nothing may be added to what the client has: half a message, or the server's own
   * last word.
   */
  readonly isReportable: boolean

  constructor(address: ServerAddress, reason: string, options?: LostOptions) {
    super(`lost the connection to server ${address.host}:${address.port}: ${reason}`, options)
    this.isReportable = options?.isReportable ?? true
  }
}

/** What is known of a lost connection. */
export interface LostOptions extends ErrorOptions {
  readonly isReportable?: boolean
}

/**
 * A server connection could not be linked to a tenant. No byte of the client ran on it, and it is
 * closed.
 */
export class LinkFailedError extends ProxyError {
  override readonly code = 'LINK_FAILED'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'tenant'
  override readonly clientMessage = 'the tenant cannot be served: its link to the database failed'
  override readonly hint = 'The log of the proxy names the cause.'
  /** The server's own SQLSTATE, such as `22023`. */
  readonly serverSqlState: string
  readonly serverMessage: string

  constructor(tenantKey: string, fields: ReadonlyMap<string, string>) {
    const serverSqlState = fields.get('C') ?? ''
    const serverMessage = fields.get('M') ?? 'the server did not end the link at rest'
    super(`can't link to tenant ${tenantKey}: ${serverMessage} (SQLSTATE ${serverSqlState})`)
    this.serverSqlState = serverSqlState
    this.serverMessage = serverMessage
  }
}
