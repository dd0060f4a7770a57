import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import type postgres from 'postgres'
import type { Test } from 'tap'
import { acrossServers, fromEverySeat, runChecks, type Seat } from '../support/driver-seats.ts'
import { open, openUrl, pidOf, type Sql } from './postgres-js-client.ts'

const LARGE_BYTES = 8 * 1024 * 1024
const COPIED_ROWS = 10_000

await fromEverySeat((t, seat) =>
  runChecks(t, seat, {
    // Takes long, and does not depend on the major.
    ...(seat.major === 18
      ? { 'postgres.js: 8 MB of text and of bytea, both ways': largeValues }
      : {}),
    'postgres.js: the tenant in the user': tenantInUser,
    'postgres.js: the tenant in a startup parameter': tenantInParameter,
    'postgres.js: the tenant in options': tenantInOptions,
    'postgres.js: a pool with more connections than the server has': manyConnections,
    'postgres.js: typed parameters': typedParameters,
    'postgres.js: prepared queries across server connections': preparedQueries,
    'postgres.js: without prepared statements': unprepared,
    'postgres.js: transaction, savepoint and rollback': savepoints,
    'postgres.js: an error in a transaction': errorInTransaction,
    'postgres.js: pipelined queries, one of them failing': pipelined,
    'postgres.js: a pipelined transaction': pipelinedTransaction,
    'postgres.js: several statements in one simple query': severalStatements,
    'postgres.js: COPY in and out': copies,
    'postgres.js: COPY that fails': failingCopy,
    'postgres.js: cancel': cancelled,
  }),
)

async function tenantInUser(t: Test, seat: Seat): Promise<void> {
  await expectTenant(t, seat, open(t, seat))
  await expectTenant(t, seat, openUrl(t, url(seat, seat.user)))
}

async function tenantInParameter(t: Test, seat: Seat): Promise<void> {
  const { login: user, tenant } = seat
  // Its types know the names of settings alone.
  const connection = { tenant } as Partial<postgres.ConnectionParameters>
  await expectTenant(t, seat, open(t, seat, { user, connection }))
  await expectTenant(t, seat, openUrl(t, `${url(seat, user)}?tenant=${tenant}`))
  await t.rejects(open(t, seat, { user })`SELECT 1`.execute(), { code: '28000' })
}

async function tenantInOptions(t: Test, seat: Seat): Promise<void> {
  const { login: user, tenant } = seat
  const options = `-c pgusher.tenant=${tenant}`
  await expectTenant(t, seat, open(t, seat, { user, connection: { options } }))
}

function url({ host, port, password, database }: Seat, user: string): string {
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
}

async function expectTenant(t: Test, { tenant }: Seat, sql: Sql): Promise<void> {
  t.match([...(await sql`SELECT owner FROM items`)], [{ owner: tenant }])
  await sql.end()
}

async function manyConnections(t: Test, seat: Seat): Promise<void> {
  const { mode } = seat
  const sql = open(t, seat, { max: mode === 'session' ? 2 : 6 })
  const work = Promise.all(
    Array.from({ length: 60 }, (_, number) =>
      sql.begin(async (sql) => {
        const [row] = await sql`SELECT owner, ${number}::int AS number FROM items`
        return { row: { ...row }, pid: await pidOf(sql) }
      }),
    ),
  )
  const results = await (mode === 'session' ? work : seat.disturbers.during(work))
  t.strictSame(
    results.map(({ row }) => row),
    results.map((_, number) => ({ owner: seat.tenant, number })),
  )
  t.equal(new Set(results.map(({ pid }) => pid)).size, 2, 'over two server connections')
}

