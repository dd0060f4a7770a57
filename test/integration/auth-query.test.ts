import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'
import { codes, RawClient, type RawFrame } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

type Settings = Readonly<Record<string, unknown>>

const ROLES = `
  CREATE ROLE alice LOGIN PASSWORD 'wonderland';
  CREATE ROLE rotating LOGIN PASSWORD 'old';
  CREATE ROLE expired LOGIN PASSWORD 'late' VALID UNTIL '2001-01-01';
  CREATE ROLE fresh LOGIN PASSWORD 'early' VALID UNTIL '2999-01-01';
  CREATE ROLE forever LOGIN PASSWORD 'ever' VALID UNTIL 'infinity';
  CREATE ROLE silent LOGIN;
  CREATE ROLE retired NOLOGIN PASSWORD 'gone';
  SET password_encryption = 'md5';
  CREATE ROLE hashed LOGIN PASSWORD 'hash';
`

/** Finds a login for a role that may not read pg_authid itself. */
const FUNCTION = `
  CREATE ROLE asker LOGIN PASSWORD 'asks';
  CREATE SCHEMA gate;
  CREATE FUNCTION gate.login(name text, OUT "user" text, OUT secret text, OUT until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
      SELECT rolname, rolpassword, rolvaliduntil FROM pg_authid
      WHERE rolname = name AND rolcanlogin AND NOT rolsuper AND NOT rolreplication
    $$;
  REVOKE ALL ON FUNCTION gate.login FROM PUBLIC;
  GRANT USAGE ON SCHEMA gate TO asker;
  GRANT EXECUTE ON FUNCTION gate.login TO asker;
`

/** Stands before the real ones for whoever searches these schemas. */
const TRAPS = `
  CREATE SCHEMA evil;
  GRANT USAGE ON SCHEMA evil TO PUBLIC;
  CREATE FUNCTION evil.same(left_name name, right_name text) RETURNS bool LANGUAGE sql
    AS $$ SELECT true $$;
  CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.same);
  CREATE TABLE evil.pg_authid AS
    SELECT 'mallory'::name AS rolname, rolpassword FROM pg_catalog.pg_authid
    WHERE rolname = 'alice';
  GRANT SELECT ON evil.pg_authid TO PUBLIC;
  CREATE TABLE public.pg_authid AS TABLE evil.pg_authid;
  GRANT SELECT ON public.pg_authid TO PUBLIC;
`

/** All users come in whom the server knows; `listed` only at globex. */
function settings(server: PostgresServer, authQuery: Settings, overrides: Settings = {}): Settings {
  const base = saasSettings(server)
  const shared = (base['servers'] as { shared: Settings }).shared
  return {
    ...base,
    servers: {
      shared: { ...shared, authQuery: { url: server.url('postgres'), cacheMs: 200, ...authQuery } },
    },
    logins: [
      { user: '*', tenants: ['globex', 'hooli'] },
      { user: 'listed', password: 'known', tenants: ['globex'] },
    ],
    limits: { loginFailures: 100_000 },
    ...overrides,
  }
}

async function outcome(
  proxy: TestProxy,
  login: { readonly user: string; readonly password: string; readonly tenant?: string },
): Promise<string> {
  const { user, password, tenant = 'globex' } = login
  try {
    const client = await proxy.connect(tenant, { user: `${user}.${tenant}`, password })
    await client.end()
    return 'in'
  } catch (error) {
    return String((error as { code?: string }).code)
  }
}

