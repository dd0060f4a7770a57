import type { AdminServer } from './admin/admin-server.ts'
import type { Console } from './admin/console/console.ts'
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
import { type Gates, Listener } from './listener/listener.ts'
import { Pools } from './pool/pools.ts'
import { openAdmin } from './proxy-admin.ts'
import { buildCatalog } from './proxy-catalog.ts'
import { buildConsole, type ProcessOperations } from './proxy-console.ts'
import { Drain, type DrainOutcome } from './proxy-drain.ts'
import { type TenantOperations, tenantOperations, tenantViews } from './proxy-operations.ts'
import { StatementTable } from './relay/statement-table.ts'
import type { CatalogFollower } from './session/follow/catalog-follower.ts'
import { acceptClient } from './session/login/accept-client.ts'
import type { SessionParts } from './session/session-parts.ts'
import { Sessions } from './session/sessions.ts'
import type { LeveledLogger } from './telemetry/log/logger.ts'
import { logPools } from './telemetry/log/pool-log.ts'
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
  /** A new configuration was of no use, and is counted as refused. */
  configRefused(): void
  /**
   * Ends it: after its transactions, when the last client has left by itself, or at once. A drain
   * that is under way goes on.
   *
   * @param cause - Who asks for it, for the log.
   */
  shutdown(mode: 'drain' | 'clients' | 'now', cause: string): void
  /** Resolves when all is over after `shutdown`. */
  readonly ended: Promise<DrainOutcome>
  /** `shutdown`, after its transactions; resolves to whether all of them could finish. */
  drain(): Promise<boolean>
  /** Ends everything at once. */
  kill(): void
  readonly operations: TenantOperations
  readonly views: Views
}

/** What stands around a proxy. */
export interface ProxyHost {
  /** @defaultValue the clock of the machine */
  readonly clock?: Clock
  /**
   * Reads the configuration anew, for an operator who asks for that.
   *
   * @throws ConfigError - it can't be used.
   * @defaultValue the one that it was started with
   */
  readonly readConfig?: () => Config
}

/**
 * Starts a proxy.
 *
 * @throws ListenError, AdminListenError - when an address can't be had.
 */
export async function startProxy(
  config: Config,
  logger: LeveledLogger,
  { clock = systemClock, readConfig = () => config }: ProxyHost = {},
): Promise<RunningProxy> {
  const operations: ProcessOperations = {
    reload: () => house.reload(readCounted(readConfig, house.metrics)),
    shutdown: (mode, cause) => shutdown(mode, cause),
    get isDraining() {
      return drain.state !== 'serving'
    },
  }
  const house = await buildHouse(config, { logger, clock, operations })
  const { pools, console } = house
  const drain = drainOf(house, logger, clock)
  watch(house, drain)
  const { admin, port } = await openPorts({ ...house, drain, logger }, config)
  const sweep = setInterval(() => pools.closeExpired(), SWEEP_MS)
  sweep.unref()
  let resolveEnded: (outcome: DrainOutcome) => void = () => {}
  const ended = new Promise<DrainOutcome>((resolve) => {
    resolveEnded = resolve
  })
  const end = async (outcome: DrainOutcome) => {
    clearInterval(sweep)
    console.close()
    const closed = admin.close()
    // Whoever waits for the drain gets an answer first.
    if (outcome !== 'killed') await closed
    resolveEnded(outcome)
  }
  const shutdown: RunningProxy['shutdown'] = (mode, cause) => {
    if (mode === 'now') void drain.cut().then(end)
    else if (mode === 'clients') void drain.empty(cause).then(end)
    else void drain.begin(cause).then(end)
  }
  return {
    port,
    adminPort: admin.port,
    reload: (next) => house.reload(next),
    configRefused: () => house.metrics.reloaded('refused'),
    shutdown,
    ended,
    async drain() {
      shutdown('drain', 'drain')
      return (await ended) === 'complete'
    },
    kill: () => shutdown('now', 'kill'),
    operations: tenantOperations(house),
    views: tenantViews(house),
  }
}

/** A configuration that is of no use is counted. */
function readCounted(readConfig: () => Config, metrics: Metrics): Config {
  try {
    return readConfig()
  } catch (error) {
    metrics.reloaded('refused')
    throw error
  }
}

/** The rooms that have state, joined. */
interface House {
  readonly console: Console
  readonly listener: Listener
  readonly gates: Gates
  readonly pauses: Pauses
  readonly sessions: Sessions
  readonly pools: Pools
  readonly authQueries: AuthQueries
  readonly follower: CatalogFollower
  readonly file: FileCatalog
  /** The catalog behind the file; `undefined` when the file is all of it. */
  readonly opened: OpenCatalog | undefined
  readonly metrics: Metrics
  reload(config: Config): void
  timeouts(): Config['timeouts']
}