async function typedParameters(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  const when = new Date('2024-02-29T23:59:59.123Z')
  const given = {
    int: 42,
    bigint: 9_007_199_254_740_993n,
    numeric: '12345678901234567890.0123456789',
    float: 0.1,
    yes: true,
    text: `it's "quoted", \\ and ünï©ode 🎉`,
    bytea: Buffer.from([0, 1, 39, 92, 255]),
    json: { a: [1, null, 'x'] },
    when,
    ints: [1, 2, 3],
    texts: ['a,b', '"', 'NULL'],
    nothing: null,
  }
  await acrossServers(t, seat, async () => {
    const [row] = await sql`
      SELECT ${given.int}::int AS int, ${given.bigint}::bigint AS bigint,
        ${given.numeric}::numeric AS numeric, ${given.float}::float8 AS float,
        ${given.yes}::bool AS yes, ${given.text}::text AS text, ${given.bytea}::bytea AS bytea,
        ${sql.json(given.json)}::jsonb AS json, ${given.when}::timestamptz AS when,
        ${given.ints}::int[] AS ints, ${given.texts}::text[] AS texts,
        ${given.nothing}::text AS nothing`
    t.strictSame({ ...row }, given)
    return pidOf(sql)
  })
}

async function preparedQueries(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    const found: unknown[] = []
    for (let number = 0; number < 30; number++) {
      const [row] = await sql.unsafe(`SELECT owner, ${number} + $1::int AS sum FROM items`, [1], {
        prepare: true,
      })
      found.push({ ...row })
    }
    const expected = found.map((_, number) => ({ owner: seat.tenant, sum: number + 1 }))
    t.strictSame(found, expected)
    return pidOf(sql)
  })
}

async function unprepared(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat, { prepare: false })
  await acrossServers(t, seat, async () => {
    const { types, columns } = await sql`SELECT owner FROM items WHERE id = ${1}`.describe()
    t.strictSame([types, columns.map(({ name }) => name)], [[23], ['owner']])
    const rows = await sql`SELECT owner FROM items WHERE id = ${1}`
    t.strictSame([{ ...rows[0] }], [{ owner: seat.tenant }])
    return pidOf(sql)
  })
}

async function savepoints(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await sql`CREATE TABLE savepoints (n int)`
  await acrossServers(t, seat, async () => {
    const undone = new Error('undone')
    let pid = 0
    const transaction = sql.begin(async (sql) => {
      pid = await pidOf(sql)
      await sql`INSERT INTO savepoints VALUES (${1})`
      const failing = sql.savepoint(async (sql) => {
        await sql`INSERT INTO savepoints VALUES (${2})`
        await sql`SELECT 1 / ${0}::int`
      })
      await t.rejects(failing, { code: '22012' })
      await sql.savepoint((sql) => sql`INSERT INTO savepoints VALUES (${3})`)
      t.match([...(await sql`SELECT n FROM savepoints ORDER BY n`)], [{ n: 1 }, { n: 3 }])
      throw undone
    })
    await t.rejects(transaction, undone)
    t.equal((await sql`SELECT n FROM savepoints`).length, 0)
    return pid
  })
  await sql`DROP TABLE savepoints`
}

async function errorInTransaction(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    let pid = 0
    const transaction = sql.begin(async (sql) => {
      pid = await pidOf(sql)
      await t.rejects(sql`SELECT nothing FROM items`.execute(), { code: '42703' })
      await t.rejects(sql`SELECT owner FROM items`.execute(), { code: '25P02' })
    })
    await t.rejects(transaction, { code: '42703' })
    t.match([...(await sql`SELECT owner FROM items`)], [{ owner: seat.tenant }])
    return pid
  })
}

async function pipelined(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 60 }, (_, number) =>
        sql`SELECT owner, 100 / ${number - 30}::int AS share FROM items`.execute(),
      ),
    )
    const found = results.map((result) =>
      result.status === 'fulfilled' ? { ...result.value[0] } : result.reason.code,
    )
    const shares = found.map((_, number) => Math.trunc(100 / (number - 30)))
    const expected: unknown[] = shares.map((share) => ({ owner: seat.tenant, share }))
    t.strictSame(found, expected.with(30, '22012'))
    return pidOf(sql)
  })
}

