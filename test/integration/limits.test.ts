import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  codes,
  frame,
  query,
  RawClient,
  type RawFrame,
  rows,
  sqlStates,
  startup,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const server = await startSaas(18)
t.teardown(() => server.stop())

function logIn(proxy: TestProxy, tenant: string): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
}

async function attempt(proxy: TestProxy, user: string, password = PASSWORD) {
  const client = await RawClient.connect(proxy.port)
  return { client, frames: await client.logIn({ user, password }) }
}

async function owner(client: RawClient): Promise<readonly string[]> {
  return rows(await client.ask(query('SELECT owner FROM items')))
}

async function proxyWith(t: Test, overrides: Record<string, unknown>): Promise<TestProxy> {
  const proxy = await startTestProxy(saasSettings(server, overrides))
  t.teardown(() => proxy.stop())
  return proxy
}

async function activeQueries(on: PostgresServer, text: string): Promise<number> {
  const found = await sql(
    on,
    'postgres',
    `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%${text}%' AND pid <> pg_backend_pid()`,
  )
  return found.length
}

t.test('startup timeout', async (t) => {
  const proxy = await proxyWith(t, { timeouts: { startupMs: 150 } })
  const stages: readonly Buffer[] = [
    Buffer.alloc(0),
    startup({ user: 'app.globex' }).subarray(0, 9),
    startup({ user: 'app.globex' }),
  ]
  const ends = stages.map(async (bytes) => {
    const client = await RawClient.connect(proxy.port)
    client.send(bytes)
    return client.toEnd()
  })
  for (const frames of await Promise.all(ends)) t.strictSame(sqlStates(frames), ['57014'])
  t.equal(await proxy.metric('pgusher_client_connections'), 0)
})

t.test('waiting for a server connection', async (t) => {
  const proxy = await proxyWith(t, {
    pool: { size: 1 },
    timeouts: { waitMs: 200 },
    limits: { maxWaiting: 1 },
  })
  const holder = await logIn(proxy, 'globex')
  const waiter = await logIn(proxy, 'initech')
  const tooMany = await logIn(proxy, 'hooli')
  await holder.ask(query('BEGIN'))
  waiter.send(query('SELECT 1'))
  await until(async () => (await proxy.metric('pgusher_pool_clients_waiting')) === 1)
  tooMany.send(query('SELECT 1'))
  t.strictSame(sqlStates(await tooMany.toEnd()), ['53300'], 'the queue is full')
  t.strictSame(sqlStates(await waiter.toEnd()), ['53300'], 'the wait was too long')
  t.match(proxy.log(), /CHECKOUT_TIMEOUT/)
  t.match(proxy.log(), /WAIT_QUEUE_FULL/)
  t.strictSame(await owner(holder), ['globex'])
  await holder.end()
})

for (const mode of ['transaction', 'session']) {
  t.test(`${mode} mode: idle clients`, async (t) => {
    const proxy = await proxyWith(t, { pool: { mode }, timeouts: { idleClientMs: 200 } })
    const client = await logIn(proxy, 'globex')
    for (let round = 0; round < 5; round++) {
      await client.ask(query('SELECT pg_sleep(0.06)'))
    }
    t.equal(codes(await client.ask(query('SELECT 1 FROM pg_sleep(0.5)'))), 'TDCZ', 'it is busy')
    t.strictSame(sqlStates(await client.toEnd()), ['57P05'])
  })

  t.test(`${mode} mode: idle in a transaction`, async (t) => {
    const proxy = await proxyWith(t, {
      pool: { mode, size: 1 },
      timeouts: { idleInTransactionMs: 150, idleClientMs: 60_000 },
    })
    for (const failed of [false, true]) {
      const client = await logIn(proxy, 'globex')
      await client.ask(query('BEGIN'))
      const frames = await client.ask(query('SELECT pg_backend_pid()'))
      if (failed) await client.ask(query('SELECT 1/0'))
      t.strictSame(sqlStates(await client.toEnd()), ['25P03'])
      const pid = rows(frames)[0]
      await until(async () => {
        const found = await sql(
          server,
          'postgres',
          `SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`,
        )
        return found.length === 0
      })
      const next = await logIn(proxy, 'hooli')
      t.strictSame(await owner(next), ['hooli'])
      await next.end()
    }
  })

  t.test(`${mode} mode: long queries`, async (t) => {
    const proxy = await proxyWith(t, {
      pool: { mode, size: 1 },
      timeouts: { queryMs: 200, cancelMs: 2000 },
    })
    const client = await logIn(proxy, 'initech')
    for (let round = 0; round < 3; round++) {
      const frames = await client.ask(query('SELECT pg_sleep(30)'))
      t.strictSame(sqlStates(frames), ['57014'])
      t.strictSame(await owner(client), ['initech'], 'the session survives')
    }
    client.send(query('SELECT pg_sleep(30), 4711'), frame('X'))
    await client.closed
    await until(async () => (await activeQueries(server, '4711')) === 0)
    const next = await logIn(proxy, 'initech')
    t.strictSame(await owner(next), ['initech'])
    await next.end()
  })

  t.test(`${mode} mode: a query that does not heed its cancel`, async (t) => {
    const proxy = await proxyWith(t, {
      pool: { mode, size: 1 },
      timeouts: { queryMs: 150, cancelMs: 150 },
    })
    const client = await logIn(proxy, 'globex')
    const stubborn = `DO $$ BEGIN FOR i IN 1..40 LOOP BEGIN PERFORM pg_sleep(0.5);
      EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$`
    client.send(query(stubborn))
    t.strictSame(sqlStates(await client.toEnd()), ['57014'])
    t.match(proxy.log(), /QUERY_TIMEOUT/)
    const next = await logIn(proxy, 'hooli')
    t.strictSame(await owner(next), ['hooli'], 'on another server connection')
    await next.end()
  })
}

