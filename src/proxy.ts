import {
  type AdminServer,
  type AdminSources,
  type Readiness,
  startAdminServer,
} from './admin/admin-server.ts'
import type { Views } from './admin/operations.ts'
import { AuthQueries } from './auth/auth-queries.ts'
import { type Clock, systemClock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import { CancelKeys } from './cancel/cancel-keys.ts'
import type { FileCatalog } from './catalog/file-catalog.ts'
import type { OpenCatalog } from './catalog/layers/open-catalog.ts'
import type { Config } from './config/config.ts'
import {
  loginBackoffOptions,
  poolOptions,
  sessionOptions,
  tokenOptions,
} from './config/room-options.ts'
import { ConnectionGate } from './limits/connection-gate.ts'
import { LoginBackoff } from './limits/login-backoff.ts'
import { Pauses } from './limits/pauses.ts'
import { TenantGate } from './limits/tenant-gate.ts'
import { Listener } from './listener/listener.ts'
import { Pools } from './pool/pools.ts'
import { buildCatalog } from './proxy-catalog.ts'
import { type TenantOperations, tenantOperations, tenantViews } from './proxy-operations.ts'
import { StatementTable } from './relay/statement-table.ts'
import type { CatalogFollower } from './session/follow/catalog-follower.ts'
import { acceptClient } from './session/login/accept-client.ts'
import type { SessionParts } from './session/session-parts.ts'
import { Sessions } from './session/sessions.ts'
import type { LeveledLogger } from './telemetry/logger.ts'
import { Metrics } from './telemetry/metrics.ts'
import { TenantTokenSigner } from './tenancy/tenant-token.ts'

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
  readonly operations: TenantOperations
  readonly views: Views
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
  const house = await buildHouse(config, logger, clock)
  const { listener, sessions, pools, metrics } = house
  const readiness = () => readinessOf(house)
  const { admin, port } = await openPorts(house, config, { metrics, readiness, logger })
  const sweep = setInterval(() => pools.closeExpired(), SWEEP_MS)
  sweep.unref()
  const close = async () => {
    listener.stop()
    house.follower.stop()
    sessions.kill()
    pools.drain()
    house.authQueries.close()
    house.opened?.close()
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
    operations: tenantOperations(house),
    views: tenantViews(house),
  }
}

/** The rooms that have state, joined. */
interface House {
  readonly listener: Listener
  readonly pauses: Pauses
  readonly sessions: Sessions
  readonly follower: CatalogFollower
  readonly pools: Pools
  readonly authQueries: AuthQueries
  /** The catalog behind the file; `undefined` when the file is all of it. */
  readonly opened: OpenCatalog | undefined
  readonly metrics: Metrics
  reload(config: Config): void
  drainMs(): number
}

/** Builds the rooms in the order in which a session goes through them. */
async function buildHouse(config: Config, logger: LeveledLogger, clock: Clock): Promise<House> {
  let current = config
  let options = sessionOptions(config)
  const metrics = new Metrics()
  const gates = openGates(config)
  const sessions = new Sessions()
  const pauses = new Pauses()
  const pools = buildPools({ metrics, logger, clock }, () => current)
  const authQueries = new AuthQueries(clock)
  const catalog = await buildCatalog(config, { metrics, sessions, pools, logger, clock })
  const { follower } = catalog
  const parts: SessionParts = {
    options: () => options,
    catalog: catalog.whole,
    authQueries,
    pools,
    statementTable: new StatementTable(),
    cancelKeys: new CancelKeys(),
    loginBackoff: new LoginBackoff(clock, loginBackoffOptions(config)),
    tenantGate: new TenantGate(),
    pauses,
    replicationGate: new TenantGate(),
    sessions,
    follower,
    observer: metrics.sessionObserver,
    logger,
    clock,
  }
  watch(metrics, { pools, sessions, gate: gates.gate, file: catalog.file })
  const reload = (next: Config) => {
    // First what may fail: the old configuration stays whole then.
    options = sessionOptions(next)
    current = next
    authQueries.renew()
    logger.setLevel(next.log.level)
    gates.gate.setMax(next.limits.maxClients)
    gates.cancelGate.setMax(next.limits.maxCancels)
    logger.info('configuration reloaded', catalog.reload(next))
  }
  const listener = new Listener(gates, (socket, entrance) => acceptClient(socket, entrance, parts))
  const drainMs = () => current.timeouts.drainMs
  const { opened } = catalog
  const rooms = { listener, pauses, sessions, follower, pools, authQueries, opened, metrics }
  return { ...rooms, reload, drainMs }
}

