import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** The admin port can't be had: it is in use, or the address is not of this machine. */
export class AdminListenError extends ProxyError {
  override readonly code = 'ADMIN_LISTEN_FAILED'
  override readonly sqlState = SqlState.internalError
  override readonly origin = 'proxy'
  override readonly clientMessage = 'internal error of the proxy'

  constructor(host: string, port: number, cause: Error) {
    super(`can't listen for admin requests on ${host}:${port}: ${cause.message}`, { cause })
  }
}

/** `admin.tokenFile` can't be written at the start, or not be read by a command. */
export class AdminTokenFileError extends ProxyError {
  override readonly code = 'ADMIN_TOKEN_FILE_FAILED'
  override readonly sqlState = SqlState.internalError
  override readonly origin = 'proxy'
  override readonly clientMessage = 'internal error of the proxy'

  /** @param options - Its cause says what is wrong with the file. */
  constructor(file: string, options: ErrorOptions) {
    super(`no token in admin.tokenFile ${file}: ${String(options.cause)}`, options)
  }
}

/** The admin port of a running proxy gives no answer, or none that is of use to a command. */
export class AdminRequestError extends ProxyError {
  override readonly code = 'ADMIN_REQUEST_FAILED'
  override readonly sqlState = SqlState.connectionFailure
  override readonly origin = 'proxy'
  override readonly clientMessage = 'internal error of the proxy'

  /** @param what - The port, and what it did. */
  constructor(what: string, options?: ErrorOptions) {
    super(`the admin port ${what}`, options)
  }
}

/** What was given as a connection string is none. Its text, which may hold a password, is not kept. */
export class MalformedConninfoError extends ProxyError {
  override readonly code = 'CONNINFO_MALFORMED'
  override readonly sqlState = SqlState.invalidParameterValue
  override readonly origin = 'client'
  override readonly clientMessage = this.message
  override readonly hint = "Write 'postgresql://user@host/database?options=…' or 'user=… dbname=…'."

  constructor() {
    super('no connection string')
  }
}
