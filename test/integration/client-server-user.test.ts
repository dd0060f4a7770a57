import t, { type Test } from 'tap'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

type Settings = Readonly<Record<string, unknown>>

const SCHEMA = `
  CREATE ROLE pool LOGIN PASSWORD 'pool';
  CREATE ROLE alice LOGIN PASSWORD 'wonderland';
  CREATE ROLE bob LOGIN PASSWORD 'builder';
  CREATE ROLE legacy LOGIN PASSWORD 'old school';
  CREATE SCHEMA tenant_globex AUTHORIZATION alice;
  GRANT USAGE ON SCHEMA tenant_globex TO PUBLIC;
`

interface Access {
  readonly server: PostgresServer
  readonly authQuery?: Settings
  readonly users?: Settings
}

/** A shared server that sees the clients' own users. */
function settings({ server, authQuery, users }: Access, overrides: Settings): Settings {
  const url = server.url('postgres', { user: 'pool', password: 'pool' })
  return {
    servers: { shared: { url, serverUser: 'client', authQuery, users } },
    tenants: [{ name: 'globex', strategy: 'schema', server: 'shared' }],
    limits: { loginFailures: 1000 },
    ...overrides,
  }
}

function askOf(server: PostgresServer): Settings {
  return { url: server.url('postgres'), cacheMs: 500 }
}

async function seenAs(proxy: TestProxy, user: string, password: string): Promise<unknown> {
  const client = await proxy.connect('globex', { user: `${user}.globex`, password })
  const { rows } = await client.query('SELECT current_user AS now, session_user AS from')
  await client.end()
  return rows[0]
}

async function verifierOf(server: PostgresServer, user: string): Promise<string> {
  const text = `SELECT rolpassword FROM pg_authid WHERE rolname = '${user}'`
  const [row] = await sql(server, 'postgres', text)
  return String(row?.['rolpassword'])
}

