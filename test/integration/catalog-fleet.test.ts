import t, { type Test } from 'tap'
import { startBystander } from '../support/catalog-bystander.ts'
import { enter, ownerOf, sealed, startTown, verifierOf, visit } from '../support/catalog-town.ts'
import type { TestProxy } from '../support/proxy.ts'
import { query, type RawClient, sqlStates } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

/** Longer than any test: what is seen was told, not asked again for. */
const LONG_MS = 600_000
/** A change takes milliseconds; this is for machines that are busy with other tests. */
const SOON_MS = 5000

const town = await startTown(t)
const { source, server, redis } = town

t.beforeEach(() => town.reset())

type Fleet = readonly TestProxy[]

async function startFleet(t: Test, isCached: boolean): Promise<Fleet> {
  const catalog = {
    ttlMs: LONG_MS,
    negativeTtlMs: LONG_MS,
    maxStaleMs: LONG_MS,
    ...(isCached ? {} : { redis: {} }),
  }
  return [await town.proxy(t, catalog), await town.proxy(t, catalog)]
}

/** One session at each of the proxies. */
function enterAll(
  fleet: Fleet,
  tenant: string,
  login: { readonly user?: string } = {},
): Promise<RawClient[]> {
  return Promise.all(fleet.map((proxy) => enter(proxy, tenant, login)))
}

/** Resolves as soon as an idle session has heard its last words; they are returned. */
async function lastWords(client: RawClient): Promise<readonly (string | undefined)[]> {
  return sqlStates(await client.toEnd())
}

async function inASecond<T>(t: Test, what: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now()
  const result = await work()
  const tookMs = performance.now() - startedMs
  t.ok(tookMs < SOON_MS, `${what}: after ${Math.round(tookMs)} ms`)
  return result
}

/** A change ends the idle sessions of all proxies, and new ones are refused. */
async function endsAll(
  t: Test,
  fleet: Fleet,
  {
    tenant,
    user = 'app',
    sql,
    refusal,
  }: {
    readonly tenant: string
    readonly user?: string
    readonly sql: string
    readonly refusal: string
  },
): Promise<void> {
  const clients = await enterAll(fleet, tenant, { user })
  for (const client of clients) t.equal(await ownerOf(client), tenant)
  await source.run(sql)
  const words = await inASecond(t, sql.slice(0, 30), () => Promise.all(clients.map(lastWords)))
  t.strictSame(words, [['57P01'], ['57P01']])
  for (const proxy of fleet) t.equal(await visit(proxy, tenant, { user }), refusal)
}

for (const isCached of [true, false]) {
  const with_ = isCached ? 'with Redis' : 'without Redis'

  t.test(`${with_}: sessions that may not go on end everywhere`, async (t) => {
    const fleet = await startFleet(t, isCached)
    const assertLeftAlone = await Promise.all(
      fleet.map((proxy) => startBystander(t, proxy, 'umbrella')),
    )
    await endsAll(t, fleet, {
      tenant: 'acme',
      sql: `UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'acme'`,
      refusal: '57P03',
    })
    await endsAll(t, fleet, {
      tenant: 'globex',
      sql: `DELETE FROM pgusher.tenants WHERE name = 'globex'`,
      refusal: '28P01',
    })
    await source.run(`INSERT INTO pgusher.grants ("user", tenant) VALUES ('web', 'hooli')`)
    await endsAll(t, fleet, {
      tenant: 'hooli',
      user: 'web',
      sql: `DELETE FROM pgusher.grants WHERE "user" = 'web'`,
      refusal: '28P01',
    })
    await source.run(`INSERT INTO pgusher.grants ("user", tenant) VALUES ('web', 'hooli')`)
    for (const proxy of fleet) {
      await until(async () => (await visit(proxy, 'hooli', { user: 'web' })) === 'hooli', SOON_MS)
    }
    await endsAll(t, fleet, {
      tenant: 'hooli',
      user: 'web',
      sql: `UPDATE pgusher.logins SET secret = '${verifierOf('another')}' WHERE "user" = 'web'`,
      refusal: '28P01',
    })
    for (const proxy of fleet) {
      t.equal(await visit(proxy, 'hooli', { user: 'web', password: 'another' }), 'hooli')
    }
    for (const assertOne of assertLeftAlone) await assertOne()
  })

  t.test(`${with_}: sessions follow where their tenant goes`, async (t) => {
    const fleet = await startFleet(t, isCached)
    const clients = await enterAll(fleet, 'globex')
    const moved = await enterAll(fleet, 'acme')
    for (const client of clients) t.equal(await ownerOf(client), 'globex')
    for (const client of moved) t.equal(await ownerOf(client), 'acme')
    await source.run(`
      DELETE FROM pgusher.tenants WHERE name IN ('hooli', 'umbrella');
      UPDATE pgusher.tenants SET schema = 'tenant_hooli' WHERE name = 'globex'`)
    await inASecond(t, 'another schema', async () => {
      for (const client of clients) await until(async () => (await ownerOf(client)) === 'hooli')
    })
    await moveAcme()
    await inASecond(t, 'another database', async () => {
      for (const client of moved) await until(async () => (await ownerOf(client)) === 'umbrella')
    })
    await Promise.all([...clients, ...moved].map((client) => client.end()))
  })

  t.test(`${with_}: names that come are found, names that go are not`, async (t) => {
    const fleet = await startFleet(t, isCached)
    for (const proxy of fleet) t.equal(await visit(proxy, 'later'), '28P01')
    await source.run(`
      INSERT INTO pgusher.tenants (name, strategy, server, id) VALUES ('later', 'row', 'shared', '9')`)
    await inASecond(t, 'there', async () => {
      for (const proxy of fleet) await until(async () => (await visit(proxy, 'later')) === '')
    })
    await source.run(`UPDATE pgusher.tenants SET name = 'latest' WHERE name = 'later'`)
    await inASecond(t, 'renamed', async () => {
      for (const proxy of fleet) await until(async () => (await visit(proxy, 'later')) === '28P01')
    })
    for (const proxy of fleet) t.equal(await visit(proxy, 'latest'), '')
  })

  t.test(`${with_}: a transaction ends where it began`, async (t) => {
    const fleet = await startFleet(t, isCached)
    const clients = await enterAll(fleet, 'globex')
    for (const client of clients) {
      await client.ask(query('BEGIN'))
      t.equal(await ownerOf(client), 'globex')
    }
    await source.run(`
      DELETE FROM pgusher.tenants WHERE name = 'hooli';
      UPDATE pgusher.tenants SET schema = 'tenant_hooli' WHERE name = 'globex'`)
    for (const proxy of fleet) {
      await until(async () => (await visit(proxy, 'globex')) === 'hooli', SOON_MS)
    }
    for (const client of clients) {
      t.equal(await ownerOf(client), 'globex')
      await client.ask(query('COMMIT'))
      t.equal(await ownerOf(client), 'hooli')
      await client.end()
    }
  })
}

