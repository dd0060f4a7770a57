import type { Row } from '../panel.ts'
import { highestBy, percentiles, ratesBy, series, sumBy, total, totalRate } from '../queries.ts'

export const clients: Row = {
  title: 'Clients',
  panels: [
    {
      title: 'Client connections',
      description:
        'Connections, those of them that are logged in, and how many there may be (`limits.maxClients`).',
      unit: 'short',
      queries: [
        total('pgusher_client_connections', 'connections'),
        total('pgusher_sessions', 'logged in'),
        total('pgusher_max_client_connections', 'limit'),
      ],
    },
    {
      title: 'Clients waiting',
      description: 'Clients that wait for a server connection, by pool.',
      unit: 'short',
      shape: 'stack',
      queries: [sumBy('pool', 'pgusher_pool_clients_waiting')],
    },
    {
      title: 'Oldest wait',
      description:
        'How long the longest wait of this moment has lasted. At `timeouts.waitMs` the client gets an error.',
      unit: 's',
      queries: [highestBy('pool', 'pgusher_pool_oldest_wait_seconds')],
    },
    {
      title: 'Logins',
      description:
        'Clients let in and clients gone, a second. Many of both: the application does not keep its connections, which costs more than its queries.',
      unit: 'cps',
      queries: [
        totalRate('pgusher_sessions_opened_total', 'let in'),
        totalRate('pgusher_sessions_closed_total', 'gone'),
      ],
    },
    {
      title: 'Login time',
      description: 'From accepting a connection to the end of its login, of those let in.',
      unit: 's',
      queries: percentiles('pgusher_login_seconds'),
    },
    {
      title: 'Cancel requests',
      description: 'By whether their key belonged to a session. `not_found` comes too late.',
      unit: 'cps',
      queries: [ratesBy('result', 'pgusher_cancel_requests_total')],
    },
    {
      title: 'Paused and draining',
      description: 'Tenants that are paused, and proxies that let nobody in any more.',
      unit: 'short',
      queries: [
        { expr: `sum(${series('pgusher_paused_tenants')})`, legend: 'paused tenants' },
        { expr: `sum(${series('pgusher_draining')})`, legend: 'draining proxies' },
      ],
    },
  ],
}
