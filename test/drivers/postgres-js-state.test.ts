import type postgres from 'postgres'
import type { Test } from 'tap'
import {
  acrossServers,
  fromEverySeat,
  onOneServer,
  runChecks,
  type Seat,
} from '../support/driver-seats.ts'
import { open, pidOf, type Sql } from './postgres-js-client.ts'

await fromEverySeat((t, seat) =>
  runChecks(t, seat, {
    'postgres.js: a cursor outside a transaction': cursor,
    'postgres.js: a cursor that is broken off': brokenCursor,
    'postgres.js: a cursor with an error in a later batch': failingCursor,
    'postgres.js: rows one by one': oneByOne,
    'postgres.js: large objects': largeObjects,
    'postgres.js: listen and notify': listenAndNotify,
    'postgres.js: SET stays': setStays,
    'postgres.js: settings in the connection': connectionSettings,
    'postgres.js: a temporary table over several statements': temporaryTable,
    'postgres.js: session advisory locks on a reserved connection': advisoryLocks,
    'postgres.js: SQL PREPARE and EXECUTE': sqlPrepare,
    'postgres.js: a cursor WITH HOLD': holdCursor,
    'postgres.js: notices': notices,
    'postgres.js: DISCARD ALL and DEALLOCATE ALL heal themselves': discards,
    'postgres.js: a table changed under a prepared query heals itself': changedTable,
    'postgres.js: reported settings follow the client': reportedSettings,
  }),
)

async function cursor(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    const sizes: number[] = []
    let pid = 0
    const rows = sql`
      SELECT pg_backend_pid() AS pid, owner FROM items, generate_series(1, ${25}::int)`
    for await (const batch of rows.cursor(10)) {
      t.ok(batch.every(({ owner }) => owner === seat.tenant))
      sizes.push(batch.length)
      pid = batch[0]?.['pid']
      // Others work between the batches: the portal keeps its server connection.
      await seat.disturbers.disturb()
    }
    t.strictSame(sizes, [10, 10, 5])
    return pid
  })
}

async function brokenCursor(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    for await (const batch of sql`SELECT generate_series(1, 1000) AS n`.cursor(5)) {
      t.equal(batch.length, 5)
      break
    }
    return pidOf(sql)
  })
}

async function failingCursor(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    let seen = 0
    const rows = sql`SELECT 1 / (25 - n) FROM generate_series(1, 50) AS n`
    const reading = rows.cursor(10, (batch) => {
      seen += batch.length
    })
    await t.rejects(reading, { code: '22012' })
    t.equal(seen, 20)
    return pidOf(sql)
  })
}

async function oneByOne(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await acrossServers(t, seat, async () => {
    let seen = 0
    await sql`SELECT owner FROM items, generate_series(1, 500)`.forEach(({ owner }) => {
      if (owner === seat.tenant) seen++
    })
    t.equal(seen, 500)
    return pidOf(sql)
  })
}

async function largeObjects(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  const content = Buffer.alloc(100_000, 'content')
  const object = await sql.largeObject()
  await object.write(content)
  await object.seek(0)
  const [row]: unknown[] = (await object.read(content.length)) as unknown as unknown[]
  t.match(row, { data: content })
  await object.close()
  await acrossServers(t, seat, () => pidOf(sql))
}

async function listenAndNotify(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  const heard: string[] = []
  let hear = (): void => {}
  const listening = await sql.listen('orders', (payload) => {
    heard.push(payload)
    hear()
  })
  await seat.disturbers.disturb()
  for (const payload of ['one', 'two']) {
    const told = new Promise<void>((resolve) => {
      hear = resolve
    })
    await sql.notify('orders', payload)
    await told
  }
  t.strictSame(heard, ['one', 'two'])
  await listening.unlisten()
}

async function setStays(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await sql`SET application_name = 'the application'`
  await sql`SET TimeZone = 'Asia/Tokyo'`
  await sql.unsafe(`SET statement_timeout = 12345`)
  await sql`SELECT set_config('work_mem', ${'5MB'}, false)`
  for (let round = 0; round < 2; round++) {
    await seat.disturbers.disturb()
    const [row] = await sql`
      SELECT current_setting('application_name') AS name, current_setting('TimeZone') AS zone,
        current_setting('statement_timeout') AS timeout, current_setting('work_mem') AS memory`
    const expected = { name: 'the application', zone: 'Asia/Tokyo', memory: '5MB' }
    t.strictSame({ ...row }, { ...expected, timeout: '12345ms' })
  }
}

