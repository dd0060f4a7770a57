import type { Clock } from './base/clock.ts'
import type { Catalog } from './catalog/catalog.ts'
import type { CatalogChange } from './catalog/change.ts'
import { FileCatalog, type FileChange } from './catalog/file-catalog.ts'
import { type CatalogParts, type OpenCatalog, openCatalog } from './catalog/layers/open-catalog.ts'
import type { Config } from './config/config.ts'
import { catalogOptions } from './config/room-options.ts'
import type { Pools } from './pool/pools.ts'
import { openSocket } from './server/open/open-socket.ts'
import { ProbeQueue } from './server/open/probe-queue.ts'
import { CatalogFollower } from './session/follow/catalog-follower.ts'
import type { Sessions } from './session/sessions.ts'
import type { LeveledLogger } from './telemetry/log/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'

/** Logins that find out whether a template's tenant is there. */
const PROBES = { maxProbes: 8, maxWaiting: 200 }

/** What the catalog tells of its changes, and to whom. */
interface CatalogSurroundings {
  readonly metrics: Metrics
  readonly sessions: Sessions
  readonly pools: Pools
  readonly logger: LeveledLogger
  readonly clock: Clock
}

/** The catalog with those who follow its changes. */
interface HouseCatalog {
  readonly file: FileCatalog
  readonly opened: OpenCatalog | undefined
  readonly whole: Catalog
  readonly follower: CatalogFollower
  /** Takes the file's records anew; returns how many tenants it changed. */
  reload(config: Config): Record<string, number>
}

/** Joins the catalog with those who follow its changes. */
export async function buildCatalog(
  config: Config,
  surroundings: CatalogSurroundings,
): Promise<HouseCatalog> {
  const { metrics, sessions, pools, logger, clock } = surroundings
  let { ttlMs } = config.catalog
  const file = new FileCatalog(config.records)
  const early: CatalogChange[] = []
  let told = (change: CatalogChange): void => {
    early.push(change)
  }
  const opened = await openBehind(file, config, { ...surroundings, told: (change) => told(change) })
  const whole = opened?.catalog ?? file
  const { pairs } = sessions
  const follower = new CatalogFollower({
    catalog: whole,
    pairs,
    pools,
    clock,
    logger,
    // What memory says may be old already.
    ttlMs: () => ttlMs / 2,
  })
  told = (change) => follower.heard(change)
  for (const change of early) told(change)
  const reload = (next: Config) => {
    ttlMs = next.catalog.ttlMs
    const change = file.replace(next.records)
    opened?.renew({ defaults: next, servers: next.sharedServers })
    for (const one of catalogChanges(change, opened !== undefined)) {
      metrics.catalogObserver.changeTold('file')
      told(one)
    }
    return sizesOf(change)
  }
  return { file, opened, whole, follower, reload }
}

/** Opens the catalog behind the file, where there is one. */
async function openBehind(
  file: FileCatalog,
  config: Config,
  parts: CatalogSurroundings & Pick<CatalogParts, 'told'>,
): Promise<OpenCatalog | undefined> {
  const options = catalogOptions(config)
  if (options === undefined) return undefined
  const { metrics, logger, clock, told } = parts
  const probes = new ProbeQueue(PROBES)
  const { connectTimeoutMs: timeoutMs } = config.pool
  const observer = metrics.catalogObserver
  const opened = await openCatalog(options, {
    file,
    defaults: config,
    servers: config.sharedServers,
    observer,
    logger,
    clock,
    openSocket,
    probe: ({ target, tenancy }) => probes.probe(target, tenancy, { timeoutMs }),
    told,
  })
  metrics.watchCatalog(() => opened.health())
  return opened
}

/** What a reload of the file means to open sessions. With new defaults, any record may be new. */
function catalogChanges(change: FileChange, hasOthers: boolean): readonly CatalogChange[] {
  const version = undefined
  if (change.isAboutAll || hasOthers) return [{ kind: 'all', version }]
  return [...change.added, ...change.changed, ...change.removed].map((name) => ({
    kind: 'name',
    name: { kind: 'tenant', name },
    version,
  }))
}

function sizesOf({ added, changed, removed }: FileChange): Record<string, number> {
  return { added: added.length, changed: changed.length, removed: removed.length }
}