/** What stands around the rooms. */
interface Surroundings {
  readonly logger: LeveledLogger
  readonly clock: Clock
  readonly operations: ProcessOperations
}

/** Builds the rooms in the order in which a session goes through them. */
async function buildHouse(config: Config, surroundings: Surroundings): Promise<House> {
  const { logger, clock, operations } = surroundings
  let current = config
  let options = sessionOptions(config)
  const metrics = new Metrics({ clock, tenants: () => current.metrics })
  const gates = openGates(config)
  const rooms = {
    sessions: new Sessions(),
    pauses: new Pauses(),
    pools: buildPools({ metrics, logger, clock }, () => current),
    authQueries: new AuthQueries(clock),
  }
  const catalog = await buildCatalog(config, { ...rooms, metrics, logger, clock })
  const { whole, follower, file, opened } = catalog
  const subjects = { ...rooms, metrics, file, opened, gates, operations, config: () => current }
  const console = buildConsole({ ...subjects, logger, clock })
  const parts: SessionParts = {
    ...rooms,
    ...sharedBySessions(config, clock),
    options: () => options,
    catalog: whole,
    follower,
    console,
    observer: metrics.sessionObserver,
    logger,
    clock,
  }
  const reload = (next: Config) => {
    // First what may fail: the old configuration stays whole then.
    options = sessionOptions(next)
    current = next
    rooms.authQueries.renew()
    logger.setLevel(next.log.level)
    gates.gate.setMax(next.limits.maxClients)
    gates.cancelGate.setMax(next.limits.maxCancels)
    logger.info('configuration reloaded', catalog.reload(next))
    metrics.reloaded('done')
  }
  const listener = new Listener(gates, (socket, entrance) => acceptClient(socket, entrance, parts))
  const timeouts = () => current.timeouts
  return { ...rooms, metrics, gates, listener, follower, file, opened, console, reload, timeouts }
}

function sharedBySessions(config: Config, clock: Clock) {
  return {
    statementTable: new StatementTable(),
    cancelKeys: new CancelKeys(),
    loginBackoff: new LoginBackoff(clock, loginBackoffOptions(config)),
    tenantGate: new TenantGate(),
    replicationGate: new TenantGate(),
  }
}

function openGates({ limits }: Config): Gates {
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

function buildPools({ metrics, logger, clock }: PoolSurroundings, config: () => Config): Pools {
  return new Pools({
    options: () => poolOptions(config()),
    observer: logPools(metrics.poolObserver, logger),
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

function drainOf(house: House, logger: Logger, clock: Clock): Drain {
  const { listener, sessions, metrics, timeouts: options } = house
  return new Drain({
    listener,
    sessions,
    clock,
    logger,
    options,
    counted: (outcome) => metrics.drained(outcome),
    release: () => release(house),
  })
}

/** Lets go of all that is open for sessions. */
function release({ follower, pools, authQueries, opened }: House): void {
  follower.stop()
  pools.drain()
  authQueries.close()
  opened?.close()
}

/** Names what the metrics read at each scrape. */
function watch({ metrics, pools, sessions, pauses, gates, file }: House, drain: Drain): void {
  metrics.watch({
    pools: () => pools.all(),
    budgets: () => pools.budgets(),
    sessionCount: () => sessions.count,
    sessionsOf: (tenant) => sessions.pairs.countOf(tenant),
    tenantCount: () => sessions.pairs.tenantCount,
    waitingTenants: () => [...pools.waitingTenants(), ...pauses.waitingTenants()],
    pausedTenants: () =>
      pauses.isAll ? Math.max(1, sessions.pairs.tenantCount) : pauses.tenants.length,
    clientCount: () => gates.gate.count,
    maxClients: () => gates.gate.max,
    isDraining: () => drain.state !== 'serving',
    catalogTenants: () => file.tenants().length,
  })
}

/** Opens the port for operators, then the one for clients: both or none. */
async function openPorts(
  house: House & { readonly drain: Drain; readonly logger: LeveledLogger },
  config: Config,
): Promise<{ readonly admin: AdminServer; readonly port: number }> {
  let isListening = false
  try {
    const admin = await openAdmin(config, { ...house, isListening: () => isListening })
    try {
      const port = await house.listener.listen(config.listen)
      isListening = true
      return { admin, port }
    } catch (error) {
      await admin.close()
      throw error
    }
  } catch (error) {
    house.console.close()
    release(house)
    throw error
  }
}
