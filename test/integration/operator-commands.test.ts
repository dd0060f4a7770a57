import type pg from 'pg'
import t, { type Test } from 'tap'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const server = await startSaas(18)
const proxies: TestProxy[] = []
t.teardown(async () => {
  for (const proxy of proxies) await proxy.stop()
  await server.stop()
})

async function start(overrides: object = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 3 }, ...overrides }))
  proxies.push(proxy)
  return proxy
}

async function connect(t: Test, proxy: TestProxy, tenant: string): Promise<pg.Client> {
  const client = await proxy.connect(tenant)
  t.teardown(() => client.end().catch(() => {}))
  return client
}

const owner = async (client: pg.Client) =>
  (await client.query('SELECT owner FROM items WHERE id = 1')).rows[0]?.owner

/** The process that serves the client, which must be in a transaction to keep it. */
const pidOf = async (client: pg.Client) =>
  (await client.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid

function stateOf(proxy: TestProxy, tenant: string): string | undefined {
  return proxy.views.sessions().find((session) => session.tenant === tenant)?.state
}

const NEVER = new AbortController().signal

for (const { strategy, tenant, other } of [
  { strategy: 'database', tenant: 'acme', other: 'umbrella' },
  { strategy: 'schema', tenant: 'globex', other: 'hooli' },
  { strategy: 'row', tenant: 'initech', other: 'initrode' },
]) {
  t.test(`a paused ${strategy} tenant waits, others do not`, async (t) => {
    const proxy = await start()
    const { operations, views } = proxy
    const [client, stranger] = [await connect(t, proxy, tenant), await connect(t, proxy, other)]
    t.equal(await owner(client), tenant)
    await operations.pause(tenant, NEVER)
    t.strictSame(views.paused().tenants, [tenant])
    const answer = owner(client)
    await until(() => stateOf(proxy, tenant) === 'waiting')
    t.equal(await owner(stranger), other)
    t.ok((views.sessions().find((session) => session.tenant === tenant)?.waitMs ?? 0) > 0)
    const login = proxy.connect(tenant)
    t.equal(operations.resume(tenant), true)
    t.equal(await answer, tenant)
    await (await login).end()
  })
}

t.test('to pause waits for what runs, and for clients that keep a server connection', async (t) => {
  const proxy = await start()
  const { operations } = proxy
  const client = await connect(t, proxy, 'acme')
  await client.query('BEGIN')
  const pid = await pidOf(client)
  const events: string[] = []
  const paused = operations.pause('acme', NEVER).then(() => events.push('paused'))
  t.equal(await pidOf(client), pid, 'a transaction goes on to its end')
  events.push('commits')
  await client.query('COMMIT')
  await paused
  t.strictSame(events, ['commits', 'paused'])
  await until(() => proxy.views.pools()[0]?.servers().length === 0)
  operations.resume('acme')
  await client.query('LISTEN news')
  const giveUp = new AbortController()
  const pinned = operations.pause('acme', giveUp.signal)
  giveUp.abort(new Error('canceled'))
  await t.rejects(pinned, { message: 'canceled' })
  t.ok(proxy.views.paused().tenants.includes('acme'), 'the pause stays')
})

t.test('all tenants, and a wait that is too long', async (t) => {
  const proxy = await start({ timeouts: { waitMs: 50 } })
  const client = await connect(t, proxy, 'globex')
  await client.query('SELECT 1')
  await proxy.operations.pause(undefined, NEVER)
  t.equal(proxy.views.paused().isAll, true)
  await t.rejects(client.query('SELECT 1'), { code: '53300' })
  t.equal(proxy.operations.resume(undefined), true)
  t.equal(proxy.operations.resume(undefined), false)
})

t.test('a change to a paused tenant waits', async (t) => {
  const proxy = await start()
  const client = await connect(t, proxy, 'globex')
  t.equal(await owner(client), 'globex')
  await proxy.operations.pause('initech', NEVER)
  const changed = client.query("SET pgusher.tenant = 'initech'")
  await until(() => stateOf(proxy, 'globex') === 'switching')
  t.strictSame(
    proxy.views
      .pools()[0]
      ?.servers()
      .map(({ tenant }) => tenant),
    ['globex'],
  )
  proxy.operations.resume('initech')
  await changed
  t.equal(await owner(client), 'initech')
})

t.test('in session mode a paused login gets no server connection', async (t) => {
  const proxy = await start({ pool: { mode: 'session' } })
  await proxy.operations.pause('acme', NEVER)
  const login = proxy.connect('acme')
  await until(() => proxy.views.pools().some(({ sessions }) => sessions === 1))
  t.strictSame(proxy.views.pools()[0]?.servers(), [])
  proxy.operations.resume('acme')
  const client = await login
  t.equal(await owner(client), 'acme')
  await client.end()
})

t.test('a paused request can be canceled, and its client may leave', async (t) => {
  const proxy = await start()
  const [client, leaver] = [await connect(t, proxy, 'acme'), await connect(t, proxy, 'acme')]
  await proxy.operations.pause('acme', NEVER)
  const refused = t.rejects(client.query('SELECT 1'), { code: '57014' })
  void leaver.query('SELECT 1').catch(() => {})
  const waiting = () => proxy.views.sessions().filter(({ state }) => state === 'waiting').length
  await until(() => waiting() === 2)
  await leaver.end()
  await until(() => waiting() === 1)
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  await cancel(proxy.port, processID, secretKey)
  await refused
  proxy.operations.resume('acme')
  t.equal(await owner(client), 'acme')
})

async function cancel(port: number, processId: number, secretKey: number): Promise<void> {
  const { connect: dial } = await import('node:net')
  const packet = Buffer.alloc(16)
  packet.writeInt32BE(16, 0)
  packet.writeInt32BE(80_877_102, 4)
  packet.writeInt32BE(processId, 8)
  packet.writeInt32BE(secretKey, 12)
  await new Promise((resolve) => dial(port, '127.0.0.1').on('close', resolve).end(packet))
}

t.test('KILL ends the sessions of one tenant, and pauses it', async (t) => {
  const proxy = await start()
  const [client, stranger] = [await connect(t, proxy, 'globex'), await connect(t, proxy, 'hooli')]
  await client.query('BEGIN')
  const gone = new Promise<Error & { code?: string }>((resolve) => client.once('error', resolve))
  t.equal(proxy.operations.kill('globex'), 1)
  t.equal((await gone).code, '57P01')
  t.equal(await owner(stranger), 'hooli')
  const login = proxy.connect('globex')
  proxy.operations.resume('globex')
  const again = await login
  t.equal(await owner(again), 'globex')
  await again.end()
  const [session] = proxy.views.sessions()
  t.equal(proxy.operations.killSession(session?.id ?? 0), true)
  t.equal(proxy.operations.killSession(0), false)
})

t.test('RECONNECT closes server connections as they come free', async (t) => {
  const proxy = await start()
  const [idle, busy] = [await connect(t, proxy, 'acme'), await connect(t, proxy, 'acme')]
  await busy.query('BEGIN')
  const pid = await pidOf(busy)
  await idle.query('SELECT 1')
  const [pool] = proxy.views.pools()
  t.match(pool, { owner: 'acme', database: 'acme', user: 'acme', mode: 'transaction', sessions: 2 })
  t.strictSame(
    pool
      ?.servers()
      .map(({ state, tenant }) => `${state} ${tenant}`)
      .sort(),
    ['active acme', 'idle acme'],
  )
  t.ok((pool?.counts.oldestLeaseMs ?? 0) > 0)
  t.equal(proxy.operations.reconnect('acme'), 2)
  t.equal(await pidOf(busy), pid, 'a transaction goes on to its end')
  t.strictSame(
    proxy.views
      .pools()[0]
      ?.servers()
      .map(({ isLeaving }) => isLeaving),
    [true],
  )
  await busy.query('COMMIT')
  await until(() => proxy.views.pools()[0]?.servers().length === 0)
  t.equal(await proxy.metric('pgusher_server_closed_total', { reason: 'reconnect' }), 2)
  t.not(await pidOf(busy), pid)
})

t.test('RECONNECT of one that shares a pool leaves the others theirs', async (t) => {
  const proxy = await start()
  const [first, second] = [await connect(t, proxy, 'globex'), await connect(t, proxy, 'hooli')]
  await Promise.all([first, second].map((client) => client.query('BEGIN')))
  const pid = await pidOf(second)
  t.equal(proxy.operations.reconnect('globex'), 1)
  await Promise.all([first, second].map((client) => client.query('COMMIT')))
  await until(() => proxy.views.pools()[0]?.servers().length === 1)
  t.equal(await pidOf(second), pid)
})

t.test('what a session is doing can be seen', async (t) => {
  const proxy = await start()
  const client = await proxy.connect('initech', { application_name: 'billing' })
  t.teardown(() => client.end())
  await client.query('BEGIN')
  const [view] = proxy.views.sessions()
  t.match(view, {
    tenant: 'initech',
    login: 'app',
    database: 'saas',
    applicationName: 'billing',
    isReplication: false,
    state: 'active',
    isInTransaction: true,
    pins: [],
    client: { address: '127.0.0.1' },
    local: { port: proxy.port },
    tls: '',
    waitMs: 0,
  })
  t.equal(view?.serverId, proxy.views.pools()[0]?.servers()[0]?.id)
  await client.query('COMMIT')
  await client.query('LISTEN news')
  // The server is asked behind the answer.
  await until(() => proxy.views.sessions()[0]?.pins.includes('listen') === true)
})
