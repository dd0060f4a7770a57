import { Client } from 'pg'
import t, { type Test } from 'tap'
import { buildLink, type Link, restingSettings } from '../../src/tenancy/link.ts'
import type { Setting, Tenancy } from '../../src/tenancy/tenancy.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { linkQuery } from './link-fixture.ts'

const SETTING = 'app.tenant_id'
const OUTSIDER = 'select current_user::text'

function schemaLink(tenant: string, settings: readonly Setting[] = []): Link {
  const tenancy: Tenancy = { strategy: 'schema', searchPath: [tenant], setting: SETTING }
  return buildLink(
    { tenant, version: 1, tenancy, isolation: 'convenience', settings, role: `role_${tenant}` },
    [],
  )
}

const acme = schemaLink('acme')
const globex = schemaLink('globex')

/** What a session of acme may leave behind, and what must come of asking for it as globex. */
const LEFTOVERS = [
  { name: 'a setting', make: `set datestyle = german`, ask: 'show datestyle', sees: 'ISO, MDY' },
  {
    name: 'a setting of its own',
    make: `select set_config('my.secret', 'x', false)`,
    ask: `select coalesce(current_setting('my.secret', true), '')`,
    sees: '',
  },
  { name: 'a role', make: 'set role pg_monitor', ask: OUTSIDER, sees: 'role_globex' },
  { name: 'no role', make: 'reset role', ask: OUTSIDER, sees: 'role_globex' },
  {
    name: 'a temporary table',
    make: 'create temp table t ()',
    ask: `select to_regclass('t')`,
    sees: null,
  },
  {
    name: 'a temporary function',
    make: 'create function pg_temp.f() returns int language sql as $$ select 1 $$',
    ask: `select to_regprocedure('pg_temp.f()')`,
    sees: null,
  },
  {
    name: 'a prepared statement',
    make: 'prepare p as select 1',
    ask: 'select count(*)::int from pg_prepared_statements',
    sees: 0,
  },
  {
    name: 'a cursor',
    make: 'declare c cursor with hold for select 1',
    ask: 'select count(*)::int from pg_cursors',
    sees: 0,
  },
  {
    name: 'advisory locks',
    make: 'select pg_advisory_lock(1), pg_advisory_lock_shared(2)',
    ask: `select count(*)::int from pg_locks where locktype = 'advisory'`,
    sees: 0,
  },
  {
    name: 'channels',
    make: 'listen c',
    ask: 'select count(*)::int from pg_listening_channels()',
    sees: 0,
  },
  {
    name: 'a sequence cache',
    make: `select nextval('counter')`,
    ask: `select lastval()`,
    sees: '55000',
  },
  {
    name: 'a read-only, deferrable default',
    make: `set session characteristics as transaction isolation level serializable, read only, deferrable`,
    ask: `select current_setting('default_transaction_read_only') || current_setting('transaction_isolation')`,
    sees: 'offread committed',
  },
  {
    name: 'an encoding',
    make: `set client_encoding = 'SJIS'`,
    ask: 'show client_encoding',
    sees: 'UTF8',
  },
  {
    name: 'quoting',
    make: `set standard_conforming_strings = off; set backslash_quote = off`,
    ask: 'show backslash_quote',
    sees: 'safe_encoding',
  },
  {
    name: 'a search path',
    make: `set search_path = acme, pg_catalog`,
    ask: 'show search_path',
    sees: '"globex"',
  },
] as const

for (const major of [15, 18] as const) {
  t.test(`Postgres ${major}`, async (t) => {
    const postgres = await startPostgres({ major })
    t.teardown(() => postgres.stop())
    await sql(
      postgres,
      'postgres',
      `create role pool login; create role role_acme; create role role_globex;
       grant role_acme, role_globex, pg_monitor to pool;
       create schema acme authorization role_acme; create schema globex authorization role_globex;
       grant temp on database postgres to role_acme;
       create sequence acme.counter; grant all on sequence acme.counter to role_acme`,
    )
    for (const leftover of LEFTOVERS) await testLeftover(t, postgres, leftover)
    await testOperators(t, postgres)
    await testResting(t, postgres)
    await testFailure(t, postgres)
  })
}

async function connect(t: Test, postgres: PostgresServer): Promise<Client> {
  const resting = restingSettings({
    tenancy: { strategy: 'schema', searchPath: [], setting: SETTING },
    settings: [],
  })
  const options = resting.map(({ name, value }) => `-c ${name}=${value}`).join(' ')
  const { host, port } = postgres
  const client = new Client({ host, port, user: 'pool', database: 'postgres', options })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

async function run(client: Client, text: string | undefined): Promise<void> {
  if (text !== undefined) await client.query(text)
}

async function ask(client: Client, text: string): Promise<unknown> {
  try {
    const result = await client.query({ text, rowMode: 'array' })
    return result.rows[0]?.[0]
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

async function testLeftover(
  t: Test,
  postgres: PostgresServer,
  { name, make, ask: question, sees }: (typeof LEFTOVERS)[number],
): Promise<void> {
  await t.test(`${name} does not cross`, async (t) => {
    const client = await connect(t, postgres)
    for (const isDirty of [false, true]) {
      await run(client, linkQuery(isDirty ? globex : undefined, acme, isDirty))
      const before = await ask(client, question)
      await client.query(make)
      t.not(await ask(client, question), before, 'it is there before')
      await run(client, linkQuery(acme, globex, isDirty))
      t.equal(await ask(client, question), sees)
    }
  })
}

/** Functions and operators of a tenant are not what the link calls. */
async function testOperators(t: Test, postgres: PostgresServer): Promise<void> {
  await t.test('a tenant can not stand in the way of the link', async (t) => {
    const client = await connect(t, postgres)
    await run(client, linkQuery(undefined, acme, false))
    await client.query(
      `create or replace function acme.set_config(text, text, boolean) returns text
         language plpgsql as $$ begin raise exception 'caught'; end $$;
       set search_path = acme, pg_catalog`,
    )
    await run(client, linkQuery(acme, globex, true))
    t.equal(await ask(client, 'show search_path'), '"globex"')
  })
}

async function testResting(t: Test, postgres: PostgresServer): Promise<void> {
  await t.test('the resting state is what a reset falls back to', async (t) => {
    const client = await connect(t, postgres)
    await run(client, linkQuery(undefined, acme, false))
    await client.query('discard all')
    t.equal(await ask(client, 'show search_path'), 'pg_catalog')
    t.equal(await ask(client, `select current_setting('${SETTING}')`), '')
  })
}

async function testFailure(t: Test, postgres: PostgresServer): Promise<void> {
  await t.test('a link that fails leaves a block in which nothing runs', async (t) => {
    const broken = [
      schemaLink('globex', [{ name: 'timezone', value: 'Nowhere' }]),
      { ...globex, tenantSettings: [{ name: 'role', value: 'nobody_knows' }] },
      { ...globex, tenantSettings: [{ name: 'log_statement', value: 'all' }] },
    ]
    for (const link of broken) {
      const client = await connect(t, postgres)
      await run(client, linkQuery(undefined, acme, false))
      t.match(await ask(client, linkQuery(acme, link, false) ?? ''), /^(22023|42501)$/)
      t.equal(await ask(client, 'select 1'), '25P02')
      t.equal(await ask(client, 'begin'), '25P02')
      t.equal(await ask(client, 'set role none'), '25P02')
      t.equal(await ask(client, 'savepoint s'), '25P02')
    }
  })
}
