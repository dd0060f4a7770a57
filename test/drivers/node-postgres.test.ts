import { once } from 'node:events'
import pg from 'pg'
import type { Test } from 'tap'
import { acrossServers, fromEverySeat, runChecks, type Seat } from '../support/driver-seats.ts'
import { connectionConfig, open, pidOf } from './node-postgres-client.ts'

const SLEEP = `DO $$ BEGIN RAISE NOTICE 'falling asleep'; PERFORM pg_sleep(60); END $$`
const LARGE_BYTES = 8 * 1024 * 1024
const STATEMENTS = 50

await fromEverySeat((t, seat) =>
  runChecks(t, seat, {
    // Takes long, and does not depend on the major.
    ...(seat.major === 18
      ? { 'node-postgres: 8 MB of text and of bytea, both ways': largeValues }
      : {}),
    'node-postgres: the tenant in the user': tenantInUser,
    'node-postgres: the tenant in options': tenantInOptions,
    'node-postgres: a pool with more clients than server connections': manyClients,
    'node-postgres: typed parameters': typedParameters,
    'node-postgres: named statements across server connections': namedStatements,
    'node-postgres: many named statements': manyStatements,
    'node-postgres: a row limit, fetched on within a request': rowLimit,
    'node-postgres: transaction, savepoint and rollback': savepoints,
    'node-postgres: an error in a transaction': errorInTransaction,
    'node-postgres: queued queries, one of them failing': queued,
    'node-postgres: pipeline mode, one query failing': pipelined,
    'node-postgres: transactions in pipeline mode': pipelinedTransactions,
    'node-postgres: several statements in one query': severalStatements,
    'node-postgres: cancel': cancelled,
    'node-postgres: statement_timeout in the configuration': statementTimeout,
  }),
)

async function tenantInUser(t: Test, seat: Seat): Promise<void> {
  const { host, port, user, password, database } = seat
  const url = `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
  for (const config of [{}, { connectionString: url }]) {
    const client = await open(t, seat, config)
    t.strictSame(await owners(client), [seat.tenant])
    await client.end()
  }
}

async function tenantInOptions(t: Test, seat: Seat): Promise<void> {
  const { host, port, login, password, tenant, database } = seat
  const options = `-c pgusher.tenant=${tenant}`
  const query = new URLSearchParams({ options })
  const url = `postgresql://${login}:${encodeURIComponent(password)}@${host}:${port}/${database}?${query}`
  for (const config of [{ user: login, options }, { connectionString: url }]) {
    const client = await open(t, seat, config)
    t.strictSame(await owners(client), [tenant])
    await client.end()
  }
  await t.rejects(open(t, seat, { user: login }), { code: '28000' }, 'no tenant, no session')
}

async function manyClients(t: Test, seat: Seat): Promise<void> {
  const { mode } = seat
  const pool = new pg.Pool({ ...connectionConfig(seat), max: mode === 'session' ? 2 : 6 })
  t.teardown(() => pool.end())
  const ask = 'SELECT owner, $1::int AS number, pg_backend_pid() AS pid FROM items'
  const work = Promise.all(
    Array.from({ length: 40 }, (_, number) => pool.query({ text: ask, values: [number] })),
  )
  const results = await (mode === 'session' ? work : seat.disturbers.during(work))
  const rows = results.map((result) => result.rows[0])
  t.strictSame(
    rows.map(({ owner, number }) => ({ owner, number })),
    rows.map((_, number) => ({ owner: seat.tenant, number })),
  )
  t.equal(new Set(rows.map(({ pid }) => pid)).size, 2, 'over two server connections')
}

