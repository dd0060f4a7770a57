import type { Details } from './admin/admin-response.ts'
import type { AdminSources, Readiness } from './admin/admin-routes.ts'
import { type AdminServer, startAdminServer } from './admin/admin-server.ts'
import { openToken } from './admin/admin-token.ts'
import type { OpenCatalog } from './catalog/layers/open-catalog.ts'
import type { Config } from './config/config.ts'
import type { Gates } from './listener/listener.ts'
import type { PoolCounts } from './pool/pool-parts.ts'
import type { Pools } from './pool/pools.ts'
import type { Drain } from './proxy-drain.ts'
import type { Sessions } from './session/sessions.ts'
import type { LeveledLogger } from './telemetry/log/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { packageVersion } from './telemetry/package-version.ts'

/** What the admin port tells about. */
export interface AdminSubjects {
  readonly metrics: Metrics
  readonly sessions: Sessions
  readonly pools: Pools
  readonly gates: Gates
  /** The catalog behind the file, where there is one. */
  readonly opened: OpenCatalog | undefined
  readonly drain: Drain
  readonly logger: LeveledLogger
  /** Clients can connect. */
  isListening(): boolean
}

/**
 * Opens the port for operators, and writes the token that it takes where one is to be made.
 *
 * @throws AdminListenError, AdminTokenFileError - neither is left behind then.
 */
export async function openAdmin(
  { admin }: Pick<Config, 'admin'>,
  subjects: AdminSubjects,
): Promise<AdminServer> {
  const { host, port } = admin
  // Nobody knows a token that is made before it is in its file.
  let token: string | undefined
  const sources = { ...sourcesOf(subjects), token: () => token }
  const server = await startAdminServer({ host, port, ...sources })
  try {
    const opened = openToken(admin)
    token = opened.value
    const close = () => {
      opened.remove()
      return server.close()
    }
    return { ...server, close }
  } catch (error) {
    await server.close()
    throw error
  }
}

function sourcesOf(subjects: AdminSubjects): Omit<AdminSources, 'token'> {
  const { metrics, logger, drain, sessions } = subjects
  return {
    metrics,
    logger,
    tenantLevels: logger.tenantLevels,
    startup: () => startupOf(subjects),
    readiness: () => readinessOf(subjects),
    status: () => statusOf(subjects),
    drain: () => drain.begin('POST /drain'),
    drainProgress: () => ({
      isOver: drain.state === 'drained',
      details: { state: drain.state, outcome: drain.outcome, sessions: sessions.count },
    }),
  }
}

/** A proxy that has never heard of its catalog is of no use yet; one that loses it still is. */
function startupOf({ isListening, opened }: AdminSubjects): Readiness {
  const hasAnswered = opened?.health().hasAnswered ?? true
  return {
    isReady: isListening() && hasAnswered,
    details: { listening: isListening(), ...catalogDetails(opened) },
  }
}

function readinessOf(subjects: AdminSubjects): Readiness {
  const { drain, sessions, opened } = subjects
  const draining = drain.state !== 'serving'
  return {
    isReady: startupOf(subjects).isReady && !draining,
    details: { draining, sessions: sessions.count, ...catalogDetails(opened) },
  }
}

function statusOf(subjects: AdminSubjects): Details {
  const { drain, sessions, gates, pools, opened } = subjects
  return {
    version: packageVersion(),
    uptimeSeconds: Math.floor(process.uptime()),
    state: drain.state,
    outcome: drain.outcome,
    ready: readinessOf(subjects).isReady,
    clients: gates.gate.count,
    sessions: sessions.count,
    pools: { count: pools.count, ...sumOf([...pools.all()].map((pool) => pool.counts())) },
    catalog:
      opened === undefined ? { kind: 'file' } : { kind: 'postgres', ...catalogDetails(opened) },
  }
}

function sumOf(counts: readonly PoolCounts[]): Details {
  const sum = (name: keyof PoolCounts) => counts.reduce((total, one) => total + one[name], 0)
  return {
    idle: sum('idle'),
    leased: sum('leased'),
    canceling: sum('canceling'),
    resetting: sum('resetting'),
    connecting: sum('connecting'),
    waiting: sum('waiting'),
  }
}

function catalogDetails(opened: OpenCatalog | undefined): Details {
  if (opened === undefined) return {}
  const { hasAnswered, isSourceUp, isRedisUp, breakers } = opened.health()
  return {
    catalog: hasAnswered ? 'answered' : 'never answered',
    catalogPostgres: isSourceUp ? 'up' : 'down',
    catalogPostgresBreaker: breakers.postgres,
    ...(isRedisUp === undefined
      ? {}
      : { catalogRedis: isRedisUp ? 'up' : 'down', catalogRedisBreaker: breakers.redis }),
  }
}
