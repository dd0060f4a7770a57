import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { sql } from '../support/postgres.ts'
import { PASSWORD } from '../support/proxy.ts'
import { frame, query, RawClient, rows } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Served, servedSettings, serveReady } from '../support/served-proxy.ts'
import { until } from '../support/until.ts'

const ROWS = 200
const ROW_BYTES = 1024 * 1024
const RESULT_BYTES = ROWS * ROW_BYTES
/** What sockets and the collector may hold beside; a proxy that buffers would hold 200 MB. */
const MAX_GROWTH_BYTES = 24 * 1024 * 1024
/** After half of it has gone through, chunks that nobody has collected yet add to that. */
const MAX_GARBAGE_BYTES = 64 * 1024 * 1024
const FLOOD = `SELECT repeat('z', ${ROW_BYTES}) FROM generate_series(1, ${ROWS})`
const STILL_MS = 250

const server = await startSaas(18)
t.teardown(() => server.stop())
await sql(server, 'saas', 'SET ROLE pool; CREATE TABLE flood (line text)')

function logIn(served: Served, tenant: string): Promise<RawClient> {
  return RawClient.login(served.port, { user: `app.${tenant}`, password: PASSWORD })
}

async function residentBytes({ child }: Served): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

/** Resolves when a growing number has stood still for a while. */
async function stillness(read: () => number): Promise<void> {
  let last = -1
  let sinceMs = performance.now()
  await until(() => {
    const now = read()
    if (now !== last) sinceMs = performance.now()
    last = now
    return performance.now() - sinceMs > STILL_MS
  })
}

/** Counts what a socket brings. */
function counting(socket: Socket): { bytes: number } {
  const counted = { bytes: 0 }
  socket.on('data', (chunk: Buffer) => {
    counted.bytes += chunk.length
  })
  return counted
}

async function servesOthers(t: Test, served: Served): Promise<void> {
  for (const tenant of ['acme', 'hooli', 'initrode']) {
    const other = await logIn(served, tenant)
    t.strictSame(rows(await other.ask(query('SELECT owner FROM items'))), [tenant])
    await other.end()
  }
}

for (const mode of ['transaction', 'session']) {
  t.test(`${mode} mode: a client that stops reading`, async (t) => {
    const settings = await servedSettings(saasSettings(server), { pool: { mode, size: 2 } })
    const served = await serveReady(t, settings)
    await servesOthers(t, served)
    const client = await logIn(served, 'globex')
    await client.ask(query('SELECT 1'))
    const before = await residentBytes(served)
    const socket = client.detach()
    const counted = counting(socket)
    socket.pause()
    client.send(query(FLOOD))
    for (let round = 0; round < 5; round++) await servesOthers(t, served)
    const growth = (await residentBytes(served)) - before
    t.ok(growth < MAX_GROWTH_BYTES, `while it stood still: ${growth} bytes`)
    socket.resume()
    await until(() => counted.bytes > RESULT_BYTES / 2)
    socket.pause()
    await servesOthers(t, served)
    const again = (await residentBytes(served)) - before
    t.ok(again < MAX_GARBAGE_BYTES, `in the middle: ${again} bytes`)
    socket.resume()
    // Each row has a head of 11 bytes; the rest is RowDescription, CommandComplete, ReadyForQuery.
    await until(() => counted.bytes >= RESULT_BYTES + ROWS * 11)
    await stillness(() => counted.bytes)
    const beside = counted.bytes - RESULT_BYTES - ROWS * 11
    t.ok(beside > 0 && beside < 100, `every byte came, and ${beside} around them`)
    socket.destroy()
  })

  t.test(`${mode} mode: a server that stops reading`, async (t) => {
    const settings = await servedSettings(saasSettings(server), { pool: { mode, size: 2 } })
    const served = await serveReady(t, settings)
    await servesOthers(t, served)
    const locker = await logIn(served, 'hooli')
    await locker.ask(query('BEGIN; LOCK TABLE public.flood IN ACCESS EXCLUSIVE MODE'))
    const client = await logIn(served, 'globex')
    const before = await residentBytes(served)
    client.send(query('COPY public.flood FROM STDIN'))
    const line = frame('d', Buffer.from(`${'w'.repeat(65_000)}\n`))
    let sent = 0
    const push = () => {
      while (sent < 3000) {
        sent += 1
        if (!client.socket.write(line)) return void client.socket.once('drain', push)
      }
    }
    push()
    await stillness(() => client.socket.bytesWritten - client.socket.writableLength)
    t.ok(sent < 1000, `the client was held up after ${sent} frames`)
    const growth = (await residentBytes(served)) - before
    t.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes`)
    const other = await logIn(served, 'acme')
    t.strictSame(rows(await other.ask(query('SELECT owner FROM items'))), ['acme'])
    await other.end()
    await locker.ask(query('ROLLBACK'))
    await until(() => sent === 3000)
    client.send(frame('c'))
    const answer = await client.upTo('Z')
    t.match(answer.at(-2)?.body.toString(), 'COPY 3000')
    t.strictSame(rows(await client.ask(query('SELECT count(*) FROM public.flood'))), ['3000'])
    await client.ask(query('TRUNCATE public.flood'))
    await Promise.all([client.end(), locker.end()])
  })
}

t.test('a client that asks and asks and never reads', async (t) => {
  const settings = await servedSettings(saasSettings(server), { pool: { size: 2 } })
  const served = await serveReady(t, settings)
  await servesOthers(t, served)
  const client = await logIn(served, 'globex')
  const before = await residentBytes(served)
  const socket = client.detach()
  socket.pause()
  const ask = query(`SELECT repeat('q', 100000)`)
  for (let round = 0; round < 2000; round++) socket.write(ask)
  await stillness(() => socket.bytesWritten - socket.writableLength)
  await servesOthers(t, served)
  const growth = (await residentBytes(served)) - before
  t.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes`)
  socket.destroy()
  await servesOthers(t, served)
})
