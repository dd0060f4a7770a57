import { type AdminServer, type Readiness, startAdminServer } from './admin/admin-server.ts'
import { AuthQueries } from './auth/auth-queries.ts'
import { type Clock, systemClock } from './base/clock.ts'
import { CancelKeys } from './cancel/cancel-keys.ts'
import { type CatalogChange, FileCatalog } from './catalog/file-catalog.ts'
import type { Config } from './config/config.ts'
import { ConnectionGate } from './limits/connection-gate.ts'
import { LoginBackoff } from './limits/login-backoff.ts'
import { TenantGate } from './limits/tenant-gate.ts'
import { Listener } from './listener/listener.ts'
import { Pools, type PoolsParts } from './pool/pools.ts'
import { StatementTable } from './relay/statement-table.ts'
import { acceptClient } from './session/login/accept-client.ts'
import { ClientTls } from './session/login/client-tls.ts'
import type { SessionOptions, SessionParts } from './session/session-parts.ts'
import { Sessions } from './session/sessions.ts'
import type { LeveledLogger } from './telemetry/logger.ts'
import { Metrics } from './telemetry/metrics.ts'

/** How often idle and old server connections are looked for, in ms. */
const SWEEP_MS = 1000

/** A proxy that serves. */
export interface RunningProxy {
  readonly port: number
  readonly adminPort: number
  /** Puts a new configuration in force without ending a session. */
  reload(config: Config): void
  /** Lets transactions finish, for at most `timeouts.drainMs`; resolves to whether all did. */
  drain(): Promise<boolean>
  /** Ends everything at once. */
  kill(): void
}

/**
 * Starts a proxy.
 *
 * @throws ListenError, AdminListenError - when an address can't be had.
 */
export async function startProxy(
  config: Config,
  logger: LeveledLogger,
  clock: Clock = systemClock,
): Promise<RunningProxy> {
  const house = buildHouse(config, logger, clock)
  const { listener, sessions, pools, metrics, authQueries } = house
  const admin = await startAdminServer({
    ...config.admin,
    metrics,
    readiness: () => readiness(sessions),
    logger,
  })
  const port = await listen(listener, config, admin)
  const sweep = setInterval(() => pools.closeExpired(), SWEEP_MS)
  sweep.unref()
  const close = async () => {
    listener.stop()
    sessions.kill()
    pools.drain()
    authQueries.close()
    clearInterval(sweep)
    await admin.close()
  }
  return {
    port,
    adminPort: admin.port,
    reload: (next) => house.reload(next),
    async drain() {
      listener.stop()
      const isFinished = await within(sessions.drain(), house.drainMs(), clock)
      await close()
      return isFinished
    },
    kill: () => void close(),
  }
}

/** The rooms that have state, joined. */
interface House {
  readonly listener: Listener
  readonly sessions: Sessions
  readonly pools: Pools
  readonly authQueries: AuthQueries
  readonly metrics: Metrics
  reload(config: Config): void
  drainMs(): number
}

/** Builds the rooms in the order in which a session goes through them. */
function buildHouse(config: Config, logger: LeveledLogger, clock: Clock): House {
  let current = config
  let options = sessionOptions(config)
  const metrics = new Metrics()
  const gate = new ConnectionGate(config.limits.maxClients)
  const cancelGate = new ConnectionGate(config.limits.maxCancels)
  const sessions = new Sessions()
  const catalog = new FileCatalog(config.catalog)
  const authQueries = new AuthQueries(clock)
  const pools = new Pools({
    options: () => poolOptions(current),
    observer: metrics.poolObserver,
    clock,
  })
  const parts: SessionParts = {
    options: () => options,
    catalog,
    authQueries,
    pools,
    statementTable: new StatementTable(),
    cancelKeys: new CancelKeys(),
    loginBackoff: new LoginBackoff(clock, loginBackoffOptions(config)),
    tenantGate: new TenantGate(),
    replicationGate: new TenantGate(),
    sessions,
    observer: metrics.sessionObserver,
    logger,
    clock,
  }
  watch(metrics, { pools, sessions, gate, catalog })
  const reload = (next: Config) => {
    // First what may fail: the old configuration stays whole then.
    options = sessionOptions(next)
    current = next
    const change = catalog.replace(next.catalog)
    authQueries.renew()
    gate.setMax(next.limits.maxClients)
    cancelGate.setMax(next.limits.maxCancels)
    logger.setLevel(next.log.level)
    logger.info('configuration reloaded', sizesOf(change))
  }
  const gates = { gate, cancelGate }
  const listener = new Listener(gates, (socket, entrance) => acceptClient(socket, entrance, parts))
  const drainMs = () => current.timeouts.drainMs
  return { listener, sessions, pools, authQueries, metrics, reload, drainMs }
}

function sizesOf({ added, changed, removed }: CatalogChange): Record<string, number> {
  return { added: added.length, changed: changed.length, removed: removed.length }
}

/** What the metrics read at each scrape. */
interface Watched {
  readonly pools: Pools
  readonly sessions: Sessions
  readonly gate: ConnectionGate
  readonly catalog: FileCatalog
}

function watch(metrics: Metrics, { pools, sessions, gate, catalog }: Watched): void {
  metrics.watch({
    pools: () => pools.all(),
    sessionCount: () => sessions.count,
    clientCount: () => gate.count,
    isDraining: () => sessions.isDraining,
    catalogTenants: () => catalog.tenants().length,
  })
}

async function listen(listener: Listener, config: Config, admin: AdminServer): Promise<number> {
  try {
    return await listener.listen(config.listen)
  } catch (error) {
    await admin.close()
    throw error
  }
}

/** Whether `work` is done before the time is over. */
function within(work: Promise<void>, limitMs: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(limitMs, () => resolve(false))
    void work.then(() => {
      timer.cancel()
      resolve(true)
    })
  })
}

function readiness(sessions: Sessions): Readiness {
  return {
    isReady: !sessions.isDraining,
    details: { draining: sessions.isDraining, sessions: sessions.count },
  }
}

function poolOptions({ pool, limits }: Config): ReturnType<PoolsParts['options']> {
  return { ...pool, maxWaiting: limits.maxWaiting }
}

function loginBackoffOptions({ limits }: Config): ConstructorParameters<typeof LoginBackoff>[1] {
  return { freeFailures: limits.loginFailures, maxDelayMs: limits.loginBackoffMaxMs }
}

function sessionOptions(config: Config): SessionOptions {
  const { tenancy, auth, pool, limits, timeouts, clientTls } = config
  return {
    tag: { ...tenancy.tag, defaultTenant: tenancy.default },
    tls: clientTls && new ClientTls(clientTls),
    auth,
    statements: limits,
    maxCarriedBytes: limits.maxCarriedBytes,
    startupMs: timeouts.startupMs,
    connectMs: pool.connectTimeoutMs,
    cancelMs: timeouts.cancelMs,
    requestBytes: limits.requestBytes,
  }
}