/** Connections to the server that ask for logins. */
async function askers(server: PostgresServer, user = '%'): Promise<number> {
  const text = `SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE application_name = 'pgusher authQuery' AND usename LIKE '${user}'`
  const [row] = await sql(server, 'postgres', text)
  return Number(row?.['count'])
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    await sql(server, 'postgres', ROLES)
    await sql(server, 'saas', FUNCTION)
    await t.test('lets in whom the server lets in', (t) => letsIn(t, server))
    await t.test('refusals look alike', (t) => looksAlike(t, server))
    await t.test('a function in place of the table', (t) => byFunction(t, server))
    await t.test('md5 hashes', (t) => md5Hashes(t, server))
    await t.test('a changed password', (t) => rotated(t, server))
    await t.test('a database of its own', (t) => ownDatabase(t, server))
    await t.test('unknown users by the thousand', (t) => flood(t, server))
    await t.test('reload and drain', (t) => renewed(t, server))
    await t.test('queries that make no sense', (t) => senseless(t, server))
    await t.test('a server that does not answer', (t) => stuck(t, server))
    await t.test('traps in the search path', (t) => traps(t, server))
    await t.test('a server that is down', (t) => down(t, server))
  })
}

async function letsIn(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, {}))
  t.teardown(() => proxy.stop())
  t.equal(await outcome(proxy, { user: 'alice', password: 'wonderland' }), 'in')
  t.equal(await outcome(proxy, { user: 'alice', password: 'wonderland', tenant: 'hooli' }), 'in')
  t.equal(await outcome(proxy, { user: 'fresh', password: 'early' }), 'in')
  t.equal(await outcome(proxy, { user: 'forever', password: 'ever' }), 'in')
  t.equal(await outcome(proxy, { user: 'listed', password: 'known' }), 'in', 'a listed one wins')
  const client = await proxy.connect('globex', { user: 'alice.globex', password: 'wonderland' })
  const { rows } = await client.query('SELECT current_user AS name, owner FROM items')
  t.strictSame(rows, [{ name: 'pool', owner: 'globex' }], 'asked about alice, served as the route')
  await client.end()
  t.notMatch(proxy.log(), /wonderland|SCRAM-SHA-256\$/)
}

/** What must look the same from outside, and what the log says of it. */
const REFUSED = [
  { user: 'alice', tenant: 'globex', password: 'wrong', reason: 'wrongPassword' },
  { user: 'nobody', tenant: 'globex', password: 'any', reason: 'unknownLogin' },
  { user: 'retired', tenant: 'globex', password: 'gone', reason: 'unknownLogin' },
  { user: 'silent', tenant: 'globex', password: '', reason: 'unsuitableSecret' },
  { user: 'hashed', tenant: 'globex', password: 'hash', reason: 'unsuitableSecret' },
  { user: 'expired', tenant: 'globex', password: 'late', reason: 'passwordExpired' },
  { user: 'alice', tenant: 'nowhere', password: 'wonderland', reason: 'unknownTenant' },
  { user: 'alice', tenant: 'initech', password: 'wonderland', reason: 'notGranted' },
  { user: 'listed', tenant: 'hooli', password: 'known', reason: 'notGranted' },
] as const

async function looksAlike(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, {}))
  t.teardown(() => proxy.stop())
  const seen = new Set<string>()
  for (const { user, tenant, password, reason } of REFUSED) {
    const logged = proxy.log().length
    const client = await RawClient.connect(proxy.port)
    const frames = await client.logIn({ user: `${user}.${tenant}`, password })
    client.socket.destroy()
    seen.add(JSON.stringify([codes(frames), lengths(frames), lastWithout(frames, user)]))
    t.match(proxy.log().slice(logged), new RegExp(`"reason":"${reason}"`), `${user} ${tenant}`)
  }
  t.equal(seen.size, 1, [...seen].join('\n'))
  t.match([...seen][0], /C28P01/)
}

function lengths(frames: readonly RawFrame[]): readonly number[] {
  return frames.slice(0, -1).map(({ body }) => body.length)
}

function lastWithout(frames: readonly RawFrame[], user: string): string | undefined {
  return frames.at(-1)?.body.toString().replaceAll(user, 'USER')
}

