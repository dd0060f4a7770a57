import type pg from 'pg'
import t, { type Test } from 'tap'
import type { PostgresServer } from '../support/postgres.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const TENANTS = ['acme', 'umbrella', 'globex', 'hooli', 'initech', 'initrode'] as const
const CLIENTS = 20
const ROUNDS = 15

async function backendOf(client: pg.Client): Promise<number> {
  return (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    await t.test('many clients, few servers', (t) => manyClients(t, server))
    const proxy = await startTestProxy(
      saasSettings(server, { pool: { size: 2, maxPreparedStatements: 5 } }),
    )
    t.teardown(() => proxy.stop())
    await t.test('a named statement follows its client', (t) => namedFollows(t, proxy))
    await t.test('many statements', (t) => manyStatements(t, proxy))
    await t.test('errors in named statements', (t) => failingStatements(t, proxy))
    await t.test('DISCARD ALL and DEALLOCATE ALL', (t) => discards(t, proxy))
    await t.test('big values', (t) => bigValues(t, proxy))
    await t.test('several statements in a query', (t) => severalStatements(t, proxy))
    await t.test('notices', (t) => notices(t, proxy))
  })
}

async function manyClients(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 2 } }))
  t.teardown(() => proxy.stop())
  const pids = new Map<string, Set<number>>()
  const work = Array.from({ length: CLIENTS }, async (_, index) => {
    const tenant = TENANTS[index % TENANTS.length] ?? 'acme'
    const client = await proxy.connect(tenant)
    const mine = pids.get(tenant) ?? new Set()
    pids.set(tenant, mine)
    for (let round = 0; round < ROUNDS; round++) {
      const token = `${tenant} ${index} ${round}`
      const { rows } = await client.query({
        ...(round % 3 === 0 ? { name: `get ${round % 2}` } : {}),
        text: 'SELECT owner, $1::text AS token, pg_backend_pid() AS pid FROM items',
        values: [token],
      })
      t.strictSame(
        rows.map(({ owner, token }) => ({ owner, token })),
        [{ owner: tenant, token }],
      )
      mine.add(rows[0].pid)
      const simple = await client.query('SELECT owner FROM items')
      t.strictSame(simple.rows, [{ owner: tenant }])
      if (round % 5 === 0) await inTransaction(t, client, tenant)
    }
    await client.end()
  })
  await Promise.all(work)
  const shared = new Set(TENANTS.slice(2).flatMap((tenant) => [...(pids.get(tenant) ?? [])]))
  t.ok(shared.size <= 2, 'shared tenants used two server connections at most')
  for (const tenant of ['acme', 'umbrella']) t.ok((pids.get(tenant)?.size ?? 0) <= 2)
  t.equal(await proxy.metric('pgusher_sessions'), 0, 'nobody is left')
}

async function inTransaction(t: Test, client: pg.Client, tenant: string): Promise<void> {
  await client.query('BEGIN')
  await client.query('SELECT 1')
  t.strictSame((await client.query('SELECT owner FROM items')).rows, [{ owner: tenant }])
  await client.query('COMMIT')
}

async function namedFollows(t: Test, proxy: TestProxy): Promise<void> {
  const client = await proxy.connect('globex')
  const ask = async (value: string) => {
    const { rows } = await client.query({
      name: 'follow',
      text: 'SELECT owner, pg_backend_pid() AS pid, $1::text AS value FROM items',
      values: [value],
    })
    t.equal(rows[0].owner, 'globex')
    t.equal(rows[0].value, value)
    return rows[0].pid
  }
  const first = await ask('one')
  const release = await holdServer(proxy, first)
  t.not(await ask('two'), first, 'another server connection, the same statement')
  await release()
  await client.end()
}

/** Keeps the server connection with that process busy. */
async function holdServer(proxy: TestProxy, pid: number): Promise<() => Promise<void>> {
  const holders: pg.Client[] = []
  let found: pg.Client | undefined
  while (found === undefined) {
    const holder = await proxy.connect('globex')
    holders.push(holder)
    await holder.query('BEGIN')
    if ((await backendOf(holder)) === pid) found = holder
  }
  for (const holder of holders) if (holder !== found) await holder.end()
  return async () => {
    await found.end()
  }
}

