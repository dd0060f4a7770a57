import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const VIOLATIONS = 'pgusher_isolation_violations_total'
const OWNER = 'SELECT owner FROM items'
const PID = 'SELECT pg_backend_pid() AS pid'

/** What code of a tenant can do out of sight, who can do it, and whom it would turn into. */
const CHANGES = [
  {
    kind: 'search_path',
    tenant: 'globex',
    other: 'hooli',
    name: 'search_path',
    value: 'tenant_hooli',
  },
  {
    kind: 'search_path',
    tenant: 'initech',
    other: 'initrode',
    name: 'search_path',
    value: 'tenant_hooli',
  },
  {
    kind: 'tenant_setting',
    tenant: 'initech',
    other: 'initrode',
    name: 'app.tenant_id',
    value: '43',
  },
  { kind: 'tenant_setting', tenant: 'globex', other: 'hooli', name: 'app.tenant_id', value: '43' },
  { kind: 'role', tenant: 'globex', other: 'hooli', name: 'role', value: 'janitor' },
] as const

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    await sql(server, 'saas', CODE)
    await t.test('a function changes the place', (t) => functionsChange(t, server))
    await t.test('a DO block changes it', (t) => blocksChange(t, server))
    await t.test('in session mode', (t) => sessionsEnd(t, server))
    await t.test('a pinned client can not go on', (t) => pinnedEnd(t, server))
    await t.test('at level convenience nobody looks', (t) => nobodyLooks(t, server))
    await t.test('what is allowed is no violation', (t) => allowed(t, server))
  })
}

/** In public, which row tenants see, and in the schema tenants' own schemas. */
const CODE = ['public', 'tenant_globex', 'tenant_hooli']
  .map(
    (schema) => `
      CREATE FUNCTION ${schema}.change(name text, value text) RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN RETURN set_config(name, value, false); END $$;`,
  )
  .join('')
  .concat('CREATE ROLE janitor; GRANT janitor TO pool; GRANT USAGE ON SCHEMA public TO janitor;')

function start(t: Test, server: PostgresServer, more: Readonly<Record<string, unknown>> = {}) {
  const proxy = startTestProxy(saasSettings(server, { pool: { size: 1 }, ...more }))
  t.teardown(async () => (await proxy).stop())
  return proxy
}

async function functionsChange(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await start(t, server)
  for (const { kind, tenant, other, name, value } of CHANGES) {
    await t.test(`${tenant}: ${name}`, async (t) => {
      const before = await proxy.metric(VIOLATIONS, { kind })
      const one = await proxy.connect(tenant)
      const two = await proxy.connect(other)
      const { pid } = (await one.query(PID)).rows[0]
      await one.query('SELECT change($1, $2)', [name, value])
      t.strictSame((await two.query(OWNER)).rows, [{ owner: other }], 'the next one is itself')
      t.equal(await proxy.metric(VIOLATIONS, { kind }), before + 1)
      t.strictSame((await one.query(OWNER)).rows, [{ owner: tenant }])
      t.not((await one.query(PID)).rows[0].pid, pid, 'the server connection is closed')
      await Promise.all([one.end(), two.end()])
      t.match(lastViolation(proxy), { tenant, kind, code: 'ISOLATION_VIOLATED' })
    })
  }
  t.equal(await proxy.metric('pgusher_server_closed_total', { reason: 'violated' }), CHANGES.length)
}

async function blocksChange(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await start(t, server)
  for (const { kind, tenant, name, value } of CHANGES) {
    await t.test(`${tenant}: ${name}`, async (t) => {
      const before = await proxy.metric(VIOLATIONS, { kind })
      const client = await proxy.connect(tenant)
      await client.query(`DO $$ BEGIN PERFORM set_config('${name}', '${value}', false); END $$`)
      t.strictSame((await client.query(OWNER)).rows, [{ owner: tenant }], 'its next transaction')
      t.equal(await proxy.metric(VIOLATIONS, { kind }), before + 1, 'found before that')
      await client.end()
    })
  }
}

async function sessionsEnd(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await start(t, server, { pool: { size: 1, mode: 'session' } })
  for (const { kind, tenant, other, name, value } of CHANGES) {
    await t.test(`${tenant}: ${name}`, async (t) => {
      const before = await proxy.metric(VIOLATIONS, { kind })
      const one = await proxy.connect(tenant)
      await one.query('SELECT change($1, $2)', [name, value])
      await one.end()
      const two = await proxy.connect(other)
      t.strictSame((await two.query(OWNER)).rows, [{ owner: other }])
      await two.end()
      t.equal(await proxy.metric(VIOLATIONS, { kind }), before + 1)
    })
  }
}

async function pinnedEnd(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await start(t, server)
  const client = await proxy.connect('globex')
  const ended = new Promise<Error>((resolve) => client.on('error', resolve))
  await client.query('CREATE TEMP TABLE mine AS SELECT 1')
  await client
    .query(`DO $$ BEGIN PERFORM set_config('search_path', 'tenant_hooli', false); END $$`)
    .catch(() => {})
  t.match(await ended, { code: '42501' })
  const other = await proxy.connect('hooli')
  t.strictSame((await other.query(OWNER)).rows, [{ owner: 'hooli' }])
  await other.end()
  t.equal(await proxy.metric(VIOLATIONS), 1)
}

async function nobodyLooks(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await start(t, server, { isolation: { level: 'convenience' } })
  for (const { tenant, other, name, value } of CHANGES) {
    const one = await proxy.connect(tenant)
    const two = await proxy.connect(other)
    await one.query('SELECT change($1, $2)', [name, value])
    t.strictSame((await two.query(OWNER)).rows, [{ owner: other }], `${tenant}: ${name}`)
    await Promise.all([one.end(), two.end()])
  }
  t.equal(await proxy.metric(VIOLATIONS), 0)
}

async function allowed(t: Test, server: PostgresServer): Promise<void> {
  const { tenants, ...others } = saasSettings(server, { pool: { size: 1 } })
  const roled = (tenants as Record<string, unknown>[]).map((tenant) =>
    tenant['name'] === 'hooli' ? { ...tenant, role: 'pool' } : tenant,
  )
  const proxy = await start(t, server, { ...others, tenants: roled })
  for (const text of [
    'SET search_path = tenant_globex, pg_catalog',
    "SELECT set_config('search_path', '', false)",
    'BEGIN; SET LOCAL search_path = pg_catalog; COMMIT',
    'RESET ALL',
    'DISCARD ALL',
    'RESET search_path',
    "SET client_encoding = 'SJIS'",
    'SET bytea_output = escape',
    'SET standard_conforming_strings = off',
  ]) {
    for (const first of ['globex', 'hooli', 'initech']) {
      const one = await proxy.connect(first)
      const two = await proxy.connect('initrode')
      const outcome = one.query(text.replace('globex', first))
      await (first === 'initech' ? outcome.catch(() => {}) : outcome)
      await one.end()
      t.strictSame((await two.query(OWNER)).rows, [{ owner: 'initrode' }], `${first}: ${text}`)
      await two.end()
    }
  }
  t.equal(await proxy.metric(VIOLATIONS), 0)
}

function lastViolation(proxy: TestProxy): unknown {
  const lines = proxy
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return lines.findLast(({ event }) => event === 'tenant left its place')
}
