import t from 'tap'
import { sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'
import { codes, query, RawClient, rows, sqlStates } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

type Tenant = Readonly<Record<string, unknown>>

const server = await startSaas(18)
t.teardown(() => server.stop())

function settingsWith(
  change: (tenants: Tenant[]) => Tenant[],
  overrides: Record<string, unknown> = {},
): Record<string, unknown> {
  const settings = saasSettings(server, overrides)
  return { ...settings, tenants: change(settings['tenants'] as Tenant[]) }
}

function logIn(proxy: TestProxy, tenant: string): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
}

async function refusal(proxy: TestProxy, tenant: string): Promise<readonly (string | undefined)[]> {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: `app.${tenant}`, password: PASSWORD })
  client.socket.destroy()
  return sqlStates(frames)
}

async function owner(client: RawClient): Promise<readonly string[]> {
  return rows(await client.ask(query('SELECT owner FROM items')))
}

for (const mode of ['transaction', 'session']) {
  t.test(`reload in ${mode} mode`, async (t) => {
    const pool = { mode, size: 2 }
    const without = (...names: string[]) =>
      settingsWith((all) => all.filter(({ name }) => !names.includes(String(name))), { pool })
    const proxy = await startTestProxy(without('hooli'))
    t.teardown(() => proxy.stop())

    t.strictSame(await refusal(proxy, 'hooli'), ['28P01'], 'not there yet')
    const running = await logIn(proxy, 'globex')
    await running.ask(query('BEGIN'))

    proxy.reload(testConfig(without('initech')))
    const added = await logIn(proxy, 'hooli')
    t.strictSame(await owner(added), ['hooli'], 'usable at once')
    await added.end()
    t.strictSame(await refusal(proxy, 'initech'), ['28P01'], 'removed')
    t.equal(codes(await running.ask(query('COMMIT'))), 'CZ', 'a running session is not dropped')
    t.strictSame(await owner(running), ['globex'])
    await running.end()
  })

  t.test(`a changed database in ${mode} mode`, async (t) => {
    const moved = server.url('umbrella', { user: 'umbrella', password: 'umbrella' })
    const before = settingsWith((all) => all.filter(({ name }) => name !== 'umbrella'), {
      pool: { mode, size: 2 },
    })
    const after = settingsWith(
      (all) =>
        all
          .filter(({ name }) => name !== 'umbrella')
          .map((one) => (one['name'] === 'acme' ? { ...one, databaseUrl: moved } : one)),
      { pool: { mode, size: 2 } },
    )
    const proxy = await startTestProxy(before)
    t.teardown(() => proxy.stop())
    const old = await logIn(proxy, 'acme')
    t.strictSame(await owner(old), ['acme'])
    proxy.reload(testConfig(after))
    const next = await logIn(proxy, 'acme')
    t.strictSame(await owner(next), ['umbrella'], 'new sessions use the new one')
    const follows = mode === 'transaction'
    t.strictSame(await owner(old), [follows ? 'umbrella' : 'acme'], 'old ones follow if they can')
    await Promise.all([old.end(), next.end()])
  })

  t.test(`drain in ${mode} mode`, async (t) => {
    const proxy = await startTestProxy(saasSettings(server, { pool: { mode, size: 4 } }))
    t.teardown(() => proxy.stop())
    const fresh = await logIn(proxy, 'acme')
    const idle = await logIn(proxy, 'globex')
    await idle.ask(query('SELECT 1'))
    const inTransaction = await logIn(proxy, 'initech')
    await inTransaction.ask(query('BEGIN'))
    const busy = await logIn(proxy, 'hooli')
    busy.send(query('SELECT 1 FROM pg_sleep(0.3)'))
    await until(async () => (await proxy.metric('pgusher_pool_servers', { state: 'active' })) >= 2)
    const drained = proxy.drain()
    t.strictSame(sqlStates(await fresh.toEnd()), ['57P01'])
    t.strictSame(sqlStates(await idle.toEnd()), ['57P01'])
    const answered = await busy.toEnd()
    t.equal(codes(answered), 'TDCZE', 'a running query is answered')
    t.strictSame(sqlStates(answered), ['57P01'])
    t.strictSame(await owner(inTransaction), ['initech'], 'a running transaction goes on')
    inTransaction.send(query('COMMIT'))
    t.equal(codes(await inTransaction.toEnd()), 'CZE')
    t.equal(await drained, true)
  })

  t.test(`drain with a stuck transaction in ${mode} mode`, async (t) => {
    const proxy = await startTestProxy(
      saasSettings(server, { pool: { mode }, timeouts: { drainMs: 250 } }),
    )
    t.teardown(() => proxy.stop())
    const stuck = await logIn(proxy, 'globex')
    await stuck.ask(query('BEGIN'))
    const pid = rows(await stuck.ask(query('SELECT pg_backend_pid()')))[0]
    const startedMs = performance.now()
    t.equal(await proxy.drain(), false)
    t.ok(performance.now() - startedMs >= 249)
    t.strictSame(sqlStates(await stuck.toEnd()), ['57P01'])
    await until(async () => {
      const left = await sql(server, 'postgres', `SELECT FROM pg_stat_activity WHERE pid = ${pid}`)
      return left.length === 0
    })
  })
}

t.test('a client that waits for a server connection while the proxy drains', async (t) => {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 1 } }))
  t.teardown(() => proxy.stop())
  const holder = await logIn(proxy, 'globex')
  const waiter = await logIn(proxy, 'hooli')
  await holder.ask(query('BEGIN'))
  waiter.send(query('SELECT owner FROM items'))
  await until(async () => (await proxy.metric('pgusher_pool_clients_waiting')) === 1)
  const drained = proxy.drain()
  holder.send(query('COMMIT'))
  t.equal(codes(await holder.toEnd()), 'CZE')
  const frames = await waiter.toEnd()
  t.strictSame(rows(frames), ['hooli'], 'what it asked for before is done')
  t.strictSame(sqlStates(frames), ['57P01'])
  t.equal(await drained, true)
})

t.test('a login that is under way when the proxy drains', async (t) => {
  const proxy = await startTestProxy(saasSettings(server))
  t.teardown(() => proxy.stop())
  const client = await RawClient.connect(proxy.port)
  // The proxy has accepted it for certain when it has answered.
  client.send(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
  await new Promise((resolve) => client.socket.once('data', resolve))
  const drained = proxy.drain()
  t.equal(await drained, true)
  const other = await logIn(proxy, 'globex').catch((error) => error.code)
  t.equal(other, 'ECONNREFUSED', 'nobody is accepted any more')
  client.socket.destroy()
})
