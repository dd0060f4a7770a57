import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  codes,
  keyOf,
  parse,
  query,
  RawClient,
  type RawKey,
  rows,
  sendCancel,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const SLEEP = 'SELECT pg_sleep(60)'

interface Keyed {
  readonly client: RawClient
  readonly key: RawKey
}

async function logIn(proxy: TestProxy, tenant: string): Promise<Keyed> {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: `app.${tenant}`, password: PASSWORD })
  return { client, key: keyOf(frames) }
}

/** Sleeping queries on the server. */
async function sleepers(server: PostgresServer): Promise<number> {
  const found = await sql(
    server,
    'postgres',
    `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`,
  )
  return found.length
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    for (const mode of ['transaction', 'session']) {
      const proxy = await startTestProxy(saasSettings(server, { pool: { mode, size: 1 } }))
      t.teardown(() => proxy.stop())
      for (const tenant of ['acme', 'globex', 'initech']) {
        await t.test(`${mode}, ${tenant}: in time`, (t) => inTime(t, { proxy, server }, tenant))
        await t.test(`${mode}, ${tenant}: wrong keys`, (t) =>
          wrongKeys(t, { proxy, server }, tenant),
        )
      }
      await t.test(`${mode}: in a transaction`, (t) => inTransaction(t, proxy))
    }
    await t.test('too late', (t) => tooLate(t, server))
    await t.test('while waiting', (t) => whileWaiting(t, server))
  })
}

interface House {
  readonly proxy: TestProxy
  readonly server: PostgresServer
}

async function inTime(t: Test, { proxy, server }: House, tenant: string): Promise<void> {
  const { client, key } = await logIn(proxy, tenant)
  for (let round = 0; round < 3; round++) {
    client.send(query(SLEEP))
    await until(async () => (await sleepers(server)) === 1)
    await sendCancel(proxy.port, key)
    t.strictSame(sqlStates(await client.upTo('Z')), ['57014'])
    t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), [tenant], 'it lives on')
  }
  await client.end()
}

async function wrongKeys(t: Test, { proxy, server }: House, tenant: string): Promise<void> {
  const gone = await logIn(proxy, tenant)
  await gone.client.ask(query('SELECT 1'))
  await gone.client.end()
  await until(async () => (await proxy.metric('pgusher_sessions')) === 0)
  const { client, key } = await logIn(proxy, tenant)
  client.send(query('SELECT 1 FROM pg_sleep(0.4)'))
  await until(async () => (await sleepers(server)) === 1)
  const flipped = Buffer.from(key.secret)
  flipped[0] = (flipped[0] ?? 0) ^ 1
  const wrong: readonly RawKey[] = [
    gone.key,
    { processId: key.processId, secret: flipped },
    { processId: key.processId, secret: Buffer.concat([key.secret, Buffer.alloc(28)]) },
    { processId: key.processId ^ 1, secret: key.secret },
    { processId: 0, secret: Buffer.alloc(4) },
    { processId: -1, secret: randomBytes(32) },
  ]
  await Promise.all(wrong.map((bad) => sendCancel(proxy.port, bad)))
  t.strictSame(rows(await client.upTo('Z')), ['1'], 'nobody was hit')
  await client.end()
}

async function inTransaction(t: Test, proxy: TestProxy): Promise<void> {
  const { client, key } = await logIn(proxy, 'globex')
  await client.ask(query('BEGIN'))
  await sendCancel(proxy.port, key)
  t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), ['globex'])
  t.equal(codes(await client.ask(query('COMMIT'))), 'CZ', 'the transaction was not touched')
  await client.end()
}

/** A cancel that comes when the query is over must not hit the next client of the connection. */
async function tooLate(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 1 } }))
  t.teardown(() => proxy.stop())
  const first = await logIn(proxy, 'globex')
  const second = await logIn(proxy, 'initech')
  let hits = 0
  for (let round = 0; round < 150; round++) {
    // Each round lets the cancel come at another moment of the query's life.
    first.client.send(query(`SELECT 1 FROM pg_sleep(${(round % 5) / 1000})`))
    const canceled =
      round % 2 === 0
        ? sendCancel(proxy.port, first.key)
        : first.client.upTo('Z').then(() => sendCancel(proxy.port, first.key))
    second.client.send(query(`SELECT owner FROM items, pg_sleep(0.003)`))
    const answer = await second.client.upTo('Z')
    if (sqlStates(answer).length > 0) hits += 1
    if (round % 2 === 0) await first.client.upTo('Z')
    await canceled
  }
  t.equal(hits, 0, 'no query of another client was hit')
  await Promise.all([first.client.end(), second.client.end()])
}

async function whileWaiting(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 1 } }))
  t.teardown(() => proxy.stop())
  const holder = await logIn(proxy, 'globex')
  const waiter = await logIn(proxy, 'hooli')
  await holder.client.ask(query('BEGIN'))
  for (const request of [Buffer.concat([parse('', 'SELECT 1'), sync]), query('SELECT 1')]) {
    waiter.client.send(request)
    await until(async () => (await proxy.metric('pgusher_pool_clients_waiting')) === 1)
    await sendCancel(proxy.port, waiter.key)
    t.strictSame(sqlStates(await waiter.client.upTo('Z')), ['57014'], 'it need not wait any more')
  }
  waiter.client.send(query('SELECT 1'), query('SELECT 2'))
  await until(async () => (await proxy.metric('pgusher_pool_clients_waiting')) === 1)
  await sendCancel(proxy.port, waiter.key)
  t.strictSame(rows(await holder.client.ask(query('SELECT owner FROM items'))), ['globex'])
  await holder.client.ask(query('COMMIT'))
  t.strictSame(rows(await waiter.client.upTo('Z')), ['1'], 'two requests are left to the server')
  t.strictSame(rows(await waiter.client.upTo('Z')), ['2'])
  await Promise.all([holder.client.end(), waiter.client.end()])
}
