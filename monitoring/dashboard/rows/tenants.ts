import type { Row } from '../panel.ts'
import { rate, series, TENANTS, topTenants } from '../queries.ts'

export const tenants: Row = {
  title: 'Tenants, the busiest ten',
  panels: [
    {
      title: 'Transactions',
      description: 'Transactions that ended, a second.',
      unit: 'cps',
      queries: [topTenants(rate('pgusher_tenant_transactions_total', TENANTS))],
    },
    {
      title: 'Queries',
      description: 'Queries that were answered, a second.',
      unit: 'cps',
      queries: [topTenants(rate('pgusher_tenant_queries_total', TENANTS))],
    },
    {
      title: 'Server connections held',
      description:
        'How many server connections a tenant has on average. Who fills a shared pool stands at the top.',
      unit: 'short',
      shape: 'stack',
      queries: [topTenants(rate('pgusher_tenant_server_seconds_total', TENANTS))],
    },
    {
      title: 'Waits',
      description: 'Seconds that the clients of a tenant waited for server connections, a second.',
      unit: 'short',
      queries: [topTenants(rate('pgusher_tenant_wait_seconds_total', TENANTS))],
    },
    {
      title: 'Mean query time',
      description: 'Time of an average query, without the wait for a server connection.',
      unit: 's',
      queries: [
        {
          expr: `topk(10, sum by (tenant) (${rate('pgusher_tenant_query_seconds_total', TENANTS)}) / sum by (tenant) (${rate('pgusher_tenant_queries_total', TENANTS)} > 0))`,
          legend: '{{tenant}}',
        },
      ],
    },
    {
      title: 'Mean transaction time',
      description: 'Time of an average transaction, with what the application does in between.',
      unit: 's',
      queries: [
        {
          expr: `topk(10, sum by (tenant) (${rate('pgusher_tenant_transaction_seconds_total', TENANTS)}) / sum by (tenant) (${rate('pgusher_tenant_transactions_total', TENANTS)} > 0))`,
          legend: '{{tenant}}',
        },
      ],
    },
    {
      title: 'Clients',
      description: 'Clients that are logged in.',
      unit: 'short',
      shape: 'stack',
      queries: [topTenants(series('pgusher_tenant_sessions', TENANTS))],
    },
    {
      title: 'Clients waiting',
      description: 'Clients that wait for a server connection at this moment.',
      unit: 'short',
      queries: [topTenants(series('pgusher_tenant_clients_waiting', TENANTS))],
    },
    {
      title: 'Traffic from clients',
      description: 'Bytes that the clients of a tenant sent, a second.',
      unit: 'Bps',
      queries: [topTenants(rate('pgusher_tenant_received_bytes_total', TENANTS))],
    },
    {
      title: 'Traffic to clients',
      description: 'Bytes that the clients of a tenant were sent, a second.',
      unit: 'Bps',
      queries: [topTenants(rate('pgusher_tenant_sent_bytes_total', TENANTS))],
    },
    {
      title: 'Errors',
      description: 'Errors that the clients of a tenant were told, a second.',
      unit: 'cps',
      queries: [topTenants(rate('pgusher_tenant_errors_total', TENANTS))],
    },
  ],
}
