import { Counter, type Registry } from 'prom-client'
import type { TenantObserver } from '../session/session-observer.ts'
import { DurationHistogram } from './duration-histogram.ts'
import { errorClass, USUAL_CLASSES } from './error-class.ts'
import { registerRead, single } from './read-metric.ts'
import type { WorkTotals } from './tenants/tenant-account.ts'
import { Work } from './work.ts'

/** From a look-up by key to a report that takes minutes. */
const WORK_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60,
]

/** Registers what is counted of the work of all tenants together. */
export function registerWork(registry: Registry): WorkTotals {
  const all = new Work()
  const figures = [
    {
      name: 'pgusher_transactions_total',
      help: 'Transactions that ended, single statements included.',
      value: () => all.transactions,
    },
    {
      name: 'pgusher_queries_total',
      help: 'Queries that were answered: a simple query or a Sync each.',
      value: () => all.queries,
    },
    {
      name: 'pgusher_client_received_bytes_total',
      help: 'Bytes that clients sent.',
      value: () => all.receivedBytes,
    },
    {
      name: 'pgusher_client_sent_bytes_total',
      help: 'Bytes that clients were sent.',
      value: () => all.sentBytes,
    },
  ]
  for (const { name, help, value } of figures) {
    registerRead(registry, { name, help, type: 'counter' }, () => single(value()))
  }
  return { all, other: new Work(), observer: observeWork(registry) }
}

function observeWork(registry: Registry): WorkTotals['observer'] {
  const querySeconds = new DurationHistogram({
    name: 'pgusher_query_seconds',
    help: 'Time from giving a request to a server connection until all of it was answered; a pipeline is one request.',
    bounds: WORK_BOUNDS,
  }).register(registry)
  const transactionSeconds = new DurationHistogram({
    name: 'pgusher_transaction_seconds',
    help: 'Time from the first request of a transaction until its end.',
    bounds: WORK_BOUNDS,
  }).register(registry)
  const errors = errorCounter(registry)
  return {
    requestEnded({ durationMs }) {
      querySeconds.observeMs(durationMs)
    },
    transactionEnded(durationMs) {
      transactionSeconds.observeMs(durationMs)
    },
    errorReported(sqlState, origin) {
      errors.inc({ class: errorClass(sqlState), origin })
    },
  }
}

function errorCounter(registry: Registry): Counter<'class' | 'origin'> {
  const errors = new Counter({
    name: 'pgusher_errors_total',
    help: 'Errors that logged-in clients were told, by class of SQLSTATE and by who said it.',
    labelNames: ['class', 'origin'],
    registers: [registry],
  })
  const origins: readonly Parameters<TenantObserver['errorReported']>[1][] = ['server', 'proxy']
  for (const origin of origins) {
    for (const usual of USUAL_CLASSES) errors.inc({ class: usual, origin }, 0)
  }
  return errors
}
