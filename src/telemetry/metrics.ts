import { Counter, Registry } from 'prom-client'
import { type Clock, systemClock } from '../base/clock.ts'
import type { CatalogObserver } from '../catalog/catalog-observer.ts'
import type { PoolObserver } from '../pool/pool-observer.ts'
import type { SessionObserver } from '../session/session-observer.ts'
import { BudgetMetrics } from './budget-metrics.ts'
import { CatalogMetrics } from './catalog-metrics.ts'
import type { CatalogState } from './catalog-state.ts'
import { PoolMetrics } from './pool-metrics.ts'
import { registerProcess } from './process-metrics.ts'
import { proxyGauges } from './proxy-gauges.ts'
import type { ProxyState } from './proxy-state.ts'
import { renderText } from './render-text.ts'
import { observeSessions } from './session-metrics.ts'
import { AffectedTenants } from './tenants/affected-tenants.ts'
import { TenantAccounts, type TenantMetricsOptions } from './tenants/tenant-accounts.ts'
import { TenantLines } from './tenants/tenant-lines.ts'
import { registerTenantMetrics, type TenantLine } from './tenants/tenant-metrics.ts'
import { registerWork } from './work-metrics.ts'

/** How a drain ended: all left, the time was over, or it was cut short. A metric label. */
export type DrainOutcome = 'complete' | 'timeout' | 'killed'

const DRAIN_OUTCOMES: readonly DrainOutcome[] = ['complete', 'timeout', 'killed']

/** What became of a new configuration. A metric label. */
export type ReloadResult = 'done' | 'refused'

const RELOAD_RESULTS: readonly ReloadResult[] = ['done', 'refused']

/** How tenants are counted, and by which clock. */
export interface MetricsOptions {
  /** @defaultValue that of the machine */
  readonly clock?: Clock
  /** Asked each time, so that it may change. @defaultValue 20 labels, 10,000 tenants */
  readonly tenants?: () => TenantMetricsOptions
}

const STANDARD_TENANTS: TenantMetricsOptions = { tenantLabels: 20, maxTenants: 10_000 }

/** The metrics of one proxy, in Prometheus' text format. `docs/metrics.md` lists them. */
export class Metrics {
  readonly sessionObserver: SessionObserver
  readonly poolObserver: PoolObserver
  readonly catalogObserver: CatalogObserver
  readonly #registry = new Registry()
  readonly #clock: Clock
  readonly #pools = new PoolMetrics(this.#registry)
  readonly #budgets = new BudgetMetrics(this.#registry)
  readonly #catalog: CatalogMetrics
  readonly #affected: AffectedTenants
  readonly #accounts: TenantAccounts
  readonly #tenantLines: TenantLines
  readonly #lifecycle = lifecycleCounters(this.#registry)
  readonly #readGauges = proxyGauges(this.#registry)
  #state: ProxyState | undefined
  #readCatalog: (() => CatalogState) | undefined

  constructor({ clock = systemClock, tenants = () => STANDARD_TENANTS }: MetricsOptions = {}) {
    this.#clock = clock
    this.#catalog = new CatalogMetrics(this.#registry, clock)
    this.#affected = new AffectedTenants(this.#registry, clock)
    const totals = registerWork(this.#registry)
    this.#accounts = new TenantAccounts(tenants, totals, clock.nowMs())
    this.#tenantLines = new TenantLines(this.#accounts, totals.other)
    registerTenantMetrics(this.#registry, () => this.#tenantLines.all)
    const counted = { accounts: this.#accounts, affected: this.#affected }
    this.sessionObserver = observeSessions(this.#registry, counted)
    this.poolObserver = this.#pools.observer
    this.catalogObserver = this.#catalog.observer
    registerProcess(this.#registry)
  }

  /** Names what the gauges are read from; before, they are 0 or absent. */
  watch(state: ProxyState): void {
    this.#state = state
  }

  /** Names what the gauges of the catalog are read from; before, they are absent. */
  watchCatalog(read: () => CatalogState): void {
    this.#readCatalog = read
  }

  /** A drain has ended. */
  drained(outcome: DrainOutcome): void {
    this.#lifecycle.drains.inc({ outcome })
  }

  /** A new configuration was put in force, or was of no use. */
  reloaded(result: ReloadResult): void {
    this.#lifecycle.reloads.inc({ result })
  }

  /** Value of the Content-Type header that goes with `text` and `tenantText`. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** What a scrape gets. All gauges are of one moment. */
  text(): Promise<string> {
    this.#tenantLines.read(this.#state, this.#clock.nowMs())
    this.#affected.read()
    this.#pools.read(this.#state?.pools() ?? [])
    this.#budgets.read(this.#state?.budgets() ?? [])
    this.#catalog.read(this.#readCatalog?.())
    if (this.#state !== undefined) this.#readGauges(this.#state)
    return renderText(this.#registry)
  }

  /** What stands behind the series with a `tenant` label, at this moment. */
  tenantLines(): readonly TenantLine[] {
    this.#tenantLines.read(this.#state, this.#clock.nowMs())
    return this.#tenantLines.all
  }

  /** The metrics of one tenant, whether it has a label or not; `undefined`: nothing is counted of it. */
  async tenantText(name: string): Promise<string | undefined> {
    const line = this.#tenantLines.of(name, this.#state)
    if (line === undefined) return undefined
    const registry = new Registry()
    registerTenantMetrics(registry, () => [line])
    return await renderText(registry)
  }
}

function lifecycleCounters(registry: Registry) {
  const registers = [registry]
  const drains = new Counter({
    name: 'pgusher_drains_total',
    help: 'Drains that are over, by how they ended.',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of DRAIN_OUTCOMES) drains.inc({ outcome }, 0)
  const reloads = new Counter({
    name: 'pgusher_config_reloads_total',
    help: 'Configurations that were read while the proxy ran, by what became of them.',
    labelNames: ['result'],
    registers,
  })
  for (const result of RELOAD_RESULTS) reloads.inc({ result }, 0)
  return { drains, reloads }
}
