import t from 'tap'
import { startBystander } from '../support/catalog-bystander.ts'
import { readyz, startTown, untilRedisIs, visit } from '../support/catalog-town.ts'
import { FaultyWire } from '../support/catalog-wire.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

/** Records are due at once, so that each session asks. */
const TIMES = { ttlMs: 200, negativeTtlMs: 100, breakerMinMs: 50, breakerMaxMs: 500 }

/** Longer than any test. */
const LONG_MS = 600_000

const town = await startTown(t)
const { source, redis } = town

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

t.beforeEach(async () => {
  if (!redis.isRunning) await redis.restart()
  await town.reset()
})

function untilSourceIs(proxy: TestProxy, isUp: 0 | 1): Promise<void> {
  return until(async () => (await proxy.metric('pgusher_catalog_source_up')) === isUp)
}

for (const { name, begin, end } of TROUBLES) {
  t.test(`Redis serves a proxy that begins while the source is ${name}`, async (t) => {
    const first = await town.proxy(t, TIMES)
    t.equal(await visit(first, 'acme'), 'acme')
    await until(async () => Number(await redis.run('DBSIZE')) >= 2)
    await begin()
    t.teardown(() => end())
    const second = await startTestProxy(town.settings(TIMES))
    t.teardown(() => second.stop())
    await untilRedisIs(second, 1)
    t.equal(await visit(second, 'acme'), 'acme')
    t.equal(await visit(second, 'globex'), '57P03')
    t.match(await readyz(second), { code: 200, catalogPostgres: 'down', catalogRedis: 'up' })
    await end()
    await until(async () => (await visit(second, 'globex')) === 'globex')
  })

  t.test(`both away, the source ${name}`, async (t) => {
    const proxy = await town.proxy(t, TIMES)
    t.equal(await visit(proxy, 'acme'), 'acme')
    const assertLeftAlone = await startBystander(t, proxy, 'umbrella')
    await Promise.all([begin(), redis.kill()])
    t.teardown(() => end())
    await until(async () => (await visit(proxy, 'globex')) === '57P03')
    t.equal(await visit(proxy, 'acme'), 'acme')
    t.equal(await visit(proxy, 'globex'), '57P03')
    const late = await startTestProxy(town.settings(TIMES))
    t.teardown(() => late.stop())
    t.match(await readyz(late), { code: 503, catalog: 'never answered' })
    t.equal(await visit(late, 'acme'), '57P03')
    await Promise.all([end(), redis.restart()])
    for (const one of [proxy, late]) {
      await until(async () => (await visit(one, 'globex')) === 'globex')
      await untilRedisIs(one, 1)
      await untilSourceIs(one, 1)
    }
    t.match(await readyz(late), { code: 200 })
    await assertLeftAlone()
  })
}

t.test('what changed while nobody listened is seen as soon as somebody does', async (t) => {
  const wire = await FaultyWire.to(source.server.port)
  t.teardown(() => wire.stop())
  const postgres = { url: source.url.replace(/:\d+\//, `:${wire.port}/`), timeoutMs: 500 }
  const times = { ttlMs: LONG_MS, maxStaleMs: LONG_MS }
  const proxies = [
    await town.proxy(t, { postgres, ...times }),
    await town.proxy(t, { postgres, ...times }),
  ]
  for (const proxy of proxies) t.equal(await visit(proxy, 'hooli'), 'hooli')
  wire.fault = 'cut'
  wire.cutAll()
  for (const proxy of proxies) await untilSourceIs(proxy, 0)
  await source.run(`UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'hooli'`)
  for (const proxy of proxies) t.equal(await visit(proxy, 'hooli'), 'hooli', 'nobody knows yet')
  wire.fault = 'none'
  for (const proxy of proxies) await untilSourceIs(proxy, 1)
  for (const proxy of proxies) t.equal(await visit(proxy, 'hooli'), '57P03')
})