async function connectionSettings(t: Test, seat: Seat): Promise<void> {
  const connection = { application_name: 'configured', statement_timeout: 54_321 }
  const sql = open(t, seat, { connection })
  await acrossServers(t, seat, async () => {
    const [row] = await sql`
      SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS ms`
    t.strictSame({ ...row }, { name: 'configured', ms: '54321ms' })
    return pidOf(sql)
  })
}

async function temporaryTable(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await sql`CREATE TEMP TABLE basket (n int)`
  let count = 0
  await onOneServer(t, seat, async () => {
    await sql`INSERT INTO basket VALUES (${++count})`
    t.equal((await sql`SELECT n FROM basket`).length, count)
    return pidOf(sql)
  })
}

async function advisoryLocks(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat, { max: 2 })
  const holder = await sql.reserve()
  await holder`SELECT pg_advisory_lock(4712)`
  const tryLock = () => sql`SELECT pg_try_advisory_xact_lock(4712) AS locked`
  t.match([...(await tryLock())], [{ locked: false }])
  const [row] = await holder`SELECT pg_advisory_unlock(4712) AS unlocked`
  t.strictSame({ ...row }, { unlocked: true })
  holder.release()
  t.match([...(await tryLock())], [{ locked: true }])
}

async function sqlPrepare(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await sql`PREPARE twice (int) AS SELECT owner, $1 * 2 AS twice FROM items`.simple()
  await onOneServer(t, seat, async () => {
    const [row] = await sql`EXECUTE twice (21)`.simple()
    t.strictSame({ ...row }, { owner: seat.tenant, twice: 42 })
    return pidOf(sql)
  })
}

async function holdCursor(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  await sql.begin(
    (sql) => sql`DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 30) AS n`,
  )
  let next = 1
  await onOneServer(t, seat, async () => {
    const rows = await sql.unsafe('FETCH 10 FROM held')
    const expected = Array.from({ length: 10 }, () => next++)
    t.strictSame(
      rows.map(({ n }) => n),
      expected,
    )
    return pidOf(sql)
  })
}

async function notices(t: Test, seat: Seat): Promise<void> {
  const heard: (string | undefined)[] = []
  const sql = open(t, seat, { onnotice: ({ message }) => void heard.push(message) })
  await acrossServers(t, seat, async () => {
    heard.length = 0
    await sql`DO $$ BEGIN FOR i IN 1..3 LOOP RAISE WARNING 'number %', i; END LOOP; END $$`
    t.strictSame(heard, ['number 1', 'number 2', 'number 3'])
    return pidOf(sql)
  })
}

async function discards(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  const find = (sql: postgres.ISql<{ bigint: bigint }>) =>
    sql`SELECT owner FROM items WHERE id = ${1}`
  for (const command of ['DISCARD ALL', 'DEALLOCATE ALL']) {
    t.match([...(await find(sql))], [{ owner: seat.tenant }])
    await sql.unsafe(command)
    await acrossServers(t, seat, async () => {
      // postgres.js prepares anew when the error says that the statement is gone.
      t.match([...(await find(sql))], [{ owner: seat.tenant }])
      return pidOf(sql)
    })
  }
}

async function changedTable(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat)
  const find = async () => ({ ...(await sql`SELECT * FROM changing WHERE a = ${1}`)[0] })
  await sql`DROP TABLE IF EXISTS changing`
  await sql`CREATE TABLE changing AS SELECT 1 AS a`
  await acrossServers(t, seat, async () => {
    t.strictSame(await find(), { a: 1 })
    return pidOf(sql)
  })
  await sql`ALTER TABLE changing ADD b int DEFAULT 2`
  await acrossServers(t, seat, async () => {
    t.strictSame(await find(), { a: 1, b: 2 })
    return pidOf(sql)
  })
  await sql`DROP TABLE changing`
}

async function reportedSettings(t: Test, seat: Seat): Promise<void> {
  const sql = open(t, seat, { connection: { TimeZone: 'Asia/Tokyo' } })
  for (const zone of ['Asia/Tokyo', 'Europe/Rome', 'UTC']) {
    await sql.unsafe(`SET TimeZone = '${zone}'`)
    await acrossServers(t, seat, async () => {
      t.equal(await zoneOf(sql), zone)
      t.equal(sql.parameters['TimeZone'], zone, 'as reported')
      return pidOf(sql)
    })
  }
}

async function zoneOf(sql: Sql): Promise<unknown> {
  const [row] = await sql`SELECT current_setting('TimeZone') AS zone`
  return row?.['zone']
}