async function typedParameters(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  const when = new Date('2024-02-29T23:59:59.123Z')
  const cases: readonly (readonly [type: string, given: unknown, back?: unknown])[] = [
    ['int', 42],
    ['int', -2_147_483_648],
    ['bigint', 9_007_199_254_740_993n, '9007199254740993'],
    ['numeric', '12345678901234567890.0123456789'],
    ['float8', 0.1],
    ['boolean', true],
    ['text', `it's "quoted", \\ and ünï©ode 🎉`],
    ['text', ''],
    ['bytea', Buffer.from([0, 1, 39, 92, 255])],
    ['json', { a: [1, null, 'x'] }],
    ['jsonb', { b: { c: true } }],
    ['timestamptz', when],
    ['date', '2024-02-29', new Date(2024, 1, 29)],
    ['uuid', '6f4c7d1e-0b1c-4b7e-9e0a-2f5f0f0f0f0f'],
    ['int[]', [1, null, 3]],
    ['text[]', ['a,b', '"', 'NULL', null]],
    ['timestamptz[]', [when, null]],
    ['text', null],
    ['int[]', null],
  ]
  const expected = cases.map(([type, given, back = given]) => [type, back])
  await acrossServers(t, seat, async () => {
    const found: unknown[] = []
    for (const [type, given] of cases) {
      const { rows } = await client.query(`SELECT $1::${type} AS value`, [given])
      found.push([type, rows[0].value])
    }
    t.strictSame(found, expected)
    return pidOf(client)
  })
}

async function namedStatements(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  let number = 0
  await acrossServers(t, seat, async () => {
    number++
    const { rows } = await client.query({
      name: 'find',
      text: 'SELECT owner, $1::int AS number, pg_backend_pid() AS pid FROM items',
      values: [number],
    })
    t.match(rows, [{ owner: seat.tenant, number }])
    return rows[0].pid
  })
}

async function manyStatements(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    const found: unknown[] = []
    for (let number = 0; number < STATEMENTS; number++) {
      const { rows } = await client.query({
        name: `statement ${number}`,
        text: `SELECT owner, ${number} + $1::int AS sum FROM items`,
        values: [1],
      })
      found.push(rows)
    }
    const expected = found.map((_, number) => [{ owner: seat.tenant, sum: number + 1 }])
    t.strictSame(found, expected)
    return pidOf(client)
  })
}

async function rowLimit(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    const query = { text: 'SELECT generate_series(1, 10) AS n', rows: 3 }
    const { rows } = await client.query(query)
    t.strictSame(
      rows.map(({ n }) => n),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    )
    return pidOf(client)
  })
}

async function savepoints(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await client.query('CREATE TABLE savepoints (n int)')
  await acrossServers(t, seat, async () => {
    await client.query('BEGIN')
    await client.query('INSERT INTO savepoints VALUES ($1)', [1])
    await client.query('SAVEPOINT before')
    await client.query('INSERT INTO savepoints VALUES ($1)', [2])
    await t.rejects(client.query('SELECT 1 / $1::int', [0]), { code: '22012' })
    await client.query('ROLLBACK TO before')
    await client.query('INSERT INTO savepoints VALUES ($1)', [3])
    const pid = await pidOf(client)
    t.strictSame(await numbers(client), [1, 3])
    await client.query('ROLLBACK')
    t.strictSame(await numbers(client), [])
    return pid
  })
  await client.query('DROP TABLE savepoints')
}

async function numbers(client: pg.Client): Promise<readonly number[]> {
  const { rows } = await client.query({ text: 'SELECT n FROM savepoints ORDER BY n', name: 'n' })
  return rows.map(({ n }) => n)
}

async function errorInTransaction(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    await client.query('BEGIN')
    const pid = await pidOf(client)
    await t.rejects(client.query({ name: 'no column', text: 'SELECT nothing FROM items' }), {
      code: '42703',
    })
    await t.rejects(owners(client), { code: '25P02' })
    t.equal(client.getTransactionStatus(), 'E')
    await client.query('ROLLBACK')
    t.strictSame(await owners(client), [seat.tenant])
    return pid
  })
}

async function queued(t: Test, seat: Seat): Promise<void> {
  await manyAtOnce(t, seat, await open(t, seat))
}