/** Into the database of umbrella, with that one's login. */
function moveAcme(): Promise<unknown> {
  const url = server.url('umbrella', { user: 'umbrella' })
  const context = { kind: 'tenant', name: 'acme', place: 'databaseUrl', version: 2 } as const
  return source.run(`
    UPDATE pgusher.tenants SET database_url = '${url}', secrets_version = 2,
      secrets = ${sealed('umbrella', context)} WHERE name = 'acme'`)
}

t.test('a catalog that was restored from a backup', async (t) => {
  const fleet = await startFleet(t, true)
  for (let change = 0; change < 20; change += 1) {
    await source.run(`UPDATE pgusher.tenants SET labels = '{"change":"${change}"}'`)
  }
  for (const proxy of fleet) t.equal(await visit(proxy, 'globex'), 'globex')
  // As it was before the last changes: nobody is told, and versions are lower.
  await source.run(`
    SET session_replication_role = replica;
    DELETE FROM pgusher.tenants WHERE name = 'hooli';
    UPDATE pgusher.tenants SET schema = 'tenant_hooli' WHERE name = 'globex';
    UPDATE pgusher.state SET version = version - 10`)
  for (const proxy of fleet) t.equal(await visit(proxy, 'globex'), 'globex', 'nobody knows yet')
  await source.run(`UPDATE pgusher.state SET version = version + 1000000; NOTIFY pgusher, 'all'`)
  for (const proxy of fleet) {
    await until(async () => (await visit(proxy, 'globex')) === 'hooli', SOON_MS)
    t.equal(await visit(proxy, 'hooli'), '28P01')
  }
})

t.test('edits of Redis by hand are followed', async (t) => {
  const fleet = await startFleet(t, true)
  for (const proxy of fleet) t.equal(await visit(proxy, 'globex'), 'globex')
  const key = 'pgusher:tenant:globex'
  for (const edit of [['DEL', key], ['FLUSHALL'], ['SET', key, 'nonsense'], ['RENAME', key, 'x']]) {
    await until(async () => (await storedFormat(key)) === 1)
    const before = await Promise.all(fleet.map(changesByRedis))
    await redis.run(...edit)
    for (const [index, proxy] of fleet.entries()) {
      await until(async () => (await changesByRedis(proxy)) > (before[index] ?? 0), SOON_MS)
      t.equal(await visit(proxy, 'globex'), 'globex', edit.join(' '))
    }
  }
  await until(async () => (await storedFormat(key)) === 1)
  const value = JSON.parse(String(await redis.run('GET', key)))
  value.tenant.tenant.settings.schema = 'tenant_hooli'
  await redis.run('SET', key, JSON.stringify(value), 'PX', String(LONG_MS))
  for (const proxy of fleet) {
    await until(async () => (await visit(proxy, 'globex')) === 'hooli', SOON_MS)
  }
})

/** What a proxy can read begins with its format. */
async function storedFormat(key: string): Promise<number | undefined> {
  const [, format] = /^\{"format":(\d+),.*"tenant"/.exec(String(await redis.run('GET', key))) ?? []
  return format === undefined ? undefined : Number(format)
}

function changesByRedis(proxy: TestProxy): Promise<number> {
  return proxy.metric('pgusher_catalog_changes_total', { via: 'redis' })
}
