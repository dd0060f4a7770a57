import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import {
  codes,
  fields,
  frame,
  keyOf,
  query,
  type RawClient,
  rows,
  sendCancel,
  sqlStates,
} from '../support/raw-client.ts'
import {
  firstValue,
  nextChange,
  type Replicating,
  replicate,
  replicationLogin,
  startReplicatingProxy,
  startReplicatingSaas,
  streamChanges,
  untilQuiet,
  walsenders,
} from '../support/replicating.ts'
import { until } from '../support/until.ts'

const ALLOWED = { acme: 'physical', umbrella: 'database' }
const COPY_DONE = frame('c')

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startReplicatingSaas(major)
    t.teardown(() => server.stop())
    const proxy = await startReplicatingProxy(server, ALLOWED)
    t.teardown(() => proxy.stop())
    const house = { proxy, server }
    await t.test('commands and SQL', (t) => commands(t, house))
    await t.test('both directions', (t) => bothDirections(t, house))
    await t.test('the log itself', (t) => physical(t, house))
    await t.test('cancel', (t) => cancel(t, house))
    await t.test('a client that leaves', (t) => clientLeaves(t, house))
    await t.test('a server that says why', (t) => terminated(t, house))
    await t.test('drain', (t) => drain(t, server))
    await t.test('kill', (t) => kill(t, server))
    await t.test('a server that dies', (t) => killed(t, house))
    await t.test('a server that is gone', (t) => unreachable(t, house))
  })
}

async function commands(t: Test, house: Replicating): Promise<void> {
  const { client, frames } = await replicate(house.proxy, replicationLogin('umbrella', 'database'))
  t.strictSame(await walsenders(house.server), [keyOf(frames).processId], "the server's own number")
  t.equal(await house.proxy.metric('pgusher_sessions'), 1)
  t.match(await firstValue(client, 'IDENTIFY_SYSTEM'), /^\d{10,}$/)
  t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), ['umbrella'])
  t.equal(await firstValue(client, 'SELECT current_database()'), 'umbrella')
  const failed = await client.ask(query('SELECT nosuch'))
  t.strictSame(sqlStates(failed), ['42703'])
  const value = 'x'.repeat(8 * 1024 * 1024)
  t.equal(await firstValue(client, `SELECT '${value}'`), value)
  await client.end()
  await untilQuiet(house)
}

async function bothDirections(t: Test, house: Replicating): Promise<void> {
  const { client } = await replicate(house.proxy, replicationLogin('umbrella', 'database'))
  await streamChanges(client, 'both')
  const table = 'CREATE TABLE IF NOT EXISTS log (line text)'
  await sql(house.server, 'umbrella', `${table}; INSERT INTO log VALUES ('first')`)
  const seen: string[] = []
  while (!seen.at(-1)?.includes('first')) seen.push(await nextChange(client))
  t.equal(seen.at(-1), "table public.log: INSERT: line[text]:'first'")
  const [lsn] = await sql(house.server, 'umbrella', 'SELECT pg_current_wal_lsn() AS lsn')
  const flushed = String(lsn?.['lsn'])
  client.send(standbyStatus(flushed))
  await until(async () => {
    const found = `SELECT 1 FROM pg_replication_slots WHERE confirmed_flush_lsn = '${flushed}'`
    return (await sql(house.server, 'postgres', found)).length === 1
  })
  client.send(COPY_DONE)
  t.match(codes(await client.upTo('Z')), /c.*CZ$/, 'the stream ends, the connection does not')
  t.equal(await firstValue(client, 'SELECT owner FROM items'), 'umbrella')
  await client.end()
  await untilQuiet(house)
}

/** A standby status update: all is written, flushed and applied up to there. */
function standbyStatus(lsn: string): Buffer {
  const [high = '', low = ''] = lsn.split('/')
  const position = Buffer.from(high.padStart(8, '0') + low.padStart(8, '0'), 'hex')
  return frame('d', Buffer.from('r'), position, position, position, Buffer.alloc(8), Buffer.of(0))
}

async function physical(t: Test, house: Replicating): Promise<void> {
  const { client } = await replicate(house.proxy, replicationLogin('acme', 'true'))
  const identity = rows(await client.ask(query('IDENTIFY_SYSTEM')))[0]?.split('|') ?? []
  client.send(query(`START_REPLICATION PHYSICAL ${identity[2]} TIMELINE ${identity[1]}`))
  await client.upTo('W')
  await sql(house.server, 'acme', `SELECT pg_logical_emit_message(false, 'test', 'landmark')`)
  let log = ''
  while (!log.includes('landmark')) log += (await client.next())?.body.toString('latin1')
  t.match(log, 'landmark')
  await client.end()
  await untilQuiet(house)
}

