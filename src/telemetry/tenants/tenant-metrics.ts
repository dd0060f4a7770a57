import type { Registry } from 'prom-client'
import { type ReadMetricOptions, registerRead } from '../read-metric.ts'
import type { Work } from '../work.ts'

/** What the series of one `tenant` label show. */
export interface TenantLine {
  readonly tenant: string
  readonly work: Work
  readonly sessions: number
  /** Clients that wait for a server connection. */
  readonly waiting: number
}

interface TenantFigure extends ReadMetricOptions {
  readonly value: (line: TenantLine) => number
}

const FIGURES: readonly TenantFigure[] = [
  {
    name: 'pgusher_tenant_sessions',
    help: 'Clients of a tenant that are logged in.',
    type: 'gauge',
    value: ({ sessions }) => sessions,
  },
  {
    name: 'pgusher_tenant_clients_waiting',
    help: 'Clients of a tenant that wait for a server connection.',
    type: 'gauge',
    value: ({ waiting }) => waiting,
  },
  {
    name: 'pgusher_tenant_transactions_total',
    help: 'Transactions of a tenant that ended.',
    type: 'counter',
    value: ({ work }) => work.transactions,
  },
  {
    name: 'pgusher_tenant_transaction_seconds_total',
    help: 'Time that transactions of a tenant took.',
    type: 'counter',
    value: ({ work }) => work.transactionMs / 1000,
  },
  {
    name: 'pgusher_tenant_queries_total',
    help: 'Queries of a tenant that were answered.',
    type: 'counter',
    value: ({ work }) => work.queries,
  },
  {
    name: 'pgusher_tenant_query_seconds_total',
    help: 'Time that requests of a tenant took.',
    type: 'counter',
    value: ({ work }) => work.queryMs / 1000,
  },
  {
    name: 'pgusher_tenant_server_seconds_total',
    help: 'Time for which sessions of a tenant held a server connection.',
    type: 'counter',
    value: ({ work }) => work.serverMs / 1000,
  },
  {
    name: 'pgusher_tenant_wait_seconds_total',
    help: 'Time that sessions of a tenant waited for the server connections that they got.',
    type: 'counter',
    value: ({ work }) => work.waitMs / 1000,
  },
  {
    name: 'pgusher_tenant_received_bytes_total',
    help: 'Bytes that clients of a tenant sent.',
    type: 'counter',
    value: ({ work }) => work.receivedBytes,
  },
  {
    name: 'pgusher_tenant_sent_bytes_total',
    help: 'Bytes that clients of a tenant were sent.',
    type: 'counter',
    value: ({ work }) => work.sentBytes,
  },
]

/** Registers the metrics that have a `tenant` label. */
export function registerTenantMetrics(registry: Registry, read: () => readonly TenantLine[]): void {
  for (const figure of FIGURES) {
    registerRead(registry, figure, () =>
      read().map((line) => ({ labels: { tenant: line.tenant }, value: figure.value(line) })),
    )
  }
  registerRead(
    registry,
    {
      name: 'pgusher_tenant_errors_total',
      help: 'Errors that clients of a tenant were told, by class of SQLSTATE.',
      type: 'counter',
    },
    () =>
      read().flatMap(({ tenant, work }) =>
        Array.from(work.errors, ([kind, value]) => ({ labels: { tenant, class: kind }, value })),
      ),
  )
}
