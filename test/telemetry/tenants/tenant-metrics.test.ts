import t from 'tap'
import { CheckoutTimeoutError } from '../../../src/pool/pool-errors.ts'
import { Metrics } from '../../../src/telemetry/metrics.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { quietState, samplesOf } from '../metrics-fixture.ts'
import { readMetrics } from '../metrics-text.ts'

const USAGE = { queries: 2, durationMs: 250, receivedBytes: 30, sentBytes: 400 }

function metricsOf(tenantLabels: number, maxTenants = 100) {
  const clock = new FakeClock()
  const metrics = new Metrics({ clock, tenants: () => ({ tenantLabels, maxTenants }) })
  return { metrics, clock, observer: metrics.sessionObserver }
}

async function tenantSamples(metrics: Metrics, name: string): Promise<ReadonlyMap<string, number>> {
  return readMetrics((await metrics.tenantText(name)) ?? '').samples
}

t.test('work is counted in all and by tenant', async (t) => {
  const { metrics, observer } = metricsOf(20)
  const acme = observer.tenant('acme')
  acme.checkedOut(0)
  acme.checkedOut(500)
  acme.requestEnded(USAGE)
  acme.requestEnded({ ...USAGE, queries: 0, durationMs: 50 })
  acme.transactionEnded(1500)
  acme.leaseEnded(2000)
  observer.tenant('globex').requestEnded(USAGE)
  const samples = await samplesOf(metrics)
  const expected = {
    pgusher_queries_total: 4,
    pgusher_query_seconds_count: 3,
    pgusher_query_seconds_sum: 0.55,
    pgusher_transactions_total: 1,
    pgusher_transaction_seconds_count: 1,
    pgusher_transaction_seconds_sum: 1.5,
    pgusher_client_received_bytes_total: 90,
    pgusher_client_sent_bytes_total: 1200,
    'pgusher_tenant_queries_total{tenant="acme"}': 2,
    'pgusher_tenant_query_seconds_total{tenant="acme"}': 0.3,
    'pgusher_tenant_transactions_total{tenant="acme"}': 1,
    'pgusher_tenant_transaction_seconds_total{tenant="acme"}': 1.5,
    'pgusher_tenant_server_seconds_total{tenant="acme"}': 2,
    'pgusher_tenant_wait_seconds_total{tenant="acme"}': 0.5,
    'pgusher_tenant_received_bytes_total{tenant="acme"}': 60,
    'pgusher_tenant_sent_bytes_total{tenant="acme"}': 800,
    'pgusher_tenant_queries_total{tenant="globex"}': 2,
    'pgusher_tenant_queries_total{tenant="other"}': 0,
  }
  t.strictSame(
    Object.fromEntries(Object.keys(expected).map((name) => [name, samples.get(name)])),
    expected,
  )
})

t.test('errors are counted by class and origin', async (t) => {
  const { metrics, observer } = metricsOf(20)
  const acme = observer.tenant('acme')
  t.equal((await samplesOf(metrics)).get('pgusher_errors_total{class="40",origin="server"}'), 0)
  acme.errorReported('40001', 'server')
  acme.errorReported('40P01', 'server')
  acme.errorReported('53300', 'proxy')
  acme.errorReported('T0001', 'server')
  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_errors_total{class="40",origin="server"}'), 2)
  t.equal(samples.get('pgusher_errors_total{class="53",origin="proxy"}'), 1)
  t.equal(samples.get('pgusher_errors_total{class="53",origin="server"}'), 0)
  t.equal(samples.get('pgusher_errors_total{class="other",origin="server"}'), 1, 'made up')
  t.equal(samples.get('pgusher_tenant_errors_total{tenant="acme",class="40"}'), 2)
  t.equal(samples.get('pgusher_tenant_errors_total{tenant="acme",class="other"}'), 1)
})

t.test('gauges by tenant add up to those of all', async (t) => {
  const { metrics, observer } = metricsOf(1)
  observer.opened('acme', 1)
  observer.opened('globex', 1)
  metrics.watch(
    quietState({
      sessionCount: () => 7,
      sessionsOf: (tenant) => (tenant === 'acme' ? 3 : 4),
      waitingTenants: () => ['acme', 'globex', 'globex'],
    }),
  )
  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_tenant_sessions{tenant="acme"}'), 3)
  t.equal(samples.get('pgusher_tenant_sessions{tenant="other"}'), 4)
  t.equal(samples.get('pgusher_tenant_clients_waiting{tenant="acme"}'), 1)
  t.equal(samples.get('pgusher_tenant_clients_waiting{tenant="other"}'), 2)
  const globex = await tenantSamples(metrics, 'globex')
  t.equal(globex.get('pgusher_tenant_sessions{tenant="globex"}'), 4)
  t.equal(globex.get('pgusher_tenant_clients_waiting{tenant="globex"}'), 2)
})

