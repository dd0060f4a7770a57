import t from 'tap'
import { RecordRefusedError } from '../../src/catalog/catalog-errors.ts'
import type { CatalogState } from '../../src/telemetry/catalog-state.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { readMetrics } from './metrics-text.ts'

const MINUTE_MS = 60_000

const STATE: CatalogState = {
  isSourceUp: true,
  isRedisUp: true,
  breakers: { redis: 'closed', postgres: 'closed' },
  entries: 0,
  bytes: 0,
}

async function samplesOf(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  return readMetrics(await metrics.text()).samples
}

t.test('lookups are counted by layer and by what came of them', async (t) => {
  const metrics = new Metrics()
  const before = await samplesOf(metrics)
  t.equal(before.get('pgusher_catalog_lookups_total{layer="redis",result="error"}'), 0)
  t.equal(before.get('pgusher_catalog_lookups_total{layer="postgres",result="skipped"}'), 0)
  t.equal(before.get('pgusher_catalog_changes_total{via="postgres"}'), 0)
  t.equal(before.get('pgusher_catalog_refused_records_total'), 0)

  const { catalogObserver: observer } = metrics
  observer.lookedUp('memory', 'miss', 0.01)
  observer.lookedUp('redis', 'hit', 2)
  observer.lookedUp('redis', 'hit', 700)
  observer.lookedUp('postgres', 'error', 2000)
  observer.recordRefused(new RecordRefusedError('tenant acme: no such key'))
  observer.changeTold('postgres')
  observer.changeTold('postgres')
  observer.changeTold('file')

  const samples = await samplesOf(metrics)
  t.equal(samples.get('pgusher_catalog_lookups_total{layer="memory",result="miss"}'), 1)
  t.equal(samples.get('pgusher_catalog_lookups_total{layer="redis",result="hit"}'), 2)
  t.equal(samples.get('pgusher_catalog_lookups_total{layer="redis",result="error"}'), 0)
  t.equal(samples.get('pgusher_catalog_lookups_total{layer="postgres",result="error"}'), 1)
  const seconds = 'pgusher_catalog_lookup_seconds'
  t.equal(samples.get(`${seconds}_count{layer="redis"}`), 2)
  t.equal(samples.get(`${seconds}_sum{layer="redis"}`), 0.702)
  t.equal(samples.get(`${seconds}_bucket{le="0.0025",layer="redis"}`), 1)
  t.equal(samples.get(`${seconds}_bucket{le="0.00001",layer="memory"}`), 1)
  t.equal(samples.get('pgusher_catalog_refused_records_total'), 1)
  t.equal(samples.get('pgusher_catalog_changes_total{via="postgres"}'), 2)
  t.equal(samples.get('pgusher_catalog_changes_total{via="redis"}'), 0)
  t.equal(samples.get('pgusher_catalog_changes_total{via="file"}'), 1)
})

t.test('parts that are not configured have no series', async (t) => {
  const metrics = new Metrics()
  const names = ['pgusher_redis_up', 'pgusher_catalog_source_up', 'pgusher_catalog_entries']
  const unwatched = await samplesOf(metrics)
  for (const name of names) t.equal(unwatched.has(name), false, name)

  let state: CatalogState = { ...STATE, isRedisUp: undefined, entries: 7, bytes: 4096 }
  metrics.watchCatalog(() => state)
  const watched = await samplesOf(metrics)
  t.equal(watched.has('pgusher_redis_up'), false)
  t.equal(watched.has('pgusher_catalog_breaker_state{layer="redis",state="closed"}'), false)
  t.equal(watched.get('pgusher_catalog_source_up'), 1)
  t.equal(watched.get('pgusher_catalog_entries'), 7)
  t.equal(watched.get('pgusher_catalog_bytes'), 4096)

  state = { ...STATE, isSourceUp: false }
  const turned = await samplesOf(metrics)
  t.equal(turned.get('pgusher_redis_up'), 1)
  t.equal(turned.get('pgusher_catalog_source_up'), 0)
  t.equal(turned.get('pgusher_catalog_entries'), 0)
})

t.test('a breaker is in one state', async (t) => {
  const metrics = new Metrics()
  let breakers: CatalogState['breakers'] = STATE.breakers
  metrics.watchCatalog(() => ({ ...STATE, breakers }))
  const statesOf = async (layer: string) => {
    const samples = await samplesOf(metrics)
    return ['closed', 'open', 'halfOpen'].map((state) =>
      samples.get(`pgusher_catalog_breaker_state{layer="${layer}",state="${state}"}`),
    )
  }
  t.strictSame(await statesOf('redis'), [1, 0, 0])
  breakers = { redis: 'open', postgres: 'halfOpen' }
  t.strictSame(await statesOf('redis'), [0, 1, 0])
  t.strictSame(await statesOf('postgres'), [0, 0, 1])
})

t.test('staleness is that of the oldest record of late', async (t) => {
  const clock = new FakeClock()
  const metrics = new Metrics({ clock })
  const staleness = async () => (await samplesOf(metrics)).get('pgusher_catalog_staleness_seconds')
  t.equal(await staleness(), 0)
  metrics.catalogObserver.servedStale(90_000)
  metrics.catalogObserver.servedStale(45_000)
  t.equal(await staleness(), 90)
  t.equal(await staleness(), 90, 'whoever asks gets the same')
  clock.advance(MINUTE_MS)
  metrics.catalogObserver.servedStale(20_000)
  t.equal(await staleness(), 90)
  clock.advance(MINUTE_MS)
  t.equal(await staleness(), 20)
  clock.advance(MINUTE_MS)
  t.equal(await staleness(), 0)
  metrics.catalogObserver.servedStale(5000)
  clock.advance(10 * MINUTE_MS)
  t.equal(await staleness(), 0, 'also after a long silence')
})