t.test('a query whose answer nobody reads', async (t) => {
  const proxy = await proxyWith(t, {
    pool: { size: 1 },
    timeouts: { queryMs: 150, cancelMs: 150 },
  })
  const client = await logIn(proxy, 'globex')
  client.detach().pause()
  client.send(query("SELECT repeat('x', 1000000) FROM generate_series(1, 100)"))
  await until(async () => (await proxy.metric('pgusher_pool_servers', { state: 'active' })) === 1)
  const next = await logIn(proxy, 'hooli')
  t.strictSame(await owner(next), ['hooli'], 'its server connection is free again')
  await next.end()
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
  t.pass('it does not keep its place in the proxy')
  client.socket.destroy()
})

t.test('most clients of the process', async (t) => {
  const proxy = await proxyWith(t, { limits: { maxClients: 2 } })
  const inside = await Promise.all([logIn(proxy, 'globex'), logIn(proxy, 'globex')])
  t.strictSame(sqlStates((await attempt(proxy, 'app.globex')).frames), ['53300'])
  await inside[0].end()
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 1)
  const next = await logIn(proxy, 'acme')
  t.strictSame(await owner(next), ['acme'])
  await Promise.all([inside[1].end(), next.end()])
})

t.test('most clients of a tenant', async (t) => {
  const settings = saasSettings(server)
  const tenants = settings['tenants'] as Record<string, unknown>[]
  const proxy = await proxyWith(t, {
    tenants: tenants.map((tenant) =>
      tenant['name'] === 'globex' ? { ...tenant, limits: { maxClients: 1 } } : tenant,
    ),
  })
  const inside = await logIn(proxy, 'globex')
  const { frames, client } = await attempt(proxy, 'app.globex')
  t.strictSame(sqlStates(frames), ['53300'])
  await client.closed
  const other = await logIn(proxy, 'hooli')
  t.strictSame(await owner(other), ['hooli'], 'another tenant is not touched')
  await inside.end()
  await until(async () => (await proxy.metric('pgusher_sessions')) === 1)
  const next = await logIn(proxy, 'globex')
  t.strictSame(await owner(next), ['globex'])
  await Promise.all([other.end(), next.end()])
})

t.test('failed logins are slowed down', async (t) => {
  const proxy = await proxyWith(t, { limits: { loginFailures: 2, loginBackoffMaxMs: 300 } })
  const timed = async (user: string, password?: string) => {
    const startedMs = performance.now()
    const { frames, client } = await attempt(proxy, user, password)
    client.socket.destroy()
    return { frames, ms: performance.now() - startedMs }
  }
  for (let failure = 0; failure < 3; failure++) await timed('app.globex', 'wrong')
  t.ok((await timed('app.globex', 'wrong')).ms > 240, 'the next one waits')
  const right = await timed('app.globex')
  t.ok(right.ms > 290, 'so does the right one')
  t.equal(lastCode(right.frames), 'Z')
  t.ok((await timed('app.globex')).ms < 240, 'which ends the matter')
  for (let failure = 0; failure < 4; failure++) await timed('app.initech', 'wrong')
  t.ok((await timed('app.hooli')).ms < 240, 'another tenant does not feel it')
})

t.test('a suspended tenant', async (t) => {
  const tenants = saasSettings(server)['tenants'] as Record<string, unknown>[]
  const proxy = await proxyWith(t, {
    tenants: tenants.map((tenant) => ({ ...tenant, status: 'suspended' })),
  })
  t.strictSame(sqlStates((await attempt(proxy, 'app.globex')).frames), ['57P03'])
  t.strictSame(sqlStates((await attempt(proxy, 'app.globex', 'wrong')).frames), ['28P01'])
  t.strictSame(sqlStates((await attempt(proxy, 'nobody.globex')).frames), ['28P01'])
})

function lastCode(frames: readonly RawFrame[]): string | undefined {
  return frames.at(-1)?.code
}
