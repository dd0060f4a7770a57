import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import { fields, query, RawClient, rows, sqlStates } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const POOL = { size: 2, backoffMinMs: 20, backoffMaxMs: 50, connectTimeoutMs: 1000 }

function logIn(proxy: TestProxy, tenant: string): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
}

async function backendOf(client: RawClient): Promise<string> {
  return rows(await client.ask(query('SELECT pg_backend_pid()')))[0] ?? ''
}

async function owner(client: RawClient): Promise<readonly string[]> {
  return rows(await client.ask(query('SELECT owner FROM items')))
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    for (const mode of ['transaction', 'session']) {
      await t.test(`${mode}: a backend is terminated`, (t) => terminated(t, server, mode))
    }
    await t.test('an idle backend is terminated', (t) => terminatedIdle(t, server))
    await t.test('Postgres dies and comes back', (t) => killed(t, server))
    await t.test('Postgres shuts down and comes back', (t) => shutDown(t, server))
  })
}

async function terminated(t: Test, server: PostgresServer, mode: string): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { ...POOL, mode } }))
  t.teardown(() => proxy.stop())
  for (const tenant of ['acme', 'globex', 'initech']) {
    const other = await logIn(proxy, tenant)
    await other.ask(query('BEGIN'))
    const client = await logIn(proxy, tenant)
    await client.ask(query('BEGIN'))
    const pid = await backendOf(client)
    await sql(server, 'postgres', `SELECT pg_terminate_backend(${pid})`)
    const farewell = await client.toEnd()
    t.strictSame(sqlStates(farewell), ['57P01'], `${tenant}: the words of the server, once`)
    t.strictSame(await owner(other), [tenant], 'the other client goes on')
    await other.ask(query('COMMIT'))
    const next = await logIn(proxy, tenant)
    t.strictSame(await owner(next), [tenant])
    await Promise.all([other.end(), next.end()])
  }
}

async function terminatedIdle(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { ...POOL, size: 1 } }))
  t.teardown(() => proxy.stop())
  const client = await logIn(proxy, 'globex')
  for (let round = 0; round < 5; round++) {
    const pid = await backendOf(client)
    await sql(server, 'postgres', `SELECT pg_terminate_backend(${pid}, 5000)`)
    await until(async () => (await proxy.metric('pgusher_pool_servers', { state: 'idle' })) === 0)
    t.strictSame(await owner(client), ['globex'], 'an idle client feels nothing')
    t.not(await backendOf(client), pid)
  }
  await client.end()
}

async function killed(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(
    saasSettings(server, { pool: POOL, timeouts: { waitMs: 3000 } }),
  )
  t.teardown(() => proxy.stop())
  const idle = await logIn(proxy, 'globex')
  const busy = await logIn(proxy, 'initech')
  t.strictSame(await owner(idle), ['globex'])
  busy.send(query('SELECT pg_sleep(60)'))
  await until(async () => (await proxy.metric('pgusher_pool_servers', { state: 'active' })) > 0)
  await server.halt('immediate')
  const lost = await busy.toEnd()
  const [state] = sqlStates(lost)
  t.ok(state === '57P02' || state === '57P01' || state === '08006', `the busy one got ${state}`)
  t.equal(sqlStates(lost).length, 1)
  const refused = await RawClient.connect(proxy.port)
  const frames = await refused.logIn({ user: 'app.acme', password: PASSWORD })
  t.strictSame(sqlStates(frames), ['08001'], 'a new client is told')
  t.notOk(JSON.stringify(fields(frames.at(-1))).includes(String(server.port)), 'and not where')
  const startedMs = performance.now()
  idle.send(query('SELECT 1'))
  t.strictSame(sqlStates(await idle.toEnd()), ['08001'])
  t.ok(performance.now() - startedMs < 3500, 'in time')
  await server.restart()
  for (const tenant of ['acme', 'globex', 'initech']) {
    await until(async () => {
      const next = await RawClient.connect(proxy.port)
      const login = await next.logIn({ user: `app.${tenant}`, password: PASSWORD })
      if (sqlStates(login).length > 0) return false
      t.strictSame(await owner(next), [tenant], 'the pool heals by itself')
      await next.end()
      return true
    })
  }
  await until(async () => (await proxy.metric('pgusher_sessions')) === 0)
  t.equal(await proxy.metric('pgusher_pool_clients_waiting'), 0)
}

async function shutDown(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: POOL }))
  t.teardown(() => proxy.stop())
  const idle = await logIn(proxy, 'hooli')
  const inTransaction = await logIn(proxy, 'hooli')
  await idle.ask(query('SELECT 1'))
  await inTransaction.ask(query('BEGIN'))
  await server.restart('fast')
  const farewell = await inTransaction.toEnd()
  t.strictSame(sqlStates(farewell), ['57P01'])
  await until(async () => (await proxy.metric('pgusher_pool_servers', { state: 'idle' })) === 0)
  t.strictSame(await owner(idle), ['hooli'], 'a client without a server connection is unharmed')
  await idle.end()
}