async function byFunction(t: Test, server: PostgresServer): Promise<void> {
  const url = server.url('saas', { user: 'asker', password: 'asks' })
  const authQuery = { url, query: 'SELECT * FROM gate.login($1)' }
  const proxy = await startTestProxy(settings(server, authQuery))
  t.teardown(() => proxy.stop())
  t.equal(await outcome(proxy, { user: 'alice', password: 'wonderland' }), 'in')
  t.equal(await outcome(proxy, { user: 'expired', password: 'late' }), '28P01')
  const { superuser: user, superPassword: password } = server
  t.equal(await outcome(proxy, { user, password }), '28P01', 'the function hides it')
}

async function md5Hashes(t: Test, server: PostgresServer): Promise<void> {
  for (const method of ['password', 'md5']) {
    const proxy = await startTestProxy(settings(server, {}, { auth: { method } }))
    t.teardown(() => proxy.stop())
    const connect = (password: string) =>
      proxy.connect('globex', { user: 'hashed', password, options: '-c pgusher.tenant=globex' })
    const client = await connect('hash')
    await client.end()
    await t.rejects(connect('wrong'), { code: '28P01' }, method)
  }
}

async function rotated(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, { cacheMs: 2000 }))
  t.teardown(() => proxy.stop())
  const enter = (password: string) => outcome(proxy, { user: 'rotating', password })
  t.equal(await enter('old'), 'in')
  await sql(server, 'postgres', `ALTER ROLE rotating PASSWORD 'new'`)
  t.equal(await enter('old'), 'in', 'from the cache')
  const startedMs = performance.now()
  await until(async () => (await enter('new')) === 'in')
  t.ok(performance.now() - startedMs < 1500, 'a failed proof cuts the wait short')
  t.equal(await enter('old'), '28P01')
}

async function ownDatabase(t: Test, server: PostgresServer): Promise<void> {
  const base = saasSettings(server)
  const login = { user: server.superuser, password: server.superPassword }
  const tenant = {
    name: 'acme',
    strategy: 'database',
    databaseUrl: server.url('acme', login),
    authQuery: {},
  }
  const logins = [{ user: 'alice', tenants: ['acme'] }]
  const proxy = await startTestProxy({ ...base, tenants: [tenant], logins })
  t.teardown(() => proxy.stop())
  const alice = { user: 'alice', password: 'wonderland', tenant: 'acme' }
  t.equal(await outcome(proxy, alice), 'in', 'listed without a password')
  t.equal(await outcome(proxy, { ...alice, user: 'fresh', password: 'early' }), '28P01')
}

async function flood(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, { maxConnections: 3 }))
  t.teardown(() => proxy.stop())
  const outcomes = new Set<string>()
  let most = 0
  for (let round = 0; round < 10; round++) {
    const users = Array.from({ length: 100 }, (_, index) => `stranger_${round}_${index}`)
    const attempts = users.map((user) => outcome(proxy, { user, password: 'x' }))
    most = Math.max(most, await askers(server))
    for (const one of await Promise.all(attempts)) outcomes.add(one)
  }
  t.strictSame([...outcomes], ['28P01'])
  t.ok(most > 0 && most <= 3, `${most} connections`)
  t.equal(await outcome(proxy, { user: 'alice', password: 'wonderland' }), 'in')
}

async function renewed(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, {}))
  t.teardown(() => proxy.stop())
  const alice = { user: 'alice', password: 'wonderland' }
  t.equal(await outcome(proxy, alice), 'in')
  t.equal(await askers(server, server.superuser), 1)
  const url = server.url('saas', { user: 'asker', password: 'asks' })
  const next = settings(server, { url, query: 'SELECT * FROM gate.login($1)' })
  proxy.reload(testConfig(next))
  t.equal(await outcome(proxy, alice), 'in')
  t.equal(await askers(server, 'asker'), 1)
  await until(async () => (await askers(server, server.superuser)) === 0)
  t.equal(await proxy.drain(), true)
  await until(async () => (await askers(server)) === 0)
}

