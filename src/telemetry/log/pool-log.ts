import type { LogFields, Logger } from '../../base/logger.ts'
import { ProxyError } from '../../base/proxy-error.ts'
import type { PoolObserver } from '../../pool/pool-observer.ts'
import { ServerLoginError } from '../../server/server-errors.ts'

/** Most pools whose outage is remembered; beyond it, some are told of again. */
const MAX_OUTAGES = 1000

/**
 * Tells the log of what an observer of pools hears: of each outage once, however often a server
 * connection is tried, and of every tenant that has left its place.
 */
export function logPools(observer: PoolObserver, logger: Logger): PoolObserver {
  /** What each pool failed with that has no connection since. */
  const outages = new Map<string, string>()
  return {
    ...observer,
    serverOpened(pool, openMs) {
      observer.serverOpened(pool, openMs)
      if (outages.delete(pool)) logger.info('server reached again', { pool })
      logger.debug('server connection opened', { pool, openMs: Math.round(openMs) })
    },
    serverFailed(pool, error) {
      observer.serverFailed(pool, error)
      // One client's own setting, which is told to that client.
      if (error instanceof ServerLoginError && error.isAboutSettings) return
      const failure = failureOf(error)
      const key = String(failure['code'])
      if (outages.get(pool) === key) return
      if (outages.size >= MAX_OUTAGES) outages.clear()
      outages.set(pool, key)
      logger.warn('server connection failed', { pool, ...failure })
    },
    serverClosed(pool, reason) {
      observer.serverClosed(pool, reason)
      logger.debug('server connection closed', { pool, reason })
    },
    violated(tenant, kind) {
      observer.violated(tenant, kind)
      logger.error('tenant left its place', { tenant, kind, code: 'ISOLATION_VIOLATED' })
    },
  }
}

function failureOf(error: Error): LogFields {
  return { code: error instanceof ProxyError ? error.code : undefined, detail: error.message }
}