async function backendsOf(server: PostgresServer, user: string): Promise<number> {
  const text = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = '${user}'`
  const [row] = await sql(server, 'postgres', text)
  return Number(row?.['count'])
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startPostgres({
      major,
      auth: 'scram-sha-256',
      hba: ['host all legacy 127.0.0.1/32 trust'],
    })
    t.teardown(() => server.stop())
    await sql(server, 'postgres', SCHEMA)
    await t.test('the keys of a SCRAM proof', (t) => scramKeys(t, server))
    await t.test('a verifier that is not the server’s any more', (t) => staleVerifier(t, server))
    await t.test('keys for a login that the server knows', (t) => asked(t, server))
    await t.test('the password that the client sent', (t) => password(t, server))
    await t.test('trust', (t) => trust(t, server))
    await t.test('two proofs of one user never share a connection', (t) => twoProofs(t, server))
    await t.test('an entry of users wins', (t) => entryWins(t, server))
  })
}

async function scramKeys(t: Test, server: PostgresServer): Promise<void> {
  const logins = await Promise.all(
    ['alice', 'bob'].map(async (user) => ({
      user,
      password: await verifierOf(server, user),
      tenants: '*',
    })),
  )
  const proxy = await startTestProxy(settings({ server }, { logins }))
  t.teardown(() => proxy.stop())
  t.strictSame(await seenAs(proxy, 'alice', 'wonderland'), { now: 'alice', from: 'alice' })
  t.strictSame(await seenAs(proxy, 'bob', 'builder'), { now: 'bob', from: 'bob' })
  t.equal(await backendsOf(server, 'alice'), 1)
  await t.rejects(seenAs(proxy, 'alice', 'builder'), { code: '28P01' })
  await t.rejects(seenAs(proxy, 'pool', 'pool'), { code: '28P01' }, 'no login of the proxy')
  t.equal(await backendsOf(server, 'pool'), 0, 'the user of the URL is not for clients')
  t.notMatch(proxy.log(), /wonderland|builder|clientKey/)
}

async function staleVerifier(t: Test, server: PostgresServer): Promise<void> {
  const verifier = await verifierOf(server, 'alice')
  // The same password with another salt: the keys that the client proves fit no more.
  await sql(server, 'postgres', `ALTER ROLE alice PASSWORD 'wonderland'`)
  const logins = [{ user: 'alice', password: verifier, tenants: '*' }]
  const proxy = await startTestProxy(settings({ server }, { logins }))
  t.teardown(() => proxy.stop())
  await t.rejects(seenAs(proxy, 'alice', 'wonderland'), { code: '08001' })
  t.match(proxy.log(), /SERVER_LOGIN_FAILED/)
}

async function asked(t: Test, server: PostgresServer): Promise<void> {
  const logins = [{ user: '*', tenants: '*' }]
  const proxy = await startTestProxy(settings({ server, authQuery: askOf(server) }, { logins }))
  t.teardown(() => proxy.stop())
  t.strictSame(await seenAs(proxy, 'alice', 'wonderland'), { now: 'alice', from: 'alice' })
  t.strictSame(await seenAs(proxy, 'bob', 'builder'), { now: 'bob', from: 'bob' })
  await t.rejects(seenAs(proxy, 'carol', 'builder'), { code: '28P01' })
}

async function password(t: Test, server: PostgresServer): Promise<void> {
  const logins = [
    { user: 'alice', password: 'wonderland', tenants: '*' },
    { user: 'bob', password: 'not the server’s', tenants: '*' },
  ]
  const proxy = await startTestProxy(settings({ server }, { logins, auth: { method: 'password' } }))
  t.teardown(() => proxy.stop())
  t.strictSame(await seenAs(proxy, 'alice', 'wonderland'), { now: 'alice', from: 'alice' })
  await t.rejects(seenAs(proxy, 'alice', 'wrong'), { code: '28P01' })
  await t.rejects(seenAs(proxy, 'bob', 'not the server’s'), { code: '08001' })
  t.notMatch(proxy.log(), /wonderland|not the server/)
}

async function trust(t: Test, server: PostgresServer): Promise<void> {
  const logins = [{ user: '*', tenants: '*' }]
  const proxy = await startTestProxy(settings({ server }, { logins, auth: { method: 'trust' } }))
  t.teardown(() => proxy.stop())
  t.strictSame(await seenAs(proxy, 'legacy', 'any'), { now: 'legacy', from: 'legacy' })
  await t.rejects(seenAs(proxy, 'alice', 'wonderland'), { code: '08001' }, 'nothing to show')
}

async function twoProofs(t: Test, server: PostgresServer): Promise<void> {
  const logins = [{ user: '*', tenants: '*' }]
  const pool = { size: 1, idleServerMs: 300 }
  const access = { server, authQuery: askOf(server) }
  const proxy = await startTestProxy(settings(access, { logins, pool }))
  t.teardown(() => proxy.stop())
  const old = await proxy.connect('globex', { user: 'bob.globex', password: 'builder' })
  const pidOf = async (client: typeof old) =>
    (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
  const oldPid = await pidOf(old)
  await sql(server, 'postgres', `ALTER ROLE bob PASSWORD 'changed'`)
  await until(() =>
    seenAs(proxy, 'bob', 'changed').then(
      () => true,
      () => false,
    ),
  )
  const next = await proxy.connect('globex', { user: 'bob.globex', password: 'changed' })
  t.not(await pidOf(next), oldPid, 'its connection was idle, and is not for another proof')
  await t.rejects(seenAs(proxy, 'bob', 'builder'), { code: '28P01' })
  await Promise.all([old.end(), next.end()])
  await until(async () => (await backendsOf(server, 'bob')) === 0)
}

async function entryWins(t: Test, server: PostgresServer): Promise<void> {
  const users = { app: { user: 'pool', password: 'pool' } }
  const logins = [
    { user: 'app', password: 'its own', tenants: '*' },
    { user: 'alice', password: await verifierOf(server, 'alice'), tenants: '*' },
  ]
  const proxy = await startTestProxy(settings({ server, users }, { logins }))
  t.teardown(() => proxy.stop())
  t.strictSame(await seenAs(proxy, 'app', 'its own'), { now: 'pool', from: 'pool' })
  t.strictSame(await seenAs(proxy, 'alice', 'wonderland'), { now: 'alice', from: 'alice' })
}
