import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import t from 'tap'
import { AuthenticationFailedError, AuthMethodRefusedError } from '../../src/auth/auth-errors.ts'
import { CheckoutTimeoutError } from '../../src/pool/pool-errors.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { quietPool as pool, samplesOf, quietState as state } from './metrics-fixture.ts'

t.test('sessions are counted by how they come and go', async (t) => {
  const metrics = new Metrics()
  const { sessionObserver: observer } = metrics
  const before = await samplesOf(metrics)
  t.equal(before.get('pgusher_sessions_closed_total{code="ok"}'), 0)
  t.equal(before.get('pgusher_auth_failures_total{reason="wrongPassword"}'), 0)
  t.equal(before.get('pgusher_cancel_requests_total{result="found"}'), 0)

  observer.opened('acme', 4)
  observer.opened('globex', 700)
  observer.closed('acme', undefined)
  observer.closed('globex', new CheckoutTimeoutError(5))
  observer.refused(new AuthenticationFailedError('app', 'wrongPassword'))
  observer.refused(new AuthenticationFailedError('app', 'unknownTenant'))
  observer.refused(new AuthMethodRefusedError('trust', 'TLS'))
  observer.cancelRequested(true)
  observer.cancelRequested(false)
  observer.cancelRequested(false)
  for (let turn = 0; turn < 3; turn += 1) observer.tenant('acme').transactionEnded(1)

  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_sessions_opened_total'), 2)
  t.equal(samples.get('pgusher_sessions_closed_total{code="ok"}'), 1)
  t.equal(samples.get('pgusher_sessions_closed_total{code="CHECKOUT_TIMEOUT"}'), 1)
  t.equal(samples.get('pgusher_logins_refused_total{code="AUTHENTICATION_FAILED"}'), 2)
  t.equal(samples.get('pgusher_logins_refused_total{code="AUTH_METHOD_REFUSED"}'), 1)
  t.equal(samples.get('pgusher_auth_failures_total{reason="wrongPassword"}'), 1)
  t.equal(samples.get('pgusher_auth_failures_total{reason="unknownTenant"}'), 1)
  t.equal(samples.get('pgusher_auth_failures_total{reason="notGranted"}'), 0)
  t.equal(samples.get('pgusher_cancel_requests_total{result="found"}'), 1)
  t.equal(samples.get('pgusher_cancel_requests_total{result="not_found"}'), 2)
  t.equal(samples.get('pgusher_transactions_total'), 3)
  t.equal(samples.get('pgusher_login_seconds_count'), 2)
  t.equal(samples.get('pgusher_login_seconds_sum'), 0.704)
})

t.test('pool events are counted by pool', async (t) => {
  const metrics = new Metrics()
  const { poolObserver: observer } = metrics
  observer.serverOpened('a', 20)
  observer.serverOpened('b', 30)
  observer.serverFailed('a', new CheckoutTimeoutError(1))
  observer.serverFailed('a', new Error('a bug'))
  observer.serverClosed('b', 'lifetime')
  observer.checkoutRefused('b', new CheckoutTimeoutError(1))
  observer.checkedOut('a', 0)
  observer.checkedOut('a', 250)
  observer.checkedOut('b', 0)

  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_server_opened_total{pool="a"}'), 1)
  t.equal(samples.get('pgusher_server_open_seconds_sum'), 0.05)
  const failures = 'pgusher_server_open_failures_total'
  t.equal(samples.get(`${failures}{pool="a",code="CHECKOUT_TIMEOUT"}`), 1)
  t.equal(samples.get(`${failures}{pool="a",code="INTERNAL_ERROR"}`), 1)
  t.equal(samples.get('pgusher_server_closed_total{pool="b",reason="lifetime"}'), 1)
  const refused = 'pgusher_pool_checkouts_refused_total{pool="b",code="CHECKOUT_TIMEOUT"}'
  t.equal(samples.get(refused), 1)
  t.equal(samples.get('pgusher_pool_checkouts_total{pool="a"}'), 2)
  t.equal(samples.get('pgusher_pool_checkouts_total{pool="b"}'), 1)
  t.equal(samples.get('pgusher_pool_wait_seconds_count'), 3)
  t.equal(samples.get('pgusher_pool_wait_seconds_bucket{le="0.1"}'), 2)
  t.equal(samples.get('pgusher_pool_wait_seconds_bucket{le="0.25"}'), 3)
})

