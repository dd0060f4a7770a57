import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** No layer of the catalog can say what a name leads to. The client may retry. */
export class CatalogUnavailableError extends ProxyError {
  override readonly code = 'CATALOG_UNAVAILABLE'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'proxy'
  override readonly clientMessage = 'the tenant catalog is not available'
  override readonly hint = 'Try again in a moment.'
}

/** One layer of the catalog gave no answer in its time, or none that makes sense. */
export class LayerFailedError extends ProxyError {
  override readonly code = 'CATALOG_LAYER_FAILED'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'proxy'
  override readonly clientMessage = 'the tenant catalog is not available'
  override readonly hint = 'Try again in a moment.'
  readonly layer: 'redis' | 'postgres'

  /** @param reason - For the log; the layer's own words. */
  constructor(layer: 'redis' | 'postgres', reason: string, options?: ErrorOptions) {
    super(`${layer} does not answer for the catalog: ${reason}`, options)
    this.layer = layer
  }
}

/** A record, or a secret in it, is of no use to this proxy. New sessions of it are refused. */
export class RecordRefusedError extends ProxyError {
  override readonly code = 'CATALOG_RECORD_REFUSED'
  override readonly sqlState = SqlState.invalidPassword
  override readonly origin = 'tenant'
  override readonly clientMessage = 'authentication failed'

  /** @param reason - Names the record and what is wrong with it, without secrets. */
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
  }
}
