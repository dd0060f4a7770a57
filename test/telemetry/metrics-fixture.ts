import { AuthenticationFailedError } from '../../src/auth/auth-errors.ts'
import { RecordRefusedError } from '../../src/catalog/catalog-errors.ts'
import type { PoolCounts } from '../../src/pool/pool-parts.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import type { ProxyState, WatchedPool } from '../../src/telemetry/proxy-state.ts'
import { readMetrics } from './metrics-text.ts'

const NO_COUNTS: PoolCounts = {
  size: 0,
  idle: 0,
  leased: 0,
  canceling: 0,
  resetting: 0,
  connecting: 0,
  waiting: 0,
  oldestWaitMs: 0,
  oldestLeaseMs: 0,
}

/** A pool in which nothing happens but what is said. */
export function quietPool(name: string, counts: Partial<PoolCounts> = {}): WatchedPool {
  return { name, counts: () => ({ ...NO_COUNTS, ...counts }) }
}

/** A proxy in which nothing happens but what is said. */
export function quietState(parts: Partial<ProxyState> = {}): ProxyState {
  return {
    pools: () => [],
    budgets: () => [],
    sessionCount: () => 0,
    sessionsOf: () => 0,
    tenantCount: () => 0,
    pausedTenants: () => 0,
    waitingTenants: () => [],
    clientCount: () => 0,
    maxClients: () => 0,
    isDraining: () => false,
    catalogTenants: () => 0,
    ...parts,
  }
}

/** What a scrape shows. */
export async function samplesOf(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  return readMetrics(await metrics.text()).samples
}

/** A page on which every metric of ours has a sample, so that its labels can be seen. */
export async function fullText(): Promise<string> {
  const metrics = new Metrics()
  metrics.watch(
    quietState({
      pools: () => [quietPool('a')],
      budgets: () => [{ server: 'db:5432', used: 1, max: 2, denied: 0 }],
    }),
  )
  metrics.watchCatalog(() => ({
    isRedisUp: true,
    isSourceUp: true,
    breakers: { redis: 'closed', postgres: 'closed' },
    entries: 1,
    bytes: 1,
  }))
  const { poolObserver, sessionObserver, catalogObserver } = metrics
  const error = new AuthenticationFailedError('app', 'wrongPassword')
  sessionObserver.refused(error)
  sessionObserver.turnedAway('acme', error)
  sessionObserver.tenant('acme').errorReported('40001', 'server')
  poolObserver.serverOpened('a', 1)
  poolObserver.serverFailed('a', error)
  poolObserver.serverClosed('a', 'idle')
  poolObserver.checkedOut('a', 1)
  poolObserver.checkoutRefused('a', error)
  poolObserver.violated('acme', 'role')
  catalogObserver.lookedUp('redis', 'hit', 1)
  catalogObserver.recordRefused(new RecordRefusedError('tenant acme: no such key'))
  return await metrics.text()
}
