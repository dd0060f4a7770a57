import type { Registry } from 'prom-client'
import type { WatchedPool } from './proxy-state.ts'
import { registerRead } from './read-metric.ts'

const STATES = ['idle', 'active', 'canceling', 'resetting', 'login'] as const

/** What the pools of one label amount to at a scrape. */
interface PoolTotals {
  readonly label: string
  size: number
  idle: number
  active: number
  canceling: number
  resetting: number
  login: number
  waiting: number
  oldestWaitMs: number
  oldestLeaseMs: number
}

interface PoolGauge {
  readonly name: string
  readonly help: string
  readonly value: (totals: PoolTotals) => number
}

const GAUGES: readonly PoolGauge[] = [
  {
    name: 'pgusher_pool_max_connections',
    help: 'Most server connections that a pool may have.',
    value: ({ size }) => size,
  },
  {
    name: 'pgusher_pool_clients_waiting',
    help: 'Sessions that wait for a server connection.',
    value: ({ waiting }) => waiting,
  },
  {
    name: 'pgusher_pool_oldest_wait_seconds',
    help: 'How long the longest wait of this moment has lasted; 0 when nobody waits.',
    value: ({ oldestWaitMs }) => oldestWaitMs / 1000,
  },
  {
    name: 'pgusher_pool_oldest_lease_seconds',
    help: 'How long the server connection that was lent first has been lent; 0 when none is.',
    value: ({ oldestLeaseMs }) => oldestLeaseMs / 1000,
  },
]

/** Shows how full the pools are. */
export class PoolGauges {
  #totals: readonly PoolTotals[] = []

  constructor(registry: Registry) {
    registerRead(
      registry,
      {
        name: 'pgusher_pool_servers',
        help: 'Server connections of a pool, by what they do.',
        type: 'gauge',
      },
      () =>
        this.#totals.flatMap((totals) =>
          STATES.map((state) => ({ labels: { pool: totals.label, state }, value: totals[state] })),
        ),
    )
    for (const { name, help, value } of GAUGES) {
      registerRead(registry, { name, help, type: 'gauge' }, () =>
        this.#totals.map((totals) => ({ labels: { pool: totals.label }, value: value(totals) })),
      )
    }
  }

  /** Takes the figures of now; several pools can share a label. */
  read(pools: Iterable<WatchedPool>, labelOf: (pool: WatchedPool) => string): void {
    const byLabel = new Map<string, PoolTotals>()
    for (const pool of pools) {
      const label = labelOf(pool)
      const totals = byLabel.get(label) ?? emptyTotals(label)
      byLabel.set(label, totals)
      add(totals, pool)
    }
    this.#totals = [...byLabel.values()]
  }
}

function add(totals: PoolTotals, pool: WatchedPool): void {
  const counts = pool.counts()
  totals.size += counts.size
  totals.idle += counts.idle
  totals.active += counts.leased
  totals.canceling += counts.canceling
  totals.resetting += counts.resetting
  totals.login += counts.connecting
  totals.waiting += counts.waiting
  totals.oldestWaitMs = Math.max(totals.oldestWaitMs, counts.oldestWaitMs)
  totals.oldestLeaseMs = Math.max(totals.oldestLeaseMs, counts.oldestLeaseMs)
}

function emptyTotals(label: string): PoolTotals {
  const servers = { idle: 0, active: 0, canceling: 0, resetting: 0, login: 0 }
  return { label, size: 0, ...servers, waiting: 0, oldestWaitMs: 0, oldestLeaseMs: 0 }
}
