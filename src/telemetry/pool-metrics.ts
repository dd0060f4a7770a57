import { Counter, type Registry } from 'prom-client'
import { ProxyError } from '../base/proxy-error.ts'
import type { PoolObserver, ResetKind } from '../pool/pool-observer.ts'
import { DurationHistogram } from './duration-histogram.ts'
import { PoolGauges } from './pool-gauges.ts'
import { PoolLabels } from './pool-labels.ts'
import type { WatchedPool } from './proxy-state.ts'
import { registerRead } from './read-metric.ts'

/** Pools that get a label of their own. One pool is some 17 series, and more with its errors. */
const MAX_POOL_LABELS = 100

const WAIT_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const OPEN_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Counts what happens in the pools, and shows how full they are. */
export class PoolMetrics {
  readonly observer: PoolObserver
  readonly #labels = new PoolLabels(MAX_POOL_LABELS)
  readonly #gauges: PoolGauges

  constructor(registry: Registry) {
    this.observer = observePools(registry, this.#labels)
    registerRead(
      registry,
      {
        name: 'pgusher_pool_checkouts_total',
        help: 'Server connections lent to a session, each for a transaction or for the session.',
        type: 'counter',
      },
      () =>
        Array.from(this.#labels.all(), ({ label, checkouts }) => ({
          labels: { pool: label },
          value: checkouts,
        })),
    )
    this.#gauges = new PoolGauges(registry)
  }

  /** Brings the series up to date. Gauges of pools that are gone disappear. */
  read(pools: Iterable<WatchedPool>): void {
    this.#gauges.read(pools, (pool) => this.#labels.of(pool.name).label)
  }
}

const RESET_KINDS: readonly ResetKind[] = ['session', 'handover']

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
