import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** The catalog's source can't answer, and no record is at hand. The client may retry. */
export class CatalogUnavailableError extends ProxyError {
  override readonly code = 'CATALOG_UNAVAILABLE'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'proxy'
  override readonly clientMessage = 'the tenant catalog cannot answer now'
}
