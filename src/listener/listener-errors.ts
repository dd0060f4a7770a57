import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** The proxy can't listen where it was told to. */
export class ListenError extends ProxyError {
  override readonly code = 'LISTEN_FAILED'
  override readonly sqlState = SqlState.internalError
  override readonly origin = 'proxy'
  override readonly clientMessage = 'internal error of the proxy'

  /** @param place - `host:port`, or the path of a unix socket. */
  constructor(place: string, cause: Error) {
    super(`can't listen on ${place}: ${cause.message}`, { cause })
  }
}
