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
