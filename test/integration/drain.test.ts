import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { FakeClock } from '../support/fake-clock.ts'
import { sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  bind,
  codes,
  execute,
  parse,
  query,
  RawClient,
  rows,
  sqlStates,
  startup,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

/** Longer than a client may take for its next request. */
const QUIET_MS = 500

const server = await startSaas(15)
t.teardown(() => server.stop())

async function start(
  t: Test,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<{ proxy: TestProxy; clock: FakeClock }> {
  const clock = new FakeClock()
  const proxy = await startTestProxy(saasSettings(server, settings), clock)
  t.teardown(() => proxy.stop())
  return { proxy, clock }
}

function logIn({ port }: TestProxy, tenant: string): Promise<RawClient> {
  return RawClient.login(port, { user: `app.${tenant}`, password: PASSWORD })
}

/** Waits until nobody is accepted any more. */
function untilRefused({ port }: TestProxy): Promise<void> {
  return until(async () => {
    const client = await RawClient.connect(port).catch((error) => error.code)
    if (client instanceof RawClient) client.socket.destroy()
    return client === 'ECONNREFUSED'
  })
}

async function probe({ adminPort }: TestProxy, path: string) {
  const response = await fetch(`http://127.0.0.1:${adminPort}${path}`)
  return { code: response.status, ...((await response.json()) as object) }
}

for (const mode of ['transaction', 'session'] as const) {
  t.test(`whom nothing was heard of for a while, in ${mode} mode`, async (t) => {
    const { proxy, clock } = await start(t, { pool: { mode, size: 8 } })
    const quiet = await logIn(proxy, 'acme')
    const pinned = await logIn(proxy, 'globex')
    await pinned.ask(query('LISTEN news'))
    // The server is asked what that left, behind the answer.
    await until(() => proxy.views.sessions().every(({ state }) => state !== 'asking'))
    clock.advance(QUIET_MS)
    const answered = await logIn(proxy, 'hooli')
    await answered.ask(query('SELECT 1'))
    const fresh = await logIn(proxy, 'initech')
    const drained = proxy.drain()
    t.strictSame(sqlStates(await quiet.toEnd()), ['57P01'])
    t.strictSame(sqlStates(await pinned.toEnd()), ['57P01'])
    // They are as idle as the others, but may have asked by now.
    fresh.send(query('SELECT owner FROM items'))
    t.equal(codes(await fresh.toEnd()), 'TDCZE', 'its first request')
    answered.send(query('BEGIN'))
    t.equal(codes(await answered.upTo('Z')), 'CZ')
    clock.advance(QUIET_MS)
    answered.send(query('COMMIT'))
    t.equal(codes(await answered.toEnd()), 'CZE')
    t.equal(await drained, true)
  })

  t.test(`a request that had come, but not been read, in ${mode} mode`, async (t) => {
    const { proxy, clock } = await start(t, { pool: { mode } })
    const simple = await logIn(proxy, 'globex')
    const extended = await logIn(proxy, 'globex')
    await extended.ask(parse('s', 'SELECT owner FROM items'), sync)
    clock.advance(QUIET_MS)
    simple.send(query('SELECT owner FROM items'))
    extended.send(bind('', 's'), execute(), sync)
    const drained = proxy.drain()
    for (const client of [simple, extended]) {
      const frames = await client.toEnd()
      t.strictSame(rows(frames), ['globex'])
      t.strictSame(sqlStates(frames), ['57P01'])
    }
    t.equal(await drained, true)
  })
}

t.test('a request of which half has come', async (t) => {
  const { proxy, clock } = await start(t)
  const client = await logIn(proxy, 'globex')
  const request = query('SELECT owner FROM items')
  client.send(request.subarray(0, 9))
  const drained = proxy.drain()
  await untilRefused(proxy)
  clock.advance(QUIET_MS)
  client.send(request.subarray(9))
  const frames = await client.toEnd()
  t.strictSame(rows(frames), ['globex'])
  t.strictSame(sqlStates(frames), ['57P01'])
  t.equal(await drained, true)
})

t.test('a request that the proxy answers itself', async (t) => {
  const { proxy } = await start(t)
  const client = await logIn(proxy, 'globex')
  client.send(query('SHOW pgusher.tenant'))
  const drained = proxy.drain()
  const frames = await client.toEnd()
  t.strictSame(rows(frames), ['globex'])
  t.strictSame(sqlStates(frames), ['57P01'])
  t.equal(await drained, true)
})

t.test('what comes behind 57P01 is not done', async (t) => {
  const { proxy, clock } = await start(t)
  const client = await logIn(proxy, 'hooli')
  clock.advance(QUIET_MS)
  const drained = proxy.drain()
  await until(() => proxy.log().includes('SHUTDOWN'))
  client.send(query('DELETE FROM items'))
  t.strictSame(sqlStates(await client.toEnd()), ['57P01'], 'it is told so, not reset')
  t.equal(await drained, true)
  t.strictSame(await sql(server, 'saas', 'SELECT owner FROM tenant_hooli.items'), [
    { owner: 'hooli' },
  ])
})

t.test('a connection that the system had accepted, and the proxy had not', async (t) => {
  const { proxy } = await start(t)
  const socket = connect({ host: '127.0.0.1', port: proxy.port })
  const connected = once(socket, 'connect')
  const errors: string[] = []
  socket.on('error', ({ message }) => errors.push(message))
  // By then connect(2) has been called, and nothing was polled for since.
  await new Promise<void>((resolve) => process.nextTick(resolve))
  const drained = proxy.drain()
  await connected
  const client = RawClient.over(socket)
  client.send(startup({ user: 'app.globex' }))
  t.strictSame(sqlStates(await client.toEnd()), ['57P01'])
  t.strictSame(errors, [])
  t.equal(await drained, true)
})

t.test('while those who lead clients here may not have noticed', async (t) => {
  const { proxy, clock } = await start(t, { timeouts: { drainDelayMs: 5000 } })
  const idle = await logIn(proxy, 'globex')
  clock.advance(QUIET_MS)
  t.match(await probe(proxy, '/readyz'), { code: 200, status: 'ready', draining: false })
  const drained = proxy.drain()
  t.match(await probe(proxy, '/readyz'), { code: 503, status: 'notReady', draining: true })
  t.match(await probe(proxy, '/livez'), { code: 200 })
  t.match(await probe(proxy, '/startupz'), { code: 200 })
  t.match(await probe(proxy, '/status'), { code: 200, state: 'leaving', sessions: 1, ready: false })
  const late = await logIn(proxy, 'hooli')
  t.strictSame(rows(await late.ask(query('SELECT owner FROM items'))), ['hooli'])
  t.strictSame(rows(await idle.ask(query('SELECT owner FROM items'))), ['globex'])
  t.strictSame(rows(await idle.ask(query('SELECT owner FROM items'))), ['globex'], 'and again')
  clock.advance(5000)
  t.strictSame(sqlStates(await idle.toEnd()), ['57P01'])
  t.strictSame(sqlStates(await late.toEnd()), ['57P01'])
  t.equal(await drained, true)
})

t.test('what still runs when the time is over is not done', async (t) => {
  const { proxy, clock } = await start(t, { timeouts: { drainMs: 10_000 } })
  const client = await logIn(proxy, 'globex')
  client.send(query("INSERT INTO items SELECT 2, 'late' FROM pg_sleep(1000)"))
  const running = () =>
    sql(server, 'saas', "SELECT FROM pg_stat_activity WHERE query LIKE '%''late''%pg_sleep(1000)'")
  await until(async () => (await running()).length === 1)
  const drained = proxy.drain()
  await untilRefused(proxy)
  clock.advance(10_000)
  const frames = await client.toEnd()
  t.strictSame(sqlStates(frames), ['57014', '57P01'])
  t.equal(await drained, false)
  await until(async () => (await running()).length === 0)
  t.strictSame(
    await sql(server, 'saas', "SELECT FROM tenant_globex.items WHERE owner = 'late'"),
    [],
  )
})

t.test('shutdown when the clients have left', async (t) => {
  const { proxy, clock } = await start(t)
  const staying = await logIn(proxy, 'globex')
  clock.advance(QUIET_MS)
  proxy.shutdown('clients', 'SHUTDOWN')
  t.match(await probe(proxy, '/readyz'), { code: 503 })
  await untilRefused(proxy)
  t.strictSame(rows(await staying.ask(query('SELECT owner FROM items'))), ['globex'])
  await staying.end()
  t.equal(await proxy.ended, 'complete')
})