t.test('the page of one tenant is exact, with a label or without', async (t) => {
  const { metrics, observer } = metricsOf(1)
  for (const name of ['acme', 'globex']) {
    observer.tenant(name).requestEnded(USAGE)
    observer.tenant(name).errorReported('23505', 'server')
  }
  const all = [...(await samplesOf(metrics)).keys()].filter((sample) => sample.includes('tenant="'))
  const families = (samples: Iterable<string>) =>
    new Set(Array.from(samples, (sample) => sample.replace(/\{.*/, '')))
  for (const name of ['acme', 'globex']) {
    const samples = await tenantSamples(metrics, name)
    t.equal(samples.get(`pgusher_tenant_queries_total{tenant="${name}"}`), 2)
    t.equal(samples.get(`pgusher_tenant_errors_total{tenant="${name}",class="23"}`), 1)
    t.strictSame(families(samples.keys()), families(all), 'the same metrics')
  }
  t.equal(await metrics.tenantText('nobody'), undefined)
})

t.test('a tenant that is called other has no label of its own', async (t) => {
  const { metrics, observer } = metricsOf(20)
  observer.tenant('other').requestEnded(USAGE)
  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_tenant_queries_total{tenant="other"}'), 2)
  const alone = await tenantSamples(metrics, 'other')
  t.equal(alone.get('pgusher_tenant_queries_total{tenant="other"}'), 2)
})

t.test('who has been without a session for the longest time is forgotten first', async (t) => {
  const { metrics, observer } = metricsOf(0, 3)
  const isKnown = async (name: string) => (await metrics.tenantText(name)) !== undefined
  for (const name of ['a', 'b', 'c']) observer.opened(name, 1)
  observer.closed('b', undefined)
  observer.closed('a', undefined)
  observer.opened('b', 1)
  observer.tenantSwitched('c', 'done', 'b')
  const late = observer.tenant('d')
  t.strictSame(await Promise.all(['a', 'b', 'c', 'd'].map(isKnown)), [false, true, true, true])
  observer.opened('d', 1)
  observer.opened('e', 1)
  t.strictSame(await Promise.all(['b', 'c', 'd', 'e'].map(isKnown)), [false, true, true, true])
  const crowded = observer.tenant('f')
  t.equal(await isKnown('f'), false, 'nobody can be forgotten for it')
  late.requestEnded(USAGE)
  crowded.requestEnded(USAGE)
  t.equal((await samplesOf(metrics)).get('pgusher_tenant_queries_total{tenant="other"}'), 4)
})

t.test('the number of series does not grow with that of the tenants', async (t) => {
  const { metrics, clock, observer } = metricsOf(20, 10_000)
  const seriesWith = async (from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      const account = observer.tenant(`t${number}`)
      observer.opened(`t${number}`, 1)
      account.requestEnded({ ...USAGE, durationMs: number })
      for (const state of ['23505', '40001', '57014', 'ZZ000']) {
        account.errorReported(state, 'server')
      }
    }
    clock.advance(60_000)
    await metrics.text()
    clock.advance(60_000)
    // Node adds series of its own when it first collects garbage in another way.
    const names = [...(await samplesOf(metrics)).keys()]
    return names.filter((name) => name.startsWith('pgusher_')).length
  }
  const few = await seriesWith(0, 1000)
  const many = await seriesWith(1000, 20_000)
  t.equal(many, few)
  t.ok(few > 200, 'those of twenty tenants are among them')
})

t.test('an error tells how many tenants it hit of late', async (t) => {
  const { metrics, clock, observer } = metricsOf(20)
  const sample = 'pgusher_tenants_affected{code="CHECKOUT_TIMEOUT"}'
  const affected = async () => (await samplesOf(metrics)).get(sample)
  t.equal(await affected(), undefined)
  const error = new CheckoutTimeoutError(1)
  for (let round = 0; round < 5; round += 1) observer.closed('acme', error)
  observer.turnedAway('globex', error)
  observer.refused(error)
  observer.closed('initech', undefined)
  t.equal(await affected(), 2)
  clock.advance(60_000)
  observer.closed('acme', error)
  observer.closed('umbrella', error)
  t.equal(await affected(), 3, 'of this minute and the one before')
  clock.advance(60_000)
  t.equal(await affected(), 2)
  clock.advance(60_000)
  t.equal(await affected(), 0)
  observer.closed('acme', error)
  clock.advance(180_000)
  t.equal(await affected(), 0, 'also when nobody looked for long')
})
