import t, { type Test } from 'tap'
import { lookups, startTown, TOWN_KEY, visit } from '../support/catalog-town.ts'
import { PASSWORD } from '../support/proxy.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const QUERY = 'SELECT id, name, database_url FROM public.tenant WHERE name = $1'
const TTL_MS = 800
/** Longer than any test: nobody asks again by himself. */
const LONG_MS = 600_000
/** For machines that are busy with other tests. */
const SOON_MS = 5000

const town = await startTown(t)
const { source, server } = town

await source.run(`
  CREATE TABLE public.tenant (id int PRIMARY KEY, name text UNIQUE, database_url text);
  CREATE ROLE mapper LOGIN;
  GRANT SELECT ON public.tenant TO mapper`)

t.beforeEach(async () => {
  await source.run(`
    TRUNCATE public.tenant;
    INSERT INTO public.tenant VALUES (1, 'acme', '${urlOf('acme')}')`)
  await town.redis.run('FLUSHALL')
})

function urlOf(database: string): string {
  return server.url(database, { user: database, password: database })
}

function moveTo(database: string): Promise<unknown> {
  return source.run(`
    UPDATE public.tenant SET database_url = '${urlOf(database)}' WHERE name = 'acme'`)
}

function proxyOn(t: Test, catalog: Readonly<Record<string, unknown>>, query = QUERY) {
  const url = `${server.url('x', { user: 'mapper' })}`.replace(
    /@.*/,
    `@127.0.0.1:${source.server.port}/postgres`,
  )
  const login = { user: 'app', password: PASSWORD, tenants: '*' }
  const shared = { url: server.url('saas', { user: 'pool', password: 'pool' }) }
  const postgres = { url, query, timeoutMs: 500 }
  return town.proxy(
    t,
    { postgres, keys: [TOWN_KEY], ...catalog },
    { logins: [login], servers: { shared } },
  )
}

for (const [name, redis] of [
  ['alone', {}],
  ['with Redis', { url: town.redis.url }],
] as const) {
  t.test(`${name}: a table of somebody else leads to tenants`, async (t) => {
    const proxy = await proxyOn(t, { redis })
    t.equal(await visit(proxy, 'acme'), 'acme')
    t.equal(await visit(proxy, 'nobody'), '28P01')
    t.equal(await visit(proxy, 'acme'), 'acme')
    t.equal(await lookups(proxy, 'postgres'), 2)
  })

  t.test(`${name}: a change is seen within the time of a record`, async (t) => {
    const proxy = await proxyOn(t, { redis, ttlMs: TTL_MS })
    const other = await proxyOn(t, { redis, ttlMs: TTL_MS })
    t.equal(await visit(proxy, 'acme'), 'acme')
    t.equal(await visit(other, 'acme'), 'acme')
    await moveTo('umbrella')
    const changedMs = performance.now()
    for (const one of [proxy, other]) {
      await until(async () => (await visit(one, 'acme')) === 'umbrella')
    }
    t.ok(performance.now() - changedMs < TTL_MS + SOON_MS)
  })

  t.test(`${name}: who changes it may tell`, async (t) => {
    const proxies = [await proxyOn(t, { redis, ttlMs: LONG_MS, maxStaleMs: LONG_MS })]
    proxies.push(await proxyOn(t, { redis, ttlMs: LONG_MS, maxStaleMs: LONG_MS }))
    for (const proxy of proxies) t.equal(await visit(proxy, 'acme'), 'acme')
    await moveTo('umbrella')
    for (const proxy of proxies) t.equal(await visit(proxy, 'acme'), 'acme', 'nobody knows yet')
    await source.run(`NOTIFY pgusher, 'tenant acme'`)
    for (const proxy of proxies) {
      await until(async () => (await visit(proxy, 'acme')) === 'umbrella')
    }
    await moveTo('acme')
    await source.run(`NOTIFY pgusher, 'all'`)
    for (const proxy of proxies) {
      await until(async () => (await visit(proxy, 'acme')) === 'acme')
    }
  })

  t.test(`${name}: an answer that is no tenant is as good as none`, async (t) => {
    const proxy = await proxyOn(t, { redis, ttlMs: LONG_MS, maxStaleMs: LONG_MS })
    await source.run(`UPDATE public.tenant SET database_url = 'nonsense'`)
    t.equal(await visit(proxy, 'acme'), '28P01')
    t.match(proxy.log(), 'CATALOG_RECORD_REFUSED')
    await moveTo('umbrella')
    await source.run(`NOTIFY pgusher, 'tenant acme'`)
    await until(async () => (await visit(proxy, 'acme')) === 'umbrella')
  })
}

t.test('tenants of a shared server, which the file knows', async (t) => {
  await source.run(`INSERT INTO public.tenant (id, name) VALUES (42, 'initech'), (2, 'globex')`)
  const query = `
    SELECT id, name, 'shared' AS server, CASE id WHEN 42 THEN 'row' ELSE 'schema' END AS strategy
    FROM public.tenant WHERE name = $1`
  const proxy = await proxyOn(t, { redis: { url: town.redis.url } }, query)
  for (const tenant of ['initech', 'globex']) t.equal(await visit(proxy, tenant), tenant)
  t.equal(await visit(proxy, 'hooli'), '28P01')
})
