import type { RouteRequest } from '../../catalog/catalog.ts'
import type { Explanation } from '../../catalog/layers/layered-catalog.ts'
import type { CatalogHealth } from '../../catalog/layers/open-catalog.ts'
import type { TenantRecord } from '../../catalog/records.ts'
import type { BudgetCounts } from '../../pool/budgets.ts'
import type { PoolView } from '../../pool/server-view.ts'
import type { SessionView } from '../../session/session-view.ts'
import type { TenantName } from '../../tenancy/tenant-name.ts'
import type { RoutePolicy } from '../explain/explain-route.ts'
import type { TenantTotals } from './tenant-totals.ts'

/** A setting as it is in force. */
export interface SettingView {
  /** Such as `pool.size`. */
  readonly key: string
  /** Without secrets; `undefined` where nothing is set. */
  readonly value: string | undefined
  readonly default: string | undefined
  /** Whether a reload puts a new value in force. */
  readonly isReloadable: boolean
}

/** Facts about the process. */
export interface ProxyFacts {
  /** Client connections, logged in or not. */
  readonly clients: number
  readonly maxClients: number
  readonly isDraining: boolean
  /** `true`: all tenants. */
  readonly isPaused: boolean
  /** Those that are paused one by one. */
  readonly pausedTenants: ReadonlySet<string>
}

/** What operators can ask of the catalog. */
export interface CatalogView {
  /** Those that the configuration file lists. */
  fileTenants(): readonly TenantRecord[]
  /** Logins that the configuration file lists. */
  fileLogins(): readonly string[]
  /** `undefined`: nobody knows it. */
  tenant(name: TenantName): Promise<TenantRecord | undefined>
  explain(request: RouteRequest): Promise<Explanation>
  /** `undefined` where the file is all of it. */
  health(): CatalogHealth | undefined
}

/** What the console shows. Each is read when it is asked for. */
export interface ConsoleSources {
  readonly version: string
  sessions(): readonly SessionView[]
  pools(): readonly PoolView[]
  budgets(): readonly BudgetCounts[]
  facts(): ProxyFacts
  settings(): readonly SettingView[]
  /** What was done for each tenant that has a label in metrics, and for all others together. */
  tenantTotals(): readonly TenantTotals[]
  readonly catalog: CatalogView
  /** How a client's login would be judged. */
  routePolicy(): RoutePolicy
}