function openGates({ limits }: Config) {
  return {
    gate: new ConnectionGate(limits.maxClients),
    cancelGate: new ConnectionGate(limits.maxCancels),
  }
}

interface PoolSurroundings {
  readonly metrics: Metrics
  readonly logger: Logger
  readonly clock: Clock
}

/** Whoever leaves its place is counted, and told to the operator, who has to find the cause. */
function buildPools({ metrics, logger, clock }: PoolSurroundings, config: () => Config): Pools {
  const { poolObserver } = metrics
  return new Pools({
    options: () => poolOptions(config()),
    observer: {
      ...poolObserver,
      violated(tenant, kind) {
        poolObserver.violated(tenant, kind)
        logger.error('tenant left its place', { tenant, kind, code: 'ISOLATION_VIOLATED' })
      },
    },
    signer: currentSigner(config),
    clock,
  })
}

/** Signs with the key of the configuration that is in force. */
function currentSigner(config: () => Config): () => TenantTokenSigner | undefined {
  let known = config()
  let signer = tokenSigner(known)
  return () => {
    const now = config()
    if (now !== known) signer = tokenSigner(now)
    known = now
    return signer
  }
}

function tokenSigner(config: Config): TenantTokenSigner | undefined {
  const options = tokenOptions(config)
  return options && new TenantTokenSigner(options.key, options.lifetimeMs)
}

/** What the metrics read at each scrape. */
interface Watched {
  readonly pools: Pools
  readonly sessions: Sessions
  readonly gate: ConnectionGate
  readonly file: FileCatalog
}

function watch(metrics: Metrics, { pools, sessions, gate, file }: Watched): void {
  metrics.watch({
    pools: () => pools.all(),
    budgets: () => pools.budgets(),
    sessionCount: () => sessions.count,
    clientCount: () => gate.count,
    isDraining: () => sessions.isDraining,
    catalogTenants: () => file.tenants().length,
  })
}

/** Opens the port for operators, then the one for clients: both or none. */
async function openPorts(
  house: House,
  config: Config,
  sources: AdminSources,
): Promise<{ readonly admin: AdminServer; readonly port: number }> {
  try {
    const admin = await startAdminServer({ ...config.admin, ...sources })
    try {
      return { admin, port: await house.listener.listen(config.listen) }
    } catch (error) {
      await admin.close()
      throw error
    }
  } catch (error) {
    house.follower.stop()
    house.opened?.close()
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

/** A proxy that has never heard of its catalog is of no use yet; one that loses it still is. */
function readinessOf({ sessions, opened }: House): Readiness {
  const draining = sessions.isDraining
  const details = { draining, sessions: sessions.count }
  if (opened === undefined) return { isReady: !draining, details }
  const { hasAnswered, isSourceUp, isRedisUp, breakers } = opened.health()
  return {
    isReady: !draining && hasAnswered,
    details: {
      ...details,
      catalog: hasAnswered ? 'answered' : 'never answered',
      catalogPostgres: isSourceUp ? 'up' : 'down',
      catalogPostgresBreaker: breakers.postgres,
      ...(isRedisUp === undefined
        ? {}
        : { catalogRedis: isRedisUp ? 'up' : 'down', catalogRedisBreaker: breakers.redis }),
    },
  }
}
