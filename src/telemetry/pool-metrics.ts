import { Counter, Gauge, type Registry } from 'prom-client'
import { ProxyError } from '../base/proxy-error.ts'
import type { PoolObserver, ResetKind } from '../pool/pool-observer.ts'
import { DurationHistogram } from './duration-histogram.ts'
import { PoolLabels } from './pool-labels.ts'
import type { WatchedPool } from './proxy-state.ts'

/** Pools that get a label of their own. One pool is some 15 series, and more with its errors. */
const MAX_POOL_LABELS = 100

const WAIT_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const OPEN_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** What the pools of one label amount to at a scrape. */
interface PoolTotals {
  idle: number
  active: number
  canceling: number
  resetting: number
  login: number
  waiting: number
  oldestWaitMs: number
}

/** Counts what happens in the pools, and shows how full they are. */
export class PoolMetrics {
  readonly observer: PoolObserver
  readonly #labels = new PoolLabels(MAX_POOL_LABELS)
  readonly #checkouts: Counter<'pool'>
  readonly #servers: Gauge<'pool' | 'state'>
  readonly #waiting: Gauge<'pool'>
  readonly #oldestWait: Gauge<'pool'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.observer = observePools(registry, this.#labels)
    this.#checkouts = new Counter({
      name: 'pgusher_pool_checkouts_total',
      help: 'Server connections lent to a session, each for a transaction or for the session.',
      labelNames: ['pool'],
      registers,
    })
    this.#servers = new Gauge({
      name: 'pgusher_pool_servers',
      help: 'Server connections of a pool, by what they do.',
      labelNames: ['pool', 'state'],
      registers,
    })
    this.#waiting = new Gauge({
      name: 'pgusher_pool_clients_waiting',
      help: 'Sessions that wait for a server connection.',
      labelNames: ['pool'],
      registers,
    })
    this.#oldestWait = new Gauge({
      name: 'pgusher_pool_oldest_wait_seconds',
      help: 'How long the longest wait of this moment has lasted; 0 when nobody waits.',
      labelNames: ['pool'],
      registers,
    })
  }

  /** Brings the series up to date. Gauges of pools that are gone disappear. */
  read(pools: Iterable<WatchedPool>): void {
    const totals = this.#totals(pools)
    for (const gauge of [this.#servers, this.#waiting, this.#oldestWait]) gauge.reset()
    for (const [pool, total] of totals) {
      for (const state of ['idle', 'active', 'canceling', 'resetting', 'login'] as const) {
        this.#servers.set({ pool, state }, total[state])
      }
      this.#waiting.set({ pool }, total.waiting)
      this.#oldestWait.set({ pool }, total.oldestWaitMs / 1000)
    }
    this.#checkouts.reset()
    for (const { label, checkouts } of this.#labels.all()) {
      this.#checkouts.inc({ pool: label }, checkouts)
    }
  }

  /** By label, for several pools can share one. */
  #totals(pools: Iterable<WatchedPool>): ReadonlyMap<string, PoolTotals> {
    const totals = new Map<string, PoolTotals>()
    for (const pool of pools) {
      const { label } = this.#labels.of(pool.name)
      const total = totals.get(label) ?? emptyTotals()
      totals.set(label, total)
      const counts = pool.counts()
      total.idle += counts.idle
      total.active += counts.leased
      total.canceling += counts.canceling
      total.resetting += counts.resetting
      total.login += counts.connecting
      total.waiting += counts.waiting
      total.oldestWaitMs = Math.max(total.oldestWaitMs, counts.oldestWaitMs)
    }
    return totals
  }
}

const RESET_KINDS: readonly ResetKind[] = ['session', 'handover']

function emptyTotals(): PoolTotals {
  return { idle: 0, active: 0, canceling: 0, resetting: 0, login: 0, waiting: 0, oldestWaitMs: 0 }
}

function observePools(registry: Registry, labels: PoolLabels): PoolObserver {
  const { opened, failed, closed, refused, violations } = poolCounters(registry)
  const resets = resetCounter(registry)
  const openSeconds = new DurationHistogram({
    name: 'pgusher_server_open_seconds',
    help: 'Time to connect and log in to a server.',
    bounds: OPEN_BOUNDS,
  }).register(registry)
  const waitSeconds = new DurationHistogram({
    name: 'pgusher_pool_wait_seconds',
    help: 'Time from asking for a server connection to getting it; 0 when one was free.',
    bounds: WAIT_BOUNDS,
  }).register(registry)
  return {
    serverOpened(pool, openMs) {
      opened.inc({ pool: labels.of(pool).label })
      openSeconds.observeMs(openMs)
    },
    serverFailed(pool, error) {
      failed.inc({ pool: labels.of(pool).label, code: codeOf(error) })
    },
    serverClosed(pool, reason) {
      closed.inc({ pool: labels.of(pool).label, reason })
    },
    checkedOut(pool, waitMs) {
      labels.of(pool).checkouts += 1
      waitSeconds.observeMs(waitMs)
    },
    checkoutRefused(pool, error) {
      refused.inc({ pool: labels.of(pool).label, code: codeOf(error) })
    },
    violated(_tenant, kind) {
      violations.inc({ kind })
    },
    wasReset(kind) {
      resets.inc({ kind })
    },
  }
}

function poolCounters(registry: Registry) {
  const registers = [registry]
  return {
    opened: new Counter({
      name: 'pgusher_server_opened_total',
      help: 'Server connections opened and logged in.',
      labelNames: ['pool'],
      registers,
    }),
    failed: new Counter({
      name: 'pgusher_server_open_failures_total',
      help: 'Server connections that could not be opened, by error code.',
      labelNames: ['pool', 'code'],
      registers,
    }),
    closed: new Counter({
      name: 'pgusher_server_closed_total',
      help: 'Server connections given up, by reason.',
      labelNames: ['pool', 'reason'],
      registers,
    }),
    violations: new Counter({
      name: 'pgusher_isolation_violations_total',
      help: 'Server connections closed because their tenant had left its place in a way that no text showed, by what was changed.',
      labelNames: ['kind'],
      registers,
    }),
    refused: new Counter({
      name: 'pgusher_pool_checkouts_refused_total',
      help: 'Sessions that asked for a server connection and got none, by error code.',
      labelNames: ['pool', 'code'],
      registers,
    }),
  }
}

function resetCounter(registry: Registry): Counter<'kind'> {
  const resets = new Counter({
    name: 'pgusher_state_resets_total',
    help: 'Server connections taken back to their resting state, by the occasion.',
    labelNames: ['kind'],
    registers: [registry],
  })
  for (const kind of RESET_KINDS) resets.inc({ kind }, 0)
  return resets
}

/** Bounded: the codes of `ProxyError`, and one for whatever nobody foresaw. */
function codeOf(error: Error): string {
  return error instanceof ProxyError ? error.code : 'INTERNAL_ERROR'
}