async function pipelinedTransaction(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    const [owners, number, pid] = await sql.begin((sql) => [
      sql`SELECT owner FROM items`,
      sql`SELECT ${1}::int AS n`,
      pidOf(sql),
    ])
    t.match([[...owners], [...number]], [[{ owner: seat.tenant }], [{ n: 1 }]])
    const failing = sql.begin((sql) => [sql`SELECT 1`, sql`SELECT 1 / ${0}::int`, sql`SELECT 2`])
    await t.rejects(failing, { code: '22012' })
    return pid
  })
}

async function severalStatements(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  const results = await sql`SELECT 1 AS a; SELECT owner FROM items; SELECT 3 AS c`.simple()
  t.match(results, [[{ a: 1 }], [{ owner: seat.tenant }], [{ c: 3 }]])
  await t.rejects(sql`SELECT 1; SELECT 1/0; SELECT 2`.simple().execute(), { code: '22012' })
  t.match([...(await sql`SELECT owner FROM items`)], [{ owner: seat.tenant }])
}

async function largeValues(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  const text = 'large ünï©ode '.repeat(LARGE_BYTES / 16)
  const bytes = Buffer.alloc(LARGE_BYTES, 'some bytes')
  const [row] = await sql`SELECT ${text}::text AS text, ${bytes}::bytea AS bytes`
  t.ok(row?.['text'] === text, 'the text came back whole')
  t.ok(bytes.equals(row?.['bytes']), 'the bytes came back whole')
  t.match([...(await sql`SELECT owner FROM items`)], [{ owner: seat.tenant }])
}

async function copies(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await sql`CREATE TABLE IF NOT EXISTS copied (n int, body text)`
  const lines = Array.from({ length: COPIED_ROWS }, (_, n) => `${n}\tbody of ${n}\n`).join('')
  await acrossServers(t, seat, async () => {
    await sql`TRUNCATE copied`
    const input = await sql`COPY copied FROM STDIN`.writable()
    const copied = once(input, 'finish')
    for (let at = 0; at < lines.length; at += 10_000) input.write(lines.slice(at, at + 10_000))
    input.end()
    await copied
    // postgres.js may leave its socket paused behind a long COPY TO: it gets one of its own.
    const reader = open(t, seat)
    const output = await reader`COPY (SELECT * FROM copied ORDER BY n) TO STDOUT`.readable()
    t.ok((await buffer(output)).toString() === lines, 'came back whole')
    await reader.end({ timeout: 0 })
    return pidOf(sql)
  })
  await sql`DROP TABLE copied`
}

async function failingCopy(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await sql`CREATE TABLE IF NOT EXISTS refused (n int)`
  await acrossServers(t, seat, async () => {
    const input = await sql`COPY refused FROM STDIN`.writable()
    input.on('error', () => {})
    const closed = new Promise((resolve) => input.once('close', resolve))
    // Behind the server's error postgres.js sends a CopyFail that nobody waits for.
    input.write('1\nno number\n')
    await closed
    t.match(input.errored, { code: '22P02' })
    t.equal((await sql`SELECT n FROM refused`).length, 0)
    return pidOf(sql)
  })
  await sql`DROP TABLE refused`
}

async function cancelled(t: Test, seat: Seat): Promise<void> {
  let fallAsleep = (): void => {}
  const sql = open(t, seat, { onnotice: () => fallAsleep() })
  await acrossServers(t, seat, async () => {
    const asleep = new Promise<void>((resolve) => {
      fallAsleep = resolve
    })
    const query = sql`DO $$ BEGIN RAISE NOTICE 'asleep'; PERFORM pg_sleep(60); END $$`.execute()
    const failed = t.rejects(query, { code: '57014' })
    await asleep
    query.cancel()
    await failed
    t.match([...(await sql`SELECT owner FROM items`)], [{ owner: seat.tenant }])
    return pidOf(sql)
  })
}
