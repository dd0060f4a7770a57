import { Console } from './admin/console/console.ts'
import type { CatalogView, ConsoleSources } from './admin/console/console-sources.ts'
import type { TenantTotals } from './admin/console/tenant-totals.ts'
import { explainFromFile } from './admin/explain/file-explanation.ts'
import type { Operations } from './admin/operations.ts'
import type { Clock } from './base/clock.ts'
import type { FileCatalog } from './catalog/file-catalog.ts'
import type { OpenCatalog } from './catalog/layers/open-catalog.ts'
import type { Config } from './config/config.ts'
import { consoleOptions, routePolicy } from './config/room-options.ts'
import { settingViews } from './config/setting-views.ts'
import type { Gates } from './listener/listener.ts'
import { type OperatedRooms, tenantOperations, tenantViews } from './proxy-operations.ts'
import type { LeveledLogger } from './telemetry/log/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { packageVersion } from './telemetry/package-version.ts'
import type { TenantLine } from './telemetry/tenants/tenant-metrics.ts'

/** What the console looks at, and what it works on. */
export interface ConsoleSurroundings extends OperatedRooms {
  config(): Config
  readonly gates: Gates
  readonly metrics: Metrics
  readonly file: FileCatalog
  /** `undefined` when the file is all of the catalog. */
  readonly opened: OpenCatalog | undefined
  readonly operations: ProcessOperations
  readonly logger: LeveledLogger
  readonly clock: Clock
}

/** What is done to the process as a whole. */
export interface ProcessOperations extends Pick<Operations, 'reload'> {
  readonly isDraining: boolean
  /** @param cause - Who asks for it, for the log. */
  shutdown(mode: Parameters<Operations['shutdown']>[0], cause: string): void
}

export function buildConsole(surroundings: ConsoleSurroundings): Console {
  const { config, operations, logger, clock } = surroundings
  let known = config()
  let options = consoleOptions(known)
  const tenants = tenantOperations(surroundings)
  return new Console({
    options() {
      if (known !== config()) options = consoleOptions(config())
      known = config()
      return options
    },
    sources: sourcesOf(surroundings),
    operations: (login) => ({
      ...tenants,
      reload: () => operations.reload(),
      shutdown(mode) {
        // Once the operator has its answer.
        setImmediate(() => operations.shutdown(mode, `console login ${login}`))
      },
    }),
    logger,
    clock,
  })
}

function sourcesOf(surroundings: ConsoleSurroundings): ConsoleSources {
  const { config, pools, gates, metrics, operations } = surroundings
  const views = tenantViews(surroundings)
  return {
    version: packageVersion(),
    sessions: () => views.sessions(),
    pools: () => views.pools(),
    budgets: () => pools.budgets(),
    facts() {
      const { isAll, tenants } = views.paused()
      return {
        clients: gates.gate.count,
        maxClients: config().limits.maxClients,
        isDraining: operations.isDraining,
        isPaused: isAll,
        pausedTenants: new Set(tenants),
      }
    },
    settings: () => settingViews(config()),
    tenantTotals: () => metrics.tenantLines().map(totalsOf),
    catalog: catalogView(surroundings),
    routePolicy: () => routePolicy(config()),
  }
}

/** A copy: what is counted goes on. */
function totalsOf({ tenant, work }: TenantLine): TenantTotals {
  const { transactions, queries, receivedBytes, sentBytes } = work
  const { transactionMs, queryMs, waitMs } = work
  return { tenant, transactions, queries, receivedBytes, sentBytes, transactionMs, queryMs, waitMs }
}

function catalogView({ config, file, opened }: ConsoleSurroundings): CatalogView {
  return {
    fileTenants: () => file.tenants(),
    fileLogins: () => config().records.logins.map(({ user }) => user),
    tenant(name) {
      if (opened !== undefined) return opened.catalog.tenant(name)
      return Promise.resolve((file.tenant(name) ?? file.templateTenant(name))?.record)
    },
    explain: (request) => opened?.catalog.explain(request) ?? explainFromFile(file, request),
    health: () => opened?.health(),
  }
}
