import t, { type Test } from 'tap'
import {
  attempt,
  enter,
  lookups,
  ownerOf,
  sealed,
  startTown,
  visit,
} from '../support/catalog-town.ts'
import { sql } from '../support/postgres.ts'
import type { TestProxy } from '../support/proxy.ts'
import { codes, fields } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const NEGATIVE_MS = 1000
const LONG_MS = 600_000

const town = await startTown(t)
const { source, server } = town

/** One for schemas of the shared server, and one for databases. */
const TEMPLATES = [
  {
    kind: 'schema',
    insert: () =>
      `INSERT INTO pgusher.tenants (name, strategy, server, schema)
       VALUES ('made-*', 'schema', 'shared', '{tenant}')`,
    create: (name: string) =>
      sql(
        server,
        'saas',
        `CREATE SCHEMA "${name}" AUTHORIZATION pool; ${items(name, `"${name}".`, 'pool')}`,
      ),
    drop: (name: string) => sql(server, 'saas', `DROP SCHEMA "${name}" CASCADE`),
  },
  {
    kind: 'database',
    insert: () => {
      const url = server.url('{tenant}', { user: 'pool' }).replace(/[^/]*$/, '{tenant}')
      const context = { kind: 'tenant', name: 'made-*', place: 'databaseUrl', version: 1 } as const
      return `INSERT INTO pgusher.tenants (name, strategy, database_url, secrets, secrets_version)
        VALUES ('made-*', 'database', '${url}', ${sealed('pool', context)}, 1)`
    },
    create: async (name: string) => {
      await sql(server, 'postgres', `CREATE DATABASE "${name}" OWNER pool`)
      await sql(server, name, items(name, '', 'pool'))
    },
    drop: (name: string) => sql(server, 'postgres', `DROP DATABASE "${name}" WITH (FORCE)`),
  },
] as const

function items(name: string, prefix: string, owner: string): string {
  return `CREATE TABLE ${prefix}items (id int, owner text);
    INSERT INTO ${prefix}items VALUES (1, '${name}'); ALTER TABLE ${prefix}items OWNER TO ${owner}`
}

function startProxy(t: Test): Promise<TestProxy> {
  return town.proxy(t, { negativeTtlMs: NEGATIVE_MS, ttlMs: LONG_MS, maxStaleMs: LONG_MS })
}

/** All that a client hears of a refusal, without the name that it gave itself. */
async function refusalOf(proxy: TestProxy, tenant: string) {
  const { client, frames } = await attempt(proxy, tenant)
  await client.end()
  return { codes: codes(frames), error: fields(frames.at(-1)) }
}

/** Connections that a server has taken so far, into whichever of its databases. */
async function connections(): Promise<number> {
  return server.log().split('connection authorized: user=pool').length
}

await sql(server, 'postgres', 'ALTER SYSTEM SET log_connections = on')
await sql(server, 'postgres', 'SELECT pg_reload_conf()')

for (const { kind, insert, create, drop } of TEMPLATES) {
  const open = async (t: Test) => {
    await town.reset()
    await source.run(insert())
    return startProxy(t)
  }

  t.test(`${kind}: a tenant that is there is found`, async (t) => {
    const proxy = await open(t)
    await create('made-up')
    t.teardown(() => drop('made-up'))
    t.equal(await visit(proxy, 'made-up'), 'made-up')
    const before = await lookups(proxy, 'postgres')
    t.equal(await visit(proxy, 'made-up'), 'made-up')
    t.equal(await lookups(proxy, 'postgres'), before)
    t.equal(await visit(proxy, 'acme'), 'acme', 'whoever is listed is not made')
    t.equal(await visit(proxy, 'made-up', { user: 'web' }), '28P01', 'nobody granted it')
    await source.run(`INSERT INTO pgusher.grants ("user", tenant) VALUES ('web', 'made-*')`)
    await until(async () => (await visit(proxy, 'made-up', { user: 'web' })) === 'made-up')
  })

  t.test(`${kind}: a tenant that is not there is unknown`, async (t) => {
    const proxy = await open(t)
    const unknown = await refusalOf(proxy, 'nobody')
    t.match(unknown, { error: { C: '28P01' } })
    const before = await connections()
    const wanted = Array.from({ length: 20 }, () => refusalOf(proxy, 'made-later'))
    for (const refusal of await Promise.all(wanted)) t.strictSame(refusal, unknown)
    for (let tries = 0; tries < 5; tries += 1) {
      t.strictSame(await refusalOf(proxy, 'made-later'), unknown)
    }
    t.ok((await connections()) - before <= 1, 'its server is asked once')
    t.equal(await lookups(proxy, 'postgres', 'hit'), 2, 'and so is the source')
    await create('made-later')
    t.teardown(() => drop('made-later'))
    await until(async () => (await visit(proxy, 'made-later')) === 'made-later')
  })

  t.test(`${kind}: a tenant that goes away is unknown in the end`, async (t) => {
    const proxy = await open(t)
    await create('made-gone')
    const client = await enter(proxy, 'made-gone')
    t.equal(await ownerOf(client), 'made-gone')
    await client.end()
    await drop('made-gone')
    const outcome = await visit(proxy, 'made-gone')
    t.not(outcome, 'made-gone', `${outcome}`)
  })
}

t.test('nobody is unknown because nobody can say', async (t) => {
  await town.reset()
  await source.run(`
    INSERT INTO pgusher.tenants (name, strategy, database_url)
    VALUES ('made-*', 'database', 'postgresql://pool@127.0.0.1:1/{tenant}')`)
  const proxy = await startProxy(t)
  t.match(await refusalOf(proxy, 'made-up'), { error: { C: '57P03' } })
  t.equal(await visit(proxy, 'acme'), 'acme')
  t.equal(
    await proxy.metric('pgusher_catalog_breaker_state', { layer: 'postgres', state: 'closed' }),
    1,
  )
})