async function pipelined(t: Test, seat: Seat): Promise<void> {
  await manyAtOnce(t, seat, await open(t, seat, { pipeline: true }))
}

async function manyAtOnce(t: Test, seat: Seat, client: pg.Client): Promise<void> {
  await acrossServers(t, seat, async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 60 }, (_, number) =>
        client.query({
          ...(number % 3 === 0 ? { name: 'share' } : {}),
          text: 'SELECT owner, 100 / $1::int AS share FROM items',
          values: [number - 30],
        }),
      ),
    )
    const found = results.map((result) =>
      result.status === 'fulfilled' ? result.value.rows : result.reason.code,
    )
    const shares = found.map((_, number) => Math.trunc(100 / (number - 30)))
    const expected: unknown[] = shares.map((share) => [{ owner: seat.tenant, share }])
    t.strictSame(found, expected.with(30, '22012'))
    return pidOf(client)
  })
}

async function pipelinedTransactions(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat, { pipeline: true })
  await acrossServers(t, seat, async () => {
    const texts = ['BEGIN', 'SELECT 1/0', 'SELECT owner FROM items', 'ROLLBACK', 'BEGIN']
    const ends = await Promise.allSettled(texts.map((text) => client.query({ text, values: [] })))
    t.match(ends[1], { reason: { code: '22012' } })
    t.match(ends[2], { reason: { code: '25P02' } })
    t.strictSame([ends[0]?.status, ends[3]?.status, ends[4]?.status], Array(3).fill('fulfilled'))
    const [found, pid] = await Promise.all([owners(client), pidOf(client), client.query('COMMIT')])
    t.strictSame(found, [seat.tenant])
    return pid
  })
}

async function severalStatements(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  const results: unknown = await client.query(
    'SELECT 1 AS a; SELECT owner FROM items; SELECT 3 AS c',
  )
  t.match(results, [{ rows: [{ a: 1 }] }, { rows: [{ owner: seat.tenant }] }, { rows: [{ c: 3 }] }])
  await t.rejects(client.query('SELECT 1; SELECT 1/0; SELECT 2'), { code: '22012' })
  t.strictSame((await client.query('')).rows, [])
  t.strictSame(await owners(client), [seat.tenant])
}

async function largeValues(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  const text = 'large ünï©ode '.repeat(LARGE_BYTES / 16)
  const bytes = Buffer.alloc(LARGE_BYTES, 'some bytes')
  const { rows } = await client.query('SELECT $1::text AS text, $2::bytea AS bytes', [text, bytes])
  t.ok(rows[0].text === text, 'the text came back whole')
  t.ok(bytes.equals(rows[0].bytes), 'the bytes came back whole')
  t.strictSame(await owners(client), [seat.tenant])
}

/** What node-postgres documents for a cancel: a second, unconnected client takes the query's key. */
interface Canceller {
  cancel(client: pg.Client, query: pg.Query): void
  readonly connection: pg.Connection
}

async function cancelled(t: Test, seat: Seat): Promise<void> {
  const { host, port } = seat
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    const asleep = once(client, 'notice')
    const query = client.query(new pg.Query(SLEEP))
    const failed = once(query, 'end').then(
      () => t.fail('slept on'),
      (error: unknown) => error,
    )
    await asleep
    const canceller = new pg.Client({ host, port }) as unknown as Canceller
    const over = once(canceller.connection, 'end')
    canceller.cancel(client, query)
    t.match(await failed, { code: '57014' })
    await over
    t.strictSame(await owners(client), [seat.tenant])
    return pidOf(client)
  })
}

async function statementTimeout(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat, { statement_timeout: 20 })
  await acrossServers(t, seat, async () => {
    await t.rejects(client.query('SELECT pg_sleep(60)'), { code: '57014' })
    return pidOf(client)
  })
}

async function owners(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query('SELECT owner FROM items')
  return rows.map(({ owner }) => owner)
}