async function senseless(t: Test, server: PostgresServer): Promise<void> {
  const alice = { user: 'alice', password: 'wonderland' }
  const queries = [
    { query: 'SELECT $1::text', detail: /at most one row/ },
    { query: `SELECT $1::text, 'x' FROM generate_series(1, 2)`, detail: /at most one row/ },
    { query: `SELECT $1::text, 'x', 'soon'`, detail: /at most one row/ },
    { query: 'SELECT rolname, rolpassword FROM no_such_table WHERE x = $1', detail: /no_such/ },
  ]
  for (const { query, detail } of queries) {
    const proxy = await startTestProxy(settings(server, { query }))
    t.teardown(() => proxy.stop())
    t.equal(await outcome(proxy, alice), '57P03', query)
    t.match(proxy.log(), /"code":"AUTH_QUERY_FAILED"/)
    t.match(proxy.log(), detail)
  }
  // One login must not get in by the secret of another.
  const query = `SELECT rolname, rolpassword FROM pg_authid WHERE rolname = 'alice' OR rolname = $1 AND false`
  const proxy = await startTestProxy(settings(server, { query }))
  t.teardown(() => proxy.stop())
  t.equal(await outcome(proxy, { user: 'Alice', password: 'wonderland' }), '28P01')
  t.equal(await outcome(proxy, alice), 'in')
}

async function stuck(t: Test, server: PostgresServer): Promise<void> {
  const query = `SELECT $1::text, NULL::text FROM pg_sleep(60)`
  const proxy = await startTestProxy(settings(server, { query, timeoutMs: 200, maxConnections: 1 }))
  t.teardown(() => proxy.stop())
  const users = ['alice', 'fresh', 'forever']
  const outcomes = users.map((user) => outcome(proxy, { user, password: 'x' }))
  t.strictSame(await Promise.all(outcomes), ['57P03', '57P03', '57P03'], 'in turn or in the queue')
  t.equal(await outcome(proxy, { user: 'listed', password: 'known' }), 'in', 'nobody is asked')
  await until(async () => (await askers(server)) === 0)
}

async function traps(t: Test, server: PostgresServer): Promise<void> {
  await sql(server, 'saas', TRAPS)
  const { superuser } = server
  await sql(server, 'saas', `ALTER ROLE ${superuser} SET search_path = evil, public, pg_catalog`)
  t.teardown(() => sql(server, 'saas', `ALTER ROLE ${superuser} RESET search_path`))
  const query = 'SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1'
  const proxy = await startTestProxy(settings(server, { url: server.url('saas'), query }))
  t.teardown(() => proxy.stop())
  t.equal(await outcome(proxy, { user: 'mallory', password: 'wonderland' }), '28P01')
  t.equal(await outcome(proxy, { user: 'alice', password: 'wonderland' }), 'in')
  const quoted = `alice' OR 'a' = 'a`
  const options = { user: quoted, password: 'wonderland', options: '-c pgusher.tenant=globex' }
  await t.rejects(proxy.connect('globex', options), { code: '28P01' }, 'a parameter, never SQL')
  const hostile = '-c search_path=tenant_globex -c application_name=mine'
  const client = await proxy.connect('globex', {
    user: 'fresh.globex',
    password: 'early',
    options: hostile,
  })
  t.equal(await askers(server), 1, 'nothing of the client is on the connection')
  await client.end()
}

async function down(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, { cacheMs: 0, timeoutMs: 500 }))
  t.teardown(() => proxy.stop())
  const alice = { user: 'alice', password: 'wonderland' }
  t.equal(await outcome(proxy, alice), 'in')
  await server.restart()
  t.equal(await outcome(proxy, alice), 'in', 'a connection that died idle is replaced')
  await server.halt('immediate')
  t.equal(await outcome(proxy, alice), '57P03')
  t.equal(await outcome(proxy, { ...alice, password: 'wrong' }), '57P03', 'no open door')
  t.match(proxy.log(), /"code":"AUTH_QUERY_FAILED"/)
  await server.restart('immediate')
  await until(async () => (await outcome(proxy, alice)) === 'in')
}