async function cancel(t: Test, house: Replicating): Promise<void> {
  const { proxy, server } = house
  const { client, frames } = await replicate(proxy, replicationLogin('umbrella', 'database'))
  const key = keyOf(frames)
  client.send(query('SELECT pg_sleep(60)'))
  await until(async () => {
    const found = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`
    return (await sql(server, 'postgres', found)).length === 1
  })
  await sendCancel(proxy.port, { ...key, secret: Buffer.from([...key.secret].reverse()) })
  t.notMatch(proxy.log(), 'cancel not forwarded')
  await sendCancel(proxy.port, key)
  t.strictSame(sqlStates(await client.upTo('Z')), ['57014'], 'a query')
  await streamChanges(client, 'canceled')
  await sendCancel(proxy.port, key)
  t.strictSame(sqlStates(await client.upTo('Z')), ['57014'], 'a stream')
  await client.end()
  await untilQuiet(house)
  const unknown = await proxy.metric('pgusher_cancel_requests_total', { result: 'not_found' })
  await sendCancel(proxy.port, key)
  const now = await proxy.metric('pgusher_cancel_requests_total', { result: 'not_found' })
  t.equal(now, unknown + 1, 'the key ended with its session')
}

async function clientLeaves(t: Test, house: Replicating): Promise<void> {
  const ways: readonly ((client: RawClient) => void)[] = [
    (client) => client.socket.resetAndDestroy(),
    (client) => client.socket.destroy(),
    (client) => client.socket.end(),
    (client) => client.send(frame('X')),
  ]
  for (const leave of ways) {
    const { client } = await replicate(house.proxy, replicationLogin('umbrella', 'database'))
    await streamChanges(client, 'left')
    t.equal((await walsenders(house.server)).length, 1)
    leave(client)
    await untilQuiet(house)
    await client.closed
  }
  const { client } = await replicate(house.proxy, replicationLogin('umbrella', 'database'))
  client.send(query('SELECT owner FROM items'), frame('X'), query('SELECT 2'))
  const last = await client.toEnd()
  t.equal(codes(last), 'TDCZ', 'what was asked before is answered, and no more')
  t.strictSame(rows(last), ['umbrella'])
  await untilQuiet(house)
}

async function terminated(t: Test, house: Replicating): Promise<void> {
  const { client } = await replicate(house.proxy, replicationLogin('umbrella', 'database'))
  const [pid] = await walsenders(house.server)
  await sql(house.server, 'postgres', `SELECT pg_terminate_backend(${pid})`)
  const farewell = await client.toEnd()
  t.strictSame(sqlStates(farewell), ['57P01'], 'the words of the server, once')
  t.match(fields(farewell.at(-1))['M'], /administrator command/)
  await untilQuiet(house)
  t.match(house.proxy.log(), '"code":"SERVER_LOST"')
}

async function drain(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startReplicatingProxy(server, ALLOWED, { timeouts: { drainMs: 5000 } })
  t.teardown(() => proxy.stop())
  const stream = await replicate(proxy, replicationLogin('umbrella', 'database'))
  const silent = await replicate(proxy, replicationLogin('acme', 'true'))
  await streamChanges(stream.client, 'drained')
  t.equal(await proxy.drain(), true, 'nobody had to be thrown out')
  for (const { client } of [stream, silent]) {
    const farewell = await client.toEnd()
    t.strictSame(sqlStates(farewell), ['57P01'])
    t.match(fields(farewell.at(-1))['M'], /proxy/)
  }
  await until(async () => (await walsenders(server)).length === 0)
}

async function kill(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startReplicatingProxy(server, ALLOWED)
  const { client } = await replicate(proxy, replicationLogin('umbrella', 'database'))
  proxy.kill()
  t.strictSame(sqlStates(await client.toEnd()), ['57P01'])
  await until(async () => (await walsenders(server)).length === 0)
}

async function killed(t: Test, house: Replicating): Promise<void> {
  const { client } = await replicate(house.proxy, replicationLogin('umbrella', 'database'))
  await streamChanges(client, 'killed')
  const [pid] = await walsenders(house.server)
  process.kill(Number(pid), 'SIGKILL')
  const farewell = await client.toEnd()
  t.strictSame(sqlStates(farewell), ['08006'], 'the server could not say it itself')
  await until(async () => (await house.proxy.metric('pgusher_sessions')) === 0)
  await until(() =>
    walsenders(house.server).then(
      () => true,
      () => false,
    ),
  )
}

async function unreachable(t: Test, { proxy, server }: Replicating): Promise<void> {
  await server.halt()
  const { frames } = await replicate(proxy, replicationLogin('umbrella', 'database'))
  t.strictSame(sqlStates(frames), ['08001'])
  t.notMatch(JSON.stringify(fields(frames.at(-1))), String(server.port), 'and not where')
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
  t.equal(await proxy.metric('pgusher_sessions'), 0)
}
