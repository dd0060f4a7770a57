import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { BreakerState } from '../base/breaker.ts'
import type { Clock } from '../base/clock.ts'
import type {
  CatalogLayer,
  CatalogObserver,
  ChangeSource,
  LookupResult,
} from '../catalog/catalog-observer.ts'
import type { CatalogState } from './catalog-state.ts'
import { RecentMaximum } from './recent-maximum.ts'

/** From a look into memory to a source that answers at its deadline. */
const LOOKUP_BOUNDS = [
  0.000_01, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
]
const STALENESS_WINDOW_MS = 60_000

/** What can come of each layer, so that each series is there at 0 before its first failure. */
const RESULTS: Readonly<Record<CatalogLayer, readonly LookupResult[]>> = {
  file: ['hit', 'miss'],
  memory: ['hit', 'stale', 'absent', 'miss'],
  redis: ['hit', 'absent', 'miss', 'error', 'skipped'],
  postgres: ['hit', 'absent', 'error', 'skipped'],
}

const BREAKER_STATES: Readonly<Record<BreakerState['kind'], 0>> = {
  closed: 0,
  open: 0,
  halfOpen: 0,
}

const CHANGE_SOURCES: Readonly<Record<ChangeSource, 0>> = { postgres: 0, redis: 0, file: 0 }

/** Counts what happens in the catalog. No label names a tenant or a login: they are unbounded. */
export class CatalogMetrics {
  readonly observer: CatalogObserver
  readonly #staleness: RecentMaximum
  readonly #stalenessGauge: Gauge
  readonly #setGauges: (state: CatalogState) => void

  constructor(registry: Registry, clock: Clock) {
    this.#staleness = new RecentMaximum(STALENESS_WINDOW_MS, clock)
    this.observer = observeCatalog(registry, this.#staleness)
    this.#stalenessGauge = new Gauge({
      name: 'pgusher_catalog_staleness_seconds',
      help: 'Age of the oldest record used of late past its time, as its source did not answer; 0 when there was none.',
      registers: [registry],
    })
    this.#setGauges = catalogGauges(registry)
  }

  /** Brings the series up to date. */
  read(state: CatalogState | undefined): void {
    this.#stalenessGauge.set(this.#staleness.read() / 1000)
    if (state !== undefined) this.#setGauges(state)
  }
}

function observeCatalog(registry: Registry, staleness: RecentMaximum): CatalogObserver {
  const { lookups, lookupSeconds, changes, refused } = catalogCounters(registry)
  return {
    lookedUp(layer, result, durationMs) {
      lookups.inc({ layer, result })
      lookupSeconds.observe({ layer }, durationMs / 1000)
    },
    servedStale(ageMs) {
      staleness.note(ageMs)
    },
    recordRefused() {
      refused.inc()
    },
    changeTold(via) {
      changes.inc({ via })
    },
  }
}

function catalogCounters(registry: Registry) {
  const registers = [registry]
  const lookups = new Counter({
    name: 'pgusher_catalog_lookups_total',
    help: 'Names of tenants and logins looked up in a layer of the catalog, by what it made of them.',
    labelNames: ['layer', 'result'],
    registers,
  })
  for (const [layer, results] of Object.entries(RESULTS)) {
    for (const result of results) lookups.inc({ layer, result }, 0)
  }
  const lookupSeconds = new Histogram({
    name: 'pgusher_catalog_lookup_seconds',
    help: 'Time that a layer of the catalog took for a name.',
    labelNames: ['layer'],
    buckets: LOOKUP_BOUNDS,
    registers,
  })
  const changes = new Counter({
    name: 'pgusher_catalog_changes_total',
    help: 'Messages that the catalog has changed, by whom they came from.',
    labelNames: ['via'],
    registers,
  })
  for (const via of Object.keys(CHANGE_SOURCES)) changes.inc({ via }, 0)
  const refused = new Counter({
    name: 'pgusher_catalog_refused_records_total',
    help: 'Records that were of no use: malformed, or with a secret that no key opens.',
    registers,
  })
  return { lookups, lookupSeconds, changes, refused }
}

/** Returns what sets the gauges. Those of parts that are not configured have no series. */
function catalogGauges(registry: Registry): (state: CatalogState) => void {
  const gauge = (name: string, help: string) => absentGauge({ name, help }, registry)
  const redisUp = gauge(
    'pgusher_redis_up',
    '1 while Redis answers, else 0; absent when none is configured.',
  )
  const sourceUp = gauge(
    'pgusher_catalog_source_up',
    '1 while the Postgres of the catalog answers, else 0; absent when none is configured.',
  )
  const entries = gauge(
    'pgusher_catalog_entries',
    'Tenants and logins in memory, also those known not to exist.',
  )
  const bytes = gauge(
    'pgusher_catalog_bytes',
    'Bytes that the entries of the catalog take in memory.',
  )
  const setBreaker = breakerGauge(registry)
  return (state) => {
    const { isRedisUp, breakers } = state
    sourceUp(Number(state.isSourceUp))
    entries(state.entries)
    bytes(state.bytes)
    setBreaker('postgres', breakers.postgres)
    if (isRedisUp === undefined) return
    redisUp(Number(isRedisUp))
    setBreaker('redis', breakers.redis)
  }
}

function breakerGauge(
  registry: Registry,
): (layer: CatalogLayer, current: BreakerState['kind']) => void {
  const gauge = new Gauge({
    name: 'pgusher_catalog_breaker_state',
    help: '1 for the state that the breaker before a layer is in, 0 for the others.',
    labelNames: ['layer', 'state'],
    registers: [registry],
  })
  return (layer, current) => {
    for (const state of Object.keys(BREAKER_STATES)) {
      gauge.set({ layer, state }, state === current ? 1 : 0)
    }
  }
}

/** A gauge without a series until it is set. */
function absentGauge(
  options: { readonly name: string; readonly help: string },
  registry: Registry,
): (value: number) => void {
  const gauge = new Gauge({ ...options, registers: [registry] })
  // prom-client begins a gauge without labels at 0.
  gauge.remove()
  return (value) => gauge.set(value)
}
