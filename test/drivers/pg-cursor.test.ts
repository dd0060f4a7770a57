import { Readable } from 'node:stream'
import type pg from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import type { Test } from 'tap'
import { acrossServers, fromEverySeat, runChecks, type Seat } from '../support/driver-seats.ts'
import { open, pidOf } from './node-postgres-client.ts'

const SERIES = 'SELECT n, owner FROM items, generate_series(1, $1::int) AS n'
const SERIES_WITH_PID = SERIES.replace('SELECT', 'SELECT pg_backend_pid() AS pid,')
const FAILS_LATE = 'SELECT 1 / (250 - n) AS share FROM generate_series(1, 500) AS n'
const WIDE_BYTES = 16 * 1024
const WIDE = `SELECT n, repeat('x', ${WIDE_BYTES}) AS wide FROM generate_series(1, $1::int) AS n`

await fromEverySeat((t, seat) =>
  runChecks(t, seat, {
    'pg-cursor: read in batches outside a transaction': outside,
    'pg-cursor: two cursors in a transaction': inTransaction,
    'pg-cursor: closed before its end': closedEarly,
    'pg-cursor: an error in a later batch': lateError,
    'pg-query-stream: a stream to its end': streamed,
    'pg-query-stream: a stream that is broken off': brokenOff,
    'pg-query-stream: wide rows, read slowly': readSlowly,
    'pg-query-stream: an error in a later batch': failingStream,
  }),
)

async function outside(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    const cursor = client.query(new Cursor(SERIES_WITH_PID, [25]))
    const sizes: number[] = []
    let pid = 0
    for (let rows = await cursor.read(10); rows.length > 0; rows = await cursor.read(10)) {
      pid = rows[0].pid
      t.ok(rows.every(({ owner }) => owner === seat.tenant))
      sizes.push(rows.length)
      // Others work between the batches: the portal keeps its server connection.
      await seat.disturbers.disturb()
    }
    t.strictSame(sizes, [10, 10, 5])
    await cursor.close()
    return pid
  })
}

async function inTransaction(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    await client.query('BEGIN')
    const pid = await pidOf(client)
    for (const count of [15, 5]) {
      const cursor = client.query(new Cursor(SERIES, [count]))
      const rows = [...(await cursor.read(10)), ...(await cursor.read(10))]
      t.strictSame(
        rows,
        Array.from({ length: count }, (_, index) => ({ n: index + 1, owner: seat.tenant })),
      )
      await cursor.close()
      await seat.disturbers.disturb()
    }
    t.equal(await pidOf(client), pid, 'one transaction, one server connection')
    await client.query('COMMIT')
    return pid
  })
}

async function closedEarly(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    const cursor = client.query(new Cursor(SERIES, [1000]))
    t.equal((await cursor.read(1)).length, 1)
    await cursor.close()
    return pidOf(client)
  })
}

async function lateError(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    const cursor = client.query(new Cursor(FAILS_LATE))
    t.equal((await cursor.read(200)).length, 200)
    await t.rejects(cursor.read(200), { code: '22012' })
    return pidOf(client)
  })
}

async function streamed(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    let expected = 0
    for await (const { n, owner } of stream(client, SERIES, [2000])) {
      expected++
      if (n !== expected || owner !== seat.tenant) throw new Error(`row ${n} of ${owner}`)
    }
    t.equal(expected, 2000)
    return pidOf(client)
  })
}

async function brokenOff(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    for await (const { n } of stream(client, SERIES, [100_000])) if (n === 150) break
    return pidOf(client)
  })
}

async function readSlowly(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  let bytes = 0
  for await (const { n, wide } of stream(client, WIDE, [300])) {
    if (n % 100 === 0) await seat.disturbers.disturb()
    bytes += wide.length
  }
  t.equal(bytes, 300 * WIDE_BYTES)
}

async function failingStream(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    await t.rejects(Readable.from(stream(client, FAILS_LATE)).toArray(), { code: '22012' })
    return pidOf(client)
  })
}

function stream(client: pg.Client, text: string, values: number[] = []): QueryStream {
  return client.query(new QueryStream(text, values, { batchSize: 100 }))
}
