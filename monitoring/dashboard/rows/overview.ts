import type { Row } from '../panel.ts'
import { percentiles, ratesBy, series, total, totalRate } from '../queries.ts'

const inUse = `sum by (instance, pool) (${series('pgusher_pool_servers', 'state!="idle"')})`
const size = `sum by (instance, pool) (${series('pgusher_pool_max_connections')})`

const violations = series('pgusher_isolation_violations_total')

export const overview: Row = {
  title: 'Overview',
  panels: [
    {
      title: 'Proxies',
      description: 'Proxies that answer Prometheus.',
      unit: 'short',
      shape: 'number',
      queries: [{ expr: `count(${series('pgusher_build_info')})`, legend: 'proxies' }],
    },
    {
      title: 'Clients',
      description: 'Clients that are logged in.',
      unit: 'short',
      shape: 'number',
      queries: [total('pgusher_sessions', 'clients')],
    },
    {
      title: 'Tenants at work',
      description: 'Tenants that have clients, on the proxy that has the most of them.',
      unit: 'short',
      shape: 'number',
      queries: [{ expr: `max(${series('pgusher_tenants_with_sessions')})`, legend: 'tenants' }],
    },
    {
      title: 'Clients waiting',
      description:
        'Clients that wait for a server connection at this moment. Some now and then are the point of a pool; many, or always the same, are not.',
      unit: 'short',
      shape: 'number',
      warnFrom: 1,
      alarmFrom: 50,
      queries: [total('pgusher_pool_clients_waiting', 'waiting')],
    },
    {
      title: 'Fullest pool',
      description:
        'Server connections in use, as a share of the size of the pool, of the fullest one.',
      unit: 'percentunit',
      shape: 'number',
      max: 1,
      warnFrom: 0.8,
      alarmFrom: 0.95,
      queries: [{ expr: `max(${inUse} / ${size})`, legend: 'fullest pool' }],
    },
    {
      title: 'Isolation violations',
      description:
        'Server connections closed in the time shown because their tenant had left its place. More than none is for somebody to look at.',
      unit: 'short',
      shape: 'number',
      alarmFrom: 1,
      queries: [
        {
          // A kind that was not there before has no earlier sample to rise from: its value counts.
          expr: `sum((${violations} unless ${violations} offset $__range) or increase(${violations}[$__range])) or vector(0)`,
          legend: 'violations',
        },
      ],
    },
    {
      title: 'Transactions and queries',
      description: 'Transactions that ended, and queries that were answered, a second.',
      unit: 'cps',
      queries: [
        totalRate('pgusher_transactions_total', 'transactions'),
        totalRate('pgusher_queries_total', 'queries'),
      ],
    },
    {
      title: 'Wait for a server connection',
      description:
        'Time from asking for a server connection to getting one. It is part of what the application sees as the time of a query.',
      unit: 's',
      queries: percentiles('pgusher_pool_wait_seconds'),
    },
    {
      title: 'Errors told to clients',
      description: 'By who made them: the servers (mostly SQL that failed), or the proxy.',
      unit: 'cps',
      queries: [ratesBy('origin', 'pgusher_errors_total')],
    },
  ],
}
