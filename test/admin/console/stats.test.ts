import t from 'tap'
import { statsRows, statsTotalsRows, totalsRows } from '../../../src/admin/console/shows/stats.ts'
import {
  NO_TOTALS,
  type TenantTotals,
  TotalsHistory,
} from '../../../src/admin/console/tenant-totals.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function totals(tenant: string, factor: number): TenantTotals {
  return {
    tenant,
    transactions: 60 * factor,
    queries: 120 * factor,
    receivedBytes: 6000 * factor,
    sentBytes: 12_000 * factor,
    transactionMs: 600 * factor,
    queryMs: 360 * factor,
    waitMs: 120 * factor,
  }
}

t.test('totals are those since the start, averages those of the last whole minute', async (t) => {
  const clock = new FakeClock()
  let now: readonly TenantTotals[] = [totals('acme', 1)]
  const history = new TotalsHistory(() => now, clock)
  t.teardown(() => history.stop())
  t.match(statsRows(now, history), [{ database: 'acme', total_xact_count: 60, avg_xact_count: 0 }])

  clock.advance(30_000)
  now = [totals('acme', 2)]
  t.match(statsRows(now, history), [{ avg_xact_count: 2, avg_recv: 200 }], 'of 30 s so far')

  clock.advance(30_000)
  now = [totals('acme', 3), totals('globex', 1)]
  const [acme, globex] = statsRows(now, history)
  t.strictSame(acme, {
    database: 'acme',
    total_xact_count: 180,
    total_query_count: 360,
    total_received: 18_000,
    total_sent: 36_000,
    total_xact_time: 1_800_000,
    total_query_time: 1_080_000,
    total_wait_time: 360_000,
    avg_xact_count: 1,
    avg_query_count: 2,
    avg_recv: 100,
    avg_sent: 200,
    avg_xact_time: 10_000,
    avg_query_time: 3000,
    avg_wait_time: 2000,
    total_requests: 360,
  })
  t.match(globex, { total_xact_count: 60, avg_xact_count: 0 }, 'not there in that minute')

  clock.advance(60_000)
  t.match(statsRows(now, history), [{ avg_xact_count: 1 }, { avg_xact_count: 1, avg_sent: 200 }])
  clock.advance(60_000)
  t.match(statsRows(now, history), [{ avg_xact_count: 0 }, { avg_xact_count: 0, avg_xact_time: 0 }])
})

t.test('totals over all tenants', async (t) => {
  const clock = new FakeClock()
  let now: readonly TenantTotals[] = []
  const history = new TotalsHistory(() => now, clock)
  now = [totals('acme', 1), totals('other', 2)]
  clock.advance(60_000)
  const rows = new Map(totalsRows(now, history).map(({ name, value }) => [name, value]))
  t.equal(rows.get('total_xact_count'), 180)
  t.equal(rows.get('total_client_bytes'), 18_000)
  t.equal(rows.get('avg_query_count'), 6)
  t.equal(rows.get('avg_wait_time'), 6000)
  t.match(statsTotalsRows(now), [{ database: 'acme', bytes_received: 6000 }, { database: 'other' }])
  history.stop()
  t.equal(clock.pending, 0)
})

t.test('a figure that goes back shows as none', async (t) => {
  const clock = new FakeClock()
  let now: readonly TenantTotals[] = [totals('acme', 5)]
  const history = new TotalsHistory(() => now, clock)
  now = [{ ...NO_TOTALS, tenant: 'acme' }]
  clock.advance(60_000)
  t.match(statsRows(now, history), [{ avg_xact_count: 0, avg_recv: 0 }])
  history.stop()
})
