import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type Clock, systemClock } from '../base/clock.ts'
import type { CatalogObserver } from '../catalog/catalog-observer.ts'
import type { PoolObserver } from '../pool/pool-observer.ts'
import type { SessionObserver } from '../session/session-observer.ts'
import { BudgetMetrics } from './budget-metrics.ts'
import { CatalogMetrics } from './catalog-metrics.ts'
import type { CatalogState } from './catalog-state.ts'
import { packageVersion } from './package-version.ts'
import { PoolMetrics } from './pool-metrics.ts'
import type { ProxyState } from './proxy-state.ts'
import { SessionMetrics } from './session-metrics.ts'

/** Gauges with a counter's name, which `promtool check metrics` refuses. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** The metrics of one proxy, in Prometheus' text format. `docs/metrics.md` lists them. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #sessions = new SessionMetrics(this.#registry)
  readonly #pools = new PoolMetrics(this.#registry)
  readonly #budgets = new BudgetMetrics(this.#registry)
  readonly #catalog: CatalogMetrics
  readonly #readGauges = proxyGauges(this.#registry)
  readonly #drains = new Counter({
    name: 'pgusher_drains_total',
    help: 'Drains that are over, by how they ended.',
    labelNames: ['outcome'],
    registers: [this.#registry],
  })
  #state: ProxyState | undefined
  #readCatalog: (() => CatalogState) | undefined

  constructor(clock: Clock = systemClock) {
    this.#catalog = new CatalogMetrics(this.#registry, clock)
    const buildInfo = new Gauge({
      name: 'pgusher_build_info',
      help: 'Always 1; the label says which version runs.',
      labelNames: ['version'],
      registers: [this.#registry],
    })
    buildInfo.set({ version: packageVersion() }, 1)
    collectDefaultMetrics({ register: this.#registry })
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name)
  }

  get poolObserver(): PoolObserver {
    return this.#pools.observer
  }

  get sessionObserver(): SessionObserver {
    return this.#sessions.observer
  }

  get catalogObserver(): CatalogObserver {
    return this.#catalog.observer
  }

  /** Names what the gauges are read from; before, they are 0 or absent. */
  watch(state: ProxyState): void {
    this.#state = state
  }

  /** Names what the gauges of the catalog are read from; before, they are absent. */
  watchCatalog(read: () => CatalogState): void {
    this.#readCatalog = read
  }

  /** A drain is over. */
  drained(outcome: 'complete' | 'timeout' | 'killed'): void {
    this.#drains.inc({ outcome })
  }

  /** Value of the Content-Type header that goes with `text`. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** What a scrape gets. All gauges are of one moment. */
  text(): Promise<string> {
    this.#sessions.read()
    this.#pools.read(this.#state?.pools() ?? [])
    this.#budgets.read(this.#state?.budgets() ?? [])
    this.#catalog.read(this.#readCatalog?.())
    if (this.#state !== undefined) this.#readGauges(this.#state)
    return this.#registry.metrics()
  }
}

/** Returns what sets the gauges of the proxy as a whole. */
function proxyGauges(registry: Registry): (state: ProxyState) => void {
  const registers = [registry]
  const clients = new Gauge({
    name: 'pgusher_client_connections',
    help: 'Client connections, logged in or not.',
    registers,
  })
  const sessions = new Gauge({
    name: 'pgusher_sessions',
    help: 'Clients that are logged in.',
    registers,
  })
  const tenants = new Gauge({
    name: 'pgusher_catalog_tenants',
    help: 'Tenants that the configuration file lists.',
    registers,
  })
  const draining = new Gauge({
    name: 'pgusher_draining',
    help: '1 from the word to drain until the process ends, else 0.',
    registers,
  })
  return (state) => {
    clients.set(state.clientCount())
    sessions.set(state.sessionCount())
    tenants.set(state.catalogTenants())
    draining.set(state.isDraining() ? 1 : 0)
  }
}