async function manyStatements(t: Test, proxy: TestProxy): Promise<void> {
  const client = await proxy.connect('initech')
  for (let round = 0; round < 3; round++) {
    for (let number = 0; number < 40; number++) {
      const { rows } = await client.query({
        name: `many ${number}`,
        text: `SELECT owner, ${number} AS number FROM items`,
      })
      t.strictSame(rows, [{ owner: 'initech', number }])
    }
  }
  const held = await client.query('SELECT count(*)::int AS held FROM pg_prepared_statements')
  t.ok(held.rows[0].held <= 6, `the server holds ${held.rows[0].held}`)
  await client.end()
}

async function failingStatements(t: Test, proxy: TestProxy): Promise<void> {
  for (const tenant of ['acme', 'globex', 'initech']) {
    const client = await proxy.connect(tenant)
    await t.rejects(client.query({ name: 'bad', text: 'SELECT no_such_column FROM items' }), {
      code: '42703',
    })
    const again = await client.query({ name: 'bad', text: 'SELECT owner FROM items' })
    t.strictSame(again.rows, [{ owner: tenant }])
    const div = { name: 'div', text: 'SELECT 1 / $1::int AS result' }
    await t.rejects(client.query({ ...div, values: [0] }), { code: '22012' })
    t.strictSame((await client.query({ ...div, values: [1] })).rows, [{ result: 1 }])
    await client.end()
  }
}

async function discards(t: Test, proxy: TestProxy): Promise<void> {
  for (const command of ['DISCARD ALL', 'DEALLOCATE ALL']) {
    const client = await proxy.connect('globex')
    for (let number = 0; number < 4; number++) {
      await client.query({ name: `n${number}`, text: `SELECT ${number} AS n, owner FROM items` })
    }
    await client.query(command)
    const other = await proxy.connect('globex')
    for (let number = 0; number < 4; number++) {
      const { rows } = await other.query({ name: 'n', text: 'SELECT owner FROM items' })
      t.strictSame(rows, [{ owner: 'globex' }], command)
    }
    const fresh = await client.query({ name: 'fresh', text: 'SELECT owner FROM items' })
    t.strictSame(fresh.rows, [{ owner: 'globex' }])
    await Promise.all([client.end(), other.end()])
  }
}

async function bigValues(t: Test, proxy: TestProxy): Promise<void> {
  for (const tenant of ['acme', 'initech']) {
    const client = await proxy.connect(tenant)
    const big = 'x'.repeat(8 * 1024 * 1024)
    const { rows } = await client.query('SELECT $1::text AS big, length($1) AS length', [big])
    t.equal(rows[0].length, big.length)
    t.ok(rows[0].big === big, 'came back whole')
    const simple = await client.query(`SELECT length('${big}') AS length`)
    t.equal(simple.rows[0].length, big.length)
    await client.end()
  }
}

async function severalStatements(t: Test, proxy: TestProxy): Promise<void> {
  const client = await proxy.connect('hooli')
  const results: unknown = await client.query(
    'SELECT 1 AS a; SELECT 2 AS a; SELECT owner FROM items',
  )
  t.strictSame(
    (results as pg.QueryResult[]).map(({ rows }) => rows),
    [[{ a: 1 }], [{ a: 2 }], [{ owner: 'hooli' }]],
  )
  t.strictSame((await client.query('')).rows, [])
  t.strictSame((await client.query(' ; ')).rows, [])
  await t.rejects(client.query('SELECT 1; SELECT 1/0; SELECT 2'), { code: '22012' })
  t.strictSame((await client.query('SELECT owner FROM items')).rows, [{ owner: 'hooli' }])
  await client.end()
}

async function notices(t: Test, proxy: TestProxy): Promise<void> {
  const client = await proxy.connect('initrode')
  const heard: (string | undefined)[] = []
  client.on('notice', ({ message }) => heard.push(message))
  await client.query(
    `DO $$ BEGIN FOR i IN 1..500 LOOP RAISE NOTICE 'notice %', i; END LOOP; END $$`,
  )
  t.equal(heard.length, 500)
  t.equal(heard[499], 'notice 500')
  await client.end()
}
