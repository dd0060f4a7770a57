import t, { type Test } from 'tap'
import { startBystander } from '../support/catalog-bystander.ts'
import { lookups, readyz, startTown, untilRedisIs, visit } from '../support/catalog-town.ts'
import { FaultyWire, type WireFault } from '../support/catalog-wire.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

/** Longer than the Redis timeout of a test and the source together need, on a slow machine. */
const SOON_MS = 5000
const TIMES = { ttlMs: 2000, negativeTtlMs: 200, breakerMaxMs: 500 }

const town = await startTown(t)
const { source } = town
const wire = await FaultyWire.to(town.redis.port)
t.teardown(() => wire.stop())

t.beforeEach(async () => {
  town.redis.resume()
  wire.fault = 'none'
  if (!town.redis.isRunning) await town.redis.restart()
  await town.reset()
})

/** What breaks Redis, and what mends it. */
interface Trouble {
  readonly name: string
  readonly url: string
  begin(): Promise<void>
  end(): Promise<void>
}

function onWire(name: string, fault: WireFault): Trouble {
  return {
    name,
    url: `redis://127.0.0.1:${wire.port}`,
    async begin() {
      wire.fault = fault
    },
    async end() {
      wire.fault = 'none'
    },
  }
}

/** The connection that sets the password is in already, and stays. */
function lockedOut(): Trouble {
  let admin: ReturnType<typeof town.redis.connect> | undefined
  return {
    name: 'asking for a password',
    url: town.redis.url,
    async begin() {
      admin = town.redis.connect()
      await admin.call('CONFIG', 'SET', 'requirepass', 'hush')
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    },
    async end() {
      await admin?.call('CONFIG', 'SET', 'requirepass', '')
      admin?.disconnect()
      admin = undefined
    },
  }
}

const TROUBLES: readonly Trouble[] = [
  {
    name: 'killed, and back empty',
    url: town.redis.url,
    begin: () => town.redis.kill(),
    end: () => town.redis.restart(),
  },
  {
    name: 'hung',
    url: town.redis.url,
    begin: async () => town.redis.pause(),
    end: async () => town.redis.resume(),
  },
  lockedOut(),
  onWire('speaking garbage', 'garbage'),
  onWire('silent', 'silent'),
  onWire('hanging up', 'cut'),
]

async function soon<T>(t: Test, what: string, work: Promise<T>): Promise<T> {
  const startedMs = performance.now()
  const result = await work
  const tookMs = performance.now() - startedMs
  t.ok(tookMs < SOON_MS, `${what}: ${Math.round(tookMs)} ms`)
  return result
}

async function worksFromSource(t: Test, proxy: TestProxy): Promise<void> {
  t.equal(await soon(t, 'known', visit(proxy, 'acme')), 'acme')
  t.equal(await soon(t, 'never seen', visit(proxy, 'globex')), 'globex')
  t.equal(await soon(t, 'unknown', visit(proxy, 'nobody')), '28P01')
  await source.run(`UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'acme'`)
  await until(async () => (await visit(proxy, 'acme')) === '57P03')
  await source.run(`UPDATE pgusher.tenants SET status = 'active' WHERE name = 'acme'`)
  await until(async () => (await visit(proxy, 'acme')) === 'acme')
}

for (const trouble of TROUBLES) {
  t.test(`a Redis that is ${trouble.name}`, async (t) => {
    t.teardown(() => trouble.end())
    const proxy = await town.proxy(t, { redis: { url: trouble.url, timeoutMs: 100 }, ...TIMES })
    await untilRedisIs(proxy, 1)
    t.equal(await visit(proxy, 'acme'), 'acme')
    const assertLeftAlone = await startBystander(t, proxy, 'umbrella')

    await trouble.begin()
    await worksFromSource(t, proxy)
    await untilRedisIs(proxy, 0)
    t.match(await readyz(proxy), { code: 200, catalogRedis: 'down', catalogPostgres: 'up' })
    await worksFromSource(t, proxy)
    t.ok((await lookups(proxy, 'redis', 'error')) + (await lookups(proxy, 'redis', 'skipped')) > 0)

    await trouble.end()
    await untilRedisIs(proxy, 1)
    t.match(await readyz(proxy), { code: 200, catalogRedis: 'up' })
    const hits = await lookups(proxy, 'redis', 'hit')
    await until(async () => {
      t.equal(await visit(proxy, 'hooli'), 'hooli')
      return (await lookups(proxy, 'redis', 'hit')) > hits
    }, 5000)
    t.equal(await visit(proxy, 'acme'), 'acme')
    await assertLeftAlone()
  })

  t.test(`a proxy that begins with a Redis that is ${trouble.name}`, async (t) => {
    await trouble.begin()
    t.teardown(() => trouble.end())
    const redis = { url: trouble.url, timeoutMs: 100 }
    const proxy = await startTestProxy(town.settings({ redis, ...TIMES }))
    t.teardown(() => proxy.stop())
    t.match(await readyz(proxy), { code: 200, catalogRedis: 'down' })
    await worksFromSource(t, proxy)
    await trouble.end()
    await untilRedisIs(proxy, 1)
    t.equal(await visit(proxy, 'acme'), 'acme')
  })
}

t.test('what changed while Redis was away does not come back with it', async (t) => {
  const redis = { url: `redis://127.0.0.1:${wire.port}`, timeoutMs: 100 }
  const proxies = [
    await town.proxy(t, { redis, ttlMs: 600_000 }),
    await town.proxy(t, { redis, ttlMs: 600_000 }),
  ]
  for (const proxy of proxies) {
    await untilRedisIs(proxy, 1)
    t.equal(await visit(proxy, 'hooli'), 'hooli')
  }
  wire.fault = 'silent'
  for (const proxy of proxies) await untilRedisIs(proxy, 0)
  await source.run(`UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'hooli'`)
  for (const proxy of proxies) await until(async () => (await visit(proxy, 'hooli')) === '57P03')
  wire.fault = 'none'
  for (const proxy of proxies) await untilRedisIs(proxy, 1)
  for (let tries = 0; tries < 5; tries += 1) {
    for (const proxy of proxies) t.equal(await visit(proxy, 'hooli'), '57P03')
  }
  const late = await town.proxy(t, { redis, ttlMs: 600_000 })
  await untilRedisIs(late, 1)
  t.equal(await visit(late, 'hooli'), '57P03', 'nor to a proxy that was not there')
})
