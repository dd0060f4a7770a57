import t from 'tap'
import { migrate } from '../../src/catalog/postgres/schema/migrate.ts'
import { startProxy } from '../../src/proxy.ts'
import { createLogger } from '../../src/telemetry/log/logger.ts'
import { connect } from '../catalog/postgres/catalog-fixture.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startPostgres } from '../support/postgres.ts'
import { PASSWORD, readMetric, testConfig } from '../support/proxy.ts'
import { RawClient } from '../support/raw-client.ts'
import { RedisServer } from '../support/redis.ts'
import { until } from '../support/until.ts'

const TENANTS = 10_000
const TTL_MS = 30_000
/** Far less than a heartbeat. */
const STEP_MS = 150
/** Longer than the clock is moved in one step: no answer is late by it. */
const TIMEOUT_MS = 60_000

const server = await startPostgres({ major: 18, settings: { log_statement: 'all' } })
t.teardown(() => server.stop())
const redis = await RedisServer.start()
t.teardown(() => redis.stop())
const client = await connect(t, server)
await migrate(client)
await client.query(`
  INSERT INTO pgusher.servers (name, url)
  VALUES ('shared', 'postgresql://${server.superuser}@127.0.0.1:${server.port}/postgres');
  INSERT INTO pgusher.tenants (name, strategy, server)
  SELECT 't' || n, 'schema', 'shared' FROM generate_series(1, ${TENANTS}) AS n`)

const clock = new FakeClock()
const logger = createLogger({ level: 'error', destination: { write() {} } })
const written = server.log().length
const proxy = await startProxy(
  testConfig({
    catalog: {
      postgres: { url: server.url('postgres'), timeoutMs: TIMEOUT_MS },
      redis: { url: redis.url, timeoutMs: TIMEOUT_MS },
      ttlMs: TTL_MS,
    },
  }),
  logger,
  { clock },
)
t.teardown(() => proxy.kill())

function metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number> {
  return readMetric(proxy.adminPort, name, labels)
}

/** How often Postgres was asked something that matches, since the proxy has started. */
function asked(pattern: RegExp): number {
  return [...server.log().slice(written).matchAll(pattern)].length
}

/** How often Redis was asked for a value. */
async function readFromRedis(): Promise<number> {
  const stats = String(await redis.run('INFO', 'commandstats'))
  return Number(/^cmdstat_getrange:calls=(\d+)/m.exec(stats)?.[1] ?? 0)
}

await until(async () => (await metric('pgusher_redis_up')) === 1)

t.test('a proxy that starts reads none of its tenants', async (t) => {
  t.equal(asked(/LISTEN pgusher/g), 1, 'it is told of changes')
  t.equal(asked(/pgusher\.(state|tenants)/g), 0)
  t.equal(await readFromRedis(), 0)
  t.equal(await metric('pgusher_catalog_lookups_total'), 0)
  t.equal(await metric('pgusher_catalog_entries'), 0)
  t.equal(await metric('pgusher_catalog_bytes'), 0)
})

t.test('nor does one that has nothing to do', async (t) => {
  const endMs = clock.nowMs() + 4 * TTL_MS
  while (clock.nowMs() < endMs) {
    const beats = asked(/SELECT 1/g)
    // In steps, as the next beat is not planned before the last one is answered.
    await until(() => {
      clock.advance(STEP_MS)
      return asked(/SELECT 1/g) > beats
    })
  }
  t.equal(asked(/pgusher\.(state|tenants)/g), 0)
  t.equal(await readFromRedis(), 0)
  t.equal(await metric('pgusher_catalog_lookups_total'), 0)
  t.equal(await metric('pgusher_catalog_entries'), 0)
})

t.test('a tenant that is used is read once, and alone', async (t) => {
  for (const name of ['t7', 't7', `t${TENANTS}`]) {
    const raw = await RawClient.connect(proxy.port)
    await raw.logIn({ user: `app.${name}`, password: PASSWORD })
    await raw.end()
  }
  t.equal(asked(/pgusher\.state/g), 2)
  t.equal(await metric('pgusher_catalog_lookups_total', { layer: 'postgres' }), 2)
  t.equal(await metric('pgusher_catalog_entries'), 2)
  t.ok((await readFromRedis()) > 0)
})
