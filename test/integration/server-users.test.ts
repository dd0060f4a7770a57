import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

type Settings = Readonly<Record<string, unknown>>

const LOGINS = ['app', 'readonly', 'migrator'].map((user) => ({
  user,
  password: PASSWORD,
  tenants: '*',
}))

const ROLES = `
  CREATE ROLE reader LOGIN PASSWORD 'reads';
  CREATE ROLE owner LOGIN PASSWORD 'owns';
  GRANT pool TO owner;
`

/** Who each login is on the server, where entries of `users` say it. */
const USERS = {
  readonly: { user: 'reader', password: 'reads' },
  migrator: { user: 'owner', password: 'owns' },
}

/** Both the shared server and tenant acme have those users. */
function settings(server: PostgresServer, users: unknown, overrides: Settings = {}): Settings {
  const base = saasSettings(server)
  const shared = (base['servers'] as { shared: Settings }).shared
  const tenants = base['tenants'] as Settings[]
  return {
    ...base,
    logins: LOGINS,
    servers: { shared: { ...shared, users } },
    tenants: tenants.map((one) => (one['name'] === 'acme' ? { ...one, users } : one)),
    ...overrides,
  }
}

async function seenAs(proxy: TestProxy, login: string, tenant: string): Promise<unknown> {
  const client = await proxy.connect(tenant, { user: `${login}.${tenant}` })
  const { rows } = await client.query('SELECT current_user AS now, session_user AS from')
  await client.end()
  return rows[0]
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    await sql(server, 'postgres', ROLES)
    await t.test('each login has its server user', (t) => perLogin(t, server))
    await t.test('pools are kept apart', (t) => poolsApart(t, server))
    await t.test('a wrong password is that of one login', (t) => wrongPassword(t, server))
    await t.test('a reload changes the user of sessions, also of open ones', (t) =>
      reloaded(t, server),
    )
  })
}

async function perLogin(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, USERS))
  t.teardown(() => proxy.stop())
  const names = { app: 'pool', readonly: 'reader', migrator: 'owner' }
  for (const [login, name] of Object.entries(names)) {
    for (const tenant of ['globex', 'initech', 'acme']) {
      const due = login === 'app' && tenant === 'acme' ? 'acme' : name
      t.strictSame(
        await seenAs(proxy, login, tenant),
        { now: due, from: due },
        `${login} ${tenant}`,
      )
    }
    t.strictSame(await seenAs(proxy, login, 'umbrella'), { now: 'umbrella', from: 'umbrella' })
  }
}

async function poolsApart(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, USERS, { pool: { size: 1 } }))
  t.teardown(() => proxy.stop())
  const pids = new Set<unknown>()
  const clients = await Promise.all(
    LOGINS.map(({ user }) => proxy.connect('globex', { user: `${user}.globex` })),
  )
  // All in a transaction at once: each server user has a pool of that size.
  for (const client of clients) {
    await client.query('BEGIN')
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
    pids.add(rows[0].pid)
  }
  t.equal(pids.size, 3)
  for (const user of ['pool', 'reader', 'owner']) {
    const pool = `${user}@127.0.0.1:${server.port}/saas`
    t.equal(await proxy.metric('pgusher_pool_servers', { pool, state: 'active' }), 1, pool)
  }
  await Promise.all(clients.map((client) => client.end()))
  t.strictSame(await seenAs(proxy, 'readonly', 'hooli'), { now: 'reader', from: 'reader' })
}

async function wrongPassword(t: Test, server: PostgresServer): Promise<void> {
  const users = { ...USERS, readonly: { user: 'reader', password: 'guesses' } }
  const proxy = await startTestProxy(settings(server, users))
  t.teardown(() => proxy.stop())
  await t.rejects(seenAs(proxy, 'readonly', 'globex'), { code: '08001' })
  t.strictSame(await seenAs(proxy, 'app', 'globex'), { now: 'pool', from: 'pool' })
  t.notMatch(proxy.log(), /guesses|"reads"/)
}

async function reloaded(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, USERS))
  t.teardown(() => proxy.stop())
  const old = await proxy.connect('globex', { user: 'readonly.globex' })
  proxy.reload(testConfig(settings(server, { ...USERS, readonly: USERS.migrator })))
  t.strictSame(await seenAs(proxy, 'readonly', 'globex'), { now: 'owner', from: 'owner' })
  const { rows } = await old.query('SELECT current_user AS now')
  t.strictSame(rows, [{ now: 'owner' }], 'an open session follows')
  await old.end()
}
