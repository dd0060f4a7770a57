import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** No server connection came free within `timeouts.waitMs`. The client may try again. */
export class CheckoutTimeoutError extends ProxyError {
  override readonly code = 'CHECKOUT_TIMEOUT'
  override readonly sqlState = SqlState.tooManyConnections
  override readonly origin = 'tenant'
  override readonly clientMessage = 'timed out waiting for a server connection'
  override readonly hint = 'All server connections of the pool are in use. Try again later.'
  readonly waitMs: number

  constructor(waitMs: number) {
    super(`no server connection came free within ${waitMs} ms`)
    this.waitMs = waitMs
  }
}

/** `limits.maxWaiting` sessions wait for the pool already. */
export class WaitQueueFullError extends ProxyError {
  override readonly code = 'WAIT_QUEUE_FULL'
  override readonly sqlState = SqlState.tooManyConnections
  override readonly origin = 'tenant'
  override readonly clientMessage = 'too many sessions wait for a server connection'
  override readonly hint = 'All server connections of the pool are in use. Try again later.'

  constructor(maxWaiting: number) {
    super(`${maxWaiting} sessions wait for the pool already`)
  }
}

/** The pool lends no more: the proxy is draining. */
export class PoolDrainedError extends ProxyError {
  override readonly code = 'POOL_DRAINED'
  override readonly sqlState = SqlState.adminShutdown
  override readonly origin = 'proxy'
  override readonly clientMessage = 'terminating connection because the proxy shuts down'

  constructor() {
    super('the pool lends no more server connections')
  }
}

/** A tenant of level `sealed` is not kept apart by the server itself: nobody is let in. */
export class SealBrokenError extends ProxyError {
  override readonly code = 'SEAL_BROKEN'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'tenant'
  override readonly clientMessage = 'the tenant cannot be served: its isolation is not in place'
  override readonly hint = 'The log of the proxy names the cause.'

  /** @param reason - What the server says against it; for the log alone. */
  constructor(tenantKey: string, reason: string) {
    super(`tenant ${tenantKey} is not sealed: ${reason}`)
  }
}