t.test('gauges show the proxy at the scrape', async (t) => {
  const metrics = new Metrics()
  const before = await samplesOf(metrics)
  t.equal(before.get('pgusher_sessions'), 0, 'before there is anything to watch')
  let isDraining = false
  let pools = [
    pool('a', { idle: 1, leased: 2, canceling: 3, connecting: 4, waiting: 5, oldestWaitMs: 1500 }),
    pool('b', { size: 20, idle: 7, oldestLeaseMs: 2500 }),
  ]
  metrics.watch(
    state({
      pools: () => pools,
      sessionCount: () => 6,
      clientCount: () => 8,
      isDraining: () => isDraining,
      catalogTenants: () => 9,
    }),
  )
  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_sessions'), 6)
  t.equal(samples.get('pgusher_client_connections'), 8)
  t.equal(samples.get('pgusher_draining'), 0)
  t.equal(samples.get('pgusher_catalog_tenants'), 9)
  t.equal(samples.get('pgusher_pool_servers{pool="a",state="idle"}'), 1)
  t.equal(samples.get('pgusher_pool_servers{pool="a",state="active"}'), 2)
  t.equal(samples.get('pgusher_pool_servers{pool="a",state="canceling"}'), 3)
  t.equal(samples.get('pgusher_pool_servers{pool="a",state="login"}'), 4)
  t.equal(samples.get('pgusher_pool_clients_waiting{pool="a"}'), 5)
  t.equal(samples.get('pgusher_pool_oldest_wait_seconds{pool="a"}'), 1.5)
  t.equal(samples.get('pgusher_pool_servers{pool="b",state="idle"}'), 7)
  t.equal(samples.get('pgusher_pool_max_connections{pool="b"}'), 20)
  t.equal(samples.get('pgusher_pool_oldest_lease_seconds{pool="b"}'), 2.5)
  t.equal(samples.get('pgusher_pool_checkouts_total{pool="b"}'), 0, 'a counter is there from 0')

  isDraining = true
  pools = []
  metrics.poolObserver.checkedOut('a', 0)
  const after = await samplesOf(metrics)
  t.equal(after.get('pgusher_draining'), 1)
  t.equal(after.get('pgusher_pool_servers{pool="a",state="idle"}'), undefined)
  t.equal(after.get('pgusher_pool_clients_waiting{pool="a"}'), undefined)
  t.equal(after.get('pgusher_pool_checkouts_total{pool="a"}'), 1, 'counters of it stay')
})

t.test('pools of one name are added up', async (t) => {
  const metrics = new Metrics()
  const first = pool('a', { idle: 1, waiting: 1, oldestWaitMs: 3000 })
  const second = pool('a', { idle: 2, waiting: 2, oldestWaitMs: 2000 })
  metrics.watch(state({ pools: () => [first, second] }))
  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_pool_servers{pool="a",state="idle"}'), 3)
  t.equal(samples.get('pgusher_pool_clients_waiting{pool="a"}'), 3)
  t.equal(samples.get('pgusher_pool_oldest_wait_seconds{pool="a"}'), 3)
})

t.test('pools after the first hundred share one label', async (t) => {
  const metrics = new Metrics()
  for (let number = 1; number <= 103; number += 1) {
    metrics.poolObserver.checkedOut(`p${number}`, 0)
    metrics.poolObserver.serverOpened(`p${number}`, 1)
  }
  metrics.poolObserver.checkedOut('p1', 0)
  metrics.watch(state({ pools: () => [pool('p102', { idle: 1 }), pool('p103', { idle: 2 })] }))
  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_pool_checkouts_total{pool="p1"}'), 2)
  t.equal(samples.get('pgusher_pool_checkouts_total{pool="p100"}'), 1)
  t.equal(samples.get('pgusher_pool_checkouts_total{pool="p101"}'), undefined)
  t.equal(samples.get('pgusher_pool_checkouts_total{pool="other"}'), 3)
  t.equal(samples.get('pgusher_server_opened_total{pool="other"}'), 3)
  t.equal(samples.get('pgusher_pool_servers{pool="other",state="idle"}'), 3)
})

t.test('scrapes at the same moment see the same', async (t) => {
  const metrics = new Metrics()
  metrics.sessionObserver.tenant('acme').transactionEnded(1)
  metrics.poolObserver.checkedOut('a', 0)
  for (const samples of await Promise.all([samplesOf(metrics), samplesOf(metrics)])) {
    t.equal(samples.get('pgusher_transactions_total'), 1)
    t.equal(samples.get('pgusher_pool_checkouts_total{pool="a"}'), 1)
  }
})

t.test('the build is named, and so is the format', async (t) => {
  const metrics = new Metrics()
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const samples = await samplesOf(metrics)
  t.equal(samples.get(`pgusher_build_info{version="${version}"}`), 1)
  t.match(metrics.contentType, /^text\/plain; version=0\.0\.4/)
})

t.test('what a budget denied is counted on when the budget begins anew', async (t) => {
  const metrics = new Metrics()
  let budgets = [{ server: 'db:5432', used: 3, max: 3, denied: 5 }]
  metrics.watch(state({ budgets: () => budgets }))
  const denied = async () =>
    (await samplesOf(metrics)).get('pgusher_server_budget_denied_total{server="db:5432"}')
  t.equal(await denied(), 5)
  t.equal(await denied(), 5)
  budgets = []
  t.equal(await denied(), 5, 'of a budget that is gone')
  budgets = [{ server: 'db:5432', used: 0, max: 3, denied: 7 }]
  t.equal(await denied(), 12)
  budgets = [{ server: 'db:5432', used: 0, max: 3, denied: 2 }]
  t.equal(await denied(), 14, 'it was gone and came back between two scrapes')
})

t.test('drains and reloads are counted by their end', async (t) => {
  const metrics = new Metrics()
  metrics.drained('timeout')
  metrics.reloaded('refused')
  metrics.reloaded('refused')
  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_drains_total{outcome="timeout"}'), 1)
  t.equal(samples.get('pgusher_drains_total{outcome="complete"}'), 0)
  t.equal(samples.get('pgusher_config_reloads_total{result="refused"}'), 2)
  t.equal(samples.get('pgusher_config_reloads_total{result="done"}'), 0)
})

t.test('open file descriptors are counted', async (t) => {
  const metrics = new Metrics()
  const before = (await samplesOf(metrics)).get('process_open_fds') ?? Number.NaN
  const files = await Promise.all(Array.from({ length: 5 }, () => open('package.json')))
  t.equal((await samplesOf(metrics)).get('process_open_fds'), before + 5)
  for (const file of files) await file.close()
})
