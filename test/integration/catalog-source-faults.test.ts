import t, { type Test } from 'tap'
import { startBystander } from '../support/catalog-bystander.ts'
import {
  attempt,
  enter,
  lookups,
  ownerOf,
  readyz,
  startTown,
  visit,
} from '../support/catalog-town.ts'
import type { TestProxy } from '../support/proxy.ts'
import { fields } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

/** Records are due at once, so that each session asks. */
const TIMES = { ttlMs: 200, negativeTtlMs: 100, breakerMinMs: 50, breakerMaxMs: 500 }
const SOON_MS = 5000
const UNAVAILABLE = { C: '57P03', M: 'the tenant catalog is not available' }

const town = await startTown(t)
const { source } = town

/** What takes the catalog's Postgres away, and what gives it back. */
const TROUBLES = [
  {
    name: 'killed',
    begin: () => source.server.halt('immediate'),
    end: () => source.server.restart(),
  },
  {
    name: 'hung',
    begin: async () => source.freeze(),
    end: async () => source.thaw(),
  },
] as const

t.beforeEach(() => town.reset())

function sourceIs(proxy: TestProxy, isUp: 0 | 1): Promise<void> {
  return until(async () => (await proxy.metric('pgusher_catalog_source_up')) === isUp)
}

async function soon(t: Test, proxy: TestProxy, tenant: string): Promise<string | undefined> {
  const startedMs = performance.now()
  const outcome = await visit(proxy, tenant)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs < SOON_MS, `${tenant}: ${Math.round(tookMs)} ms`)
  return outcome
}

async function refusalOf(proxy: TestProxy, tenant: string) {
  const { client, frames } = await attempt(proxy, tenant)
  await client.end()
  return fields(frames.at(-1))
}

/** A proxy without a Redis, or with it. Times are short. */
async function proxyFor(t: Test, isCached: boolean, times = {}): Promise<TestProxy> {
  return town.proxy(t, { ...TIMES, ...times, ...(isCached ? {} : { redis: {} }) })
}

/** Waits until what a proxy knows has run out of its time. */
async function untilStale(proxy: TestProxy, tenant: string): Promise<void> {
  await until(async () => {
    await visit(proxy, tenant)
    return (await lookups(proxy, 'memory', 'stale')) > 0
  })
}

for (const { name, begin, end } of TROUBLES) {
  for (const isCached of [false, true]) {
    const with_ = isCached ? 'with Redis' : 'without Redis'

    t.test(`a source that is ${name}, ${with_}`, async (t) => {
      const proxy = await proxyFor(t, isCached)
      t.equal(await visit(proxy, 'acme'), 'acme')
      t.equal(await visit(proxy, 'nobody'), '28P01')
      const assertLeftAlone = await startBystander(t, proxy, 'umbrella')
      const running = await enter(proxy, 'hooli')

      await begin()
      t.teardown(() => end())
      t.equal(await soon(t, proxy, 'acme'), 'acme')
      await untilStale(proxy, 'acme')
      t.equal(await soon(t, proxy, 'acme'), 'acme')
      t.equal(await soon(t, proxy, 'globex'), '57P03', 'never seen')
      t.match(await refusalOf(proxy, 'nobody'), UNAVAILABLE)
      t.equal(await ownerOf(running), 'hooli')
      await sourceIs(proxy, 0)
      t.match(await readyz(proxy), { code: 200, catalogPostgres: 'down' })
      t.ok((await proxy.metric('pgusher_catalog_staleness_seconds')) > 0)

      await end()
      await until(async () => (await visit(proxy, 'globex')) === 'globex')
      await source.run(`UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'acme'`)
      await until(async () => (await visit(proxy, 'acme')) === '57P03')
      await until(async () => (await visit(proxy, 'nobody')) === '28P01')
      await sourceIs(proxy, 1)
      t.match(await readyz(proxy), { code: 200, catalogPostgres: 'up' })
      t.equal(await ownerOf(running), 'hooli')
      await running.end()
      await assertLeftAlone()
    })
  }

  t.test(`what is too old serves no more while the source is ${name}`, async (t) => {
    const proxy = await proxyFor(t, false, { maxStaleMs: 1000 })
    const running = await enter(proxy, 'hooli')
    t.equal(await visit(proxy, 'acme'), 'acme')
    await begin()
    t.teardown(() => end())
    await untilStale(proxy, 'acme')
    await until(async () => (await visit(proxy, 'acme')) === '57P03')
    t.equal(await ownerOf(running), 'hooli', 'nobody is sent away for what nobody knows')
    await end()
    await until(async () => (await visit(proxy, 'acme')) === 'acme')
    await running.end()
  })
}

t.test('what is known to have changed does not serve', async (t) => {
  const proxy = await town.proxy(t, { ttlMs: 600_000, redis: {} })
  t.equal(await visit(proxy, 'acme'), 'acme')
  t.equal(await visit(proxy, 'globex'), 'globex')
  // It goes on telling of changes, and says nothing more.
  const tables = 'pgusher.state, pgusher.tenants'
  await source.run(`REVOKE SELECT ON ${tables} FROM pgusher_reader`)
  t.teardown(() => source.run(`GRANT SELECT ON ${tables} TO pgusher_reader`))
  await source.run(`UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'acme'`)
  await until(async () => (await refusalOf(proxy, 'acme'))['M'] === UNAVAILABLE.M)
  t.equal(await visit(proxy, 'globex'), 'globex')
  t.match(await refusalOf(proxy, 'acme'), UNAVAILABLE)
  await source.run(`GRANT SELECT ON ${tables} TO pgusher_reader`)
  await until(async () => (await refusalOf(proxy, 'acme'))['M'] !== UNAVAILABLE.M)
  t.match(await refusalOf(proxy, 'acme'), { C: '57P03', M: /suspended/ })
})
