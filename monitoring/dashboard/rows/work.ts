import type { Row } from '../panel.ts'
import { percentiles, totalRate } from '../queries.ts'

export const work: Row = {
  title: 'Queries and transactions',
  panels: [
    {
      title: 'Queries and transactions',
      description: 'Queries that were answered and transactions that ended, a second.',
      unit: 'cps',
      queries: [
        totalRate('pgusher_queries_total', 'queries'),
        totalRate('pgusher_transactions_total', 'transactions'),
      ],
    },
    {
      title: 'Query time',
      description:
        'From giving a request to a server connection until all of it was answered. The wait for the connection is not in it.',
      unit: 's',
      queries: percentiles('pgusher_query_seconds'),
    },
    {
      title: 'Transaction time',
      description:
        'From the first request of a transaction until its end, with what the application does in between.',
      unit: 's',
      queries: percentiles('pgusher_transaction_seconds'),
    },
    {
      title: 'Wait for a server connection',
      description: 'Time from asking for a server connection to getting one.',
      unit: 's',
      queries: percentiles('pgusher_pool_wait_seconds'),
    },
    {
      title: 'Traffic',
      description: 'Bytes that clients sent and were sent, a second.',
      unit: 'Bps',
      queries: [
        totalRate('pgusher_client_received_bytes_total', 'from clients'),
        totalRate('pgusher_client_sent_bytes_total', 'to clients'),
      ],
    },
    {
      title: 'Checkouts',
      description: 'Server connections lent, a second. In transaction mode one for a transaction.',
      unit: 'cps',
      queries: [totalRate('pgusher_pool_checkouts_total', 'checkouts')],
    },
  ],
}
