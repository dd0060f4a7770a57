import type { Row } from '../panel.ts'
import { highestBy, percentiles, ratesBy, series, sumBy } from '../queries.ts'

const inUse = `sum by (pool) (${series('pgusher_pool_servers', 'state!="idle"')})`
const size = `sum by (pool) (${series('pgusher_pool_max_connections')})`

export const servers: Row = {
  title: 'Server connections',
  panels: [
    {
      title: 'Server connections',
      description:
        'By what they do. `idle` is what could be lent at once; `login` are being opened, `resetting` are being cleaned.',
      unit: 'short',
      shape: 'stack',
      queries: [sumBy('state', 'pgusher_pool_servers')],
    },
    {
      title: 'Pools in use',
      description:
        'Server connections in use, as a share of the size of their pool. At 100 % clients wait.',
      unit: 'percentunit',
      max: 1,
      queries: [{ expr: `${inUse} / ${size}`, legend: '{{pool}}' }],
    },
    {
      title: 'Oldest lease',
      description:
        'For how long the longest lease of this moment has lasted. In transaction mode: a transaction that stands open, or a pinned client.',
      unit: 's',
      queries: [highestBy('pool', 'pgusher_pool_oldest_lease_seconds')],
    },
    {
      title: 'Opened',
      description: 'Server connections opened a second, by pool. Each costs a login.',
      unit: 'cps',
      queries: [ratesBy('pool', 'pgusher_server_opened_total')],
    },
    {
      title: 'Time to open',
      description: 'Time to connect and log in to a server.',
      unit: 's',
      queries: percentiles('pgusher_server_open_seconds'),
    },
    {
      title: 'Failures to open',
      description: 'Attempts that failed, by error code.',
      unit: 'cps',
      queries: [ratesBy('code', 'pgusher_server_open_failures_total')],
    },
    {
      title: 'Closed',
      description:
        'By reason. `idle` and `lifetime` are housekeeping; `evicted` says that pools compete for the budget of a server.',
      unit: 'cps',
      queries: [ratesBy('reason', 'pgusher_server_closed_total')],
    },
    {
      title: 'Budget in use',
      description: 'Server connections, as a share of the `maxConnections` of their server.',
      unit: 'percentunit',
      max: 1,
      queries: [
        {
          expr: `sum by (server) (${series('pgusher_server_budget_connections')}) / sum by (server) (${series('pgusher_server_budget_max_connections')})`,
          legend: '{{server}}',
        },
      ],
    },
    {
      title: 'Budget denied',
      description: 'Connections that a pool wanted and the budget of the server did not allow.',
      unit: 'cps',
      queries: [ratesBy('server', 'pgusher_server_budget_denied_total')],
    },
    {
      title: 'Resets',
      description:
        'Server connections cleaned, a second: of what a session left (`session`), or for another tenant (`handover`).',
      unit: 'cps',
      queries: [ratesBy('kind', 'pgusher_state_resets_total')],
    },
  ],
}
