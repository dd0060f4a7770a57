import { type Column, columns, type Row } from '../table.ts'
import { NO_TOTALS, type Period, type TenantTotals, type TotalsHistory } from '../tenant-totals.ts'

/** What is counted for each database. */
interface Measures {
  readonly transactions: number
  readonly queries: number
  readonly received: number
  readonly sent: number
  readonly transactionTime: number
  readonly queryTime: number
  readonly waitTime: number
}

const TOTAL_NAMES =
  'total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time'
const AVERAGE_NAMES =
  'avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time'
const SHORT_NAMES =
  'xact_count query_count bytes_received bytes_sent xact_time query_time wait_time'
const SUM_NAMES =
  'total_xact_count total_query_count total_client_bytes total_server_bytes total_xact_time total_query_time total_wait_time avg_xact_count avg_query_count avg_client_bytes avg_server_bytes avg_xact_time avg_query_time avg_wait_time'

const DATABASE = columns('text', 'database')

/** `total_requests` is what `total_query_count` was called before PgBouncer 1.8. */
export const STATS_COLUMNS: readonly Column[] = [
  ...DATABASE,
  ...columns('numeric', `${TOTAL_NAMES} ${AVERAGE_NAMES} total_requests`),
]

/** Of SHOW STATS_TOTALS and of SHOW STATS_AVERAGES. */
export const STATS_PART_COLUMNS: readonly Column[] = [
  ...DATABASE,
  ...columns('numeric', SHORT_NAMES),
]

export const TOTALS_COLUMNS: readonly Column[] = [
  ...columns('text', 'name'),
  ...columns('numeric', 'value'),
]

/** Totals since the start, and averages of the last whole minute, by tenant. */
export function statsRows(totals: readonly TenantTotals[], history: TotalsHistory): Row[] {
  const { period } = history
  return totals.map((one) => ({
    database: one.tenant,
    ...named(TOTAL_NAMES, totalsOf(one)),
    ...named(AVERAGE_NAMES, averagesOf(one.tenant, period)),
    total_requests: one.queries,
  }))
}

export function statsTotalsRows(totals: readonly TenantTotals[]): Row[] {
  return totals.map((one) => ({ database: one.tenant, ...named(SHORT_NAMES, totalsOf(one)) }))
}

export function statsAveragesRows(totals: readonly TenantTotals[], history: TotalsHistory): Row[] {
  const { period } = history
  return totals.map(({ tenant }) => ({
    database: tenant,
    ...named(SHORT_NAMES, averagesOf(tenant, period)),
  }))
}

/** Over all tenants: totals, then averages, one a row. */
export function totalsRows(totals: readonly TenantTotals[], history: TotalsHistory): Row[] {
  const { before, after, seconds } = history.period
  const all = (some: Iterable<TenantTotals>) => [...some].reduce(added, NO_TOTALS)
  const averages = ratesOf(all(before.values()), all(after.values()), seconds)
  const values = [...inOrder(totalsOf(all(totals))), ...inOrder(averages)]
  return SUM_NAMES.split(' ').map((name, index) => ({ name, value: values[index] }))
}

function totalsOf(one: TenantTotals): Measures {
  return {
    transactions: one.transactions,
    queries: one.queries,
    received: one.receivedBytes,
    sent: one.sentBytes,
    transactionTime: one.transactionMs * 1000,
    queryTime: one.queryMs * 1000,
    waitTime: one.waitMs * 1000,
  }
}

function averagesOf(tenant: string, { before, after, seconds }: Period): Measures {
  return ratesOf(before.get(tenant) ?? NO_TOTALS, after.get(tenant) ?? NO_TOTALS, seconds)
}

/**
 * As PgBouncer has them: counts and bytes per second; times, in µs, per transaction and per query,
 * and that of waiting per second.
 */
function ratesOf(before: TenantTotals, after: TenantTotals, seconds: number): Measures {
  const old = totalsOf(before)
  const now = totalsOf(after)
  const grown = (measure: keyof Measures) => Math.max(0, now[measure] - old[measure])
  const perSecond = (measure: keyof Measures) => ratio(grown(measure), seconds)
  return {
    transactions: perSecond('transactions'),
    queries: perSecond('queries'),
    received: perSecond('received'),
    sent: perSecond('sent'),
    transactionTime: ratio(grown('transactionTime'), grown('transactions')),
    queryTime: ratio(grown('queryTime'), grown('queries')),
    waitTime: perSecond('waitTime'),
  }
}

function ratio(amount: number, count: number): number {
  return count > 0 ? Math.round(amount / count) : 0
}

/** In the order of the names above. */
function inOrder(measures: Measures): readonly number[] {
  const { transactions, queries, received, sent } = measures
  const { transactionTime, queryTime, waitTime } = measures
  return [transactions, queries, received, sent, transactionTime, queryTime, waitTime]
}

function named(names: string, measures: Measures): Row {
  const values = inOrder(measures)
  return Object.fromEntries(names.split(' ').map((name, index) => [name, values[index]]))
}

function added(left: TenantTotals, right: TenantTotals): TenantTotals {
  return {
    tenant: '',
    transactions: left.transactions + right.transactions,
    queries: left.queries + right.queries,
    receivedBytes: left.receivedBytes + right.receivedBytes,
    sentBytes: left.sentBytes + right.sentBytes,
    transactionMs: left.transactionMs + right.transactionMs,
    queryMs: left.queryMs + right.queryMs,
    waitMs: left.waitMs + right.waitMs,
  }
}
