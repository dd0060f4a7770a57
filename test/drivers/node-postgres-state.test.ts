import { once } from 'node:events'
import pg from 'pg'
import type { Test } from 'tap'
import {
  acrossServers,
  fromEverySeat,
  onOneServer,
  runChecks,
  type Seat,
} from '../support/driver-seats.ts'
import { connectionConfig, OneRequest, open, pidOf, show } from './node-postgres-client.ts'

await fromEverySeat((t, seat) =>
  runChecks(t, seat, {
    'node-postgres: LISTEN and NOTIFY': listenAndNotify,
    'node-postgres: SET stays': setStays,
    'node-postgres: SET LOCAL and SET in a transaction that is rolled back': setsThatEnd,
    'node-postgres: RESET comes back to the configuration': resetToStartup,
    'node-postgres: a temporary table over several statements': temporaryTable,
    'node-postgres: session advisory locks': advisoryLocks,
    'node-postgres: SQL PREPARE and EXECUTE': sqlPrepare,
    'node-postgres: a cursor WITH HOLD': holdCursor,
    'node-postgres: DECLARE and FETCH in a transaction': sqlCursor,
    'node-postgres: notices': notices,
    'node-postgres: DISCARD ALL and DEALLOCATE ALL': discards,
    'node-postgres: a table changed under a named statement': changedTable,
    'node-postgres: an unnamed statement bound in a later request': unnamedStatement,
    'node-postgres: reported settings follow the client': reportedSettings,
  }),
)

async function listenAndNotify(t: Test, seat: Seat): Promise<void> {
  const listener = await open(t, seat)
  await listener.query('LISTEN orders')
  await onOneServer(t, seat, () => pidOf(listener))
  const notifier = await open(t, seat)
  const heard = once(listener, 'notification')
  await notifier.query(`SELECT pg_notify('orders', $1)`, ['an order'])
  const pid = await pidOf(notifier)
  const [message] = await heard
  t.match(message, { channel: 'orders', payload: 'an order', processId: pid })
  await notifier.end()
  await listener.query('UNLISTEN *')
  await acrossServers(t, seat, () => pidOf(listener))
}

async function setStays(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  const settings = {
    application_name: 'the application',
    TimeZone: 'Asia/Tokyo',
    statement_timeout: '12345ms',
    work_mem: '5MB',
  }
  for (const [name, value] of Object.entries(settings)) {
    await client.query(`SET ${name} = '${value}'`)
    await seat.disturbers.disturb()
  }
  for (const [name, value] of Object.entries(settings)) {
    t.equal(await show(client, name), value, name)
    await seat.disturbers.disturb()
  }
  await client.query('DISCARD ALL')
  await acrossServers(t, seat, async () => {
    t.equal(await show(client, 'statement_timeout'), '0')
    return pidOf(client)
  })
}

async function setsThatEnd(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat, { application_name: 'before' })
  await acrossServers(t, seat, async () => {
    await client.query('BEGIN')
    await client.query(`SET LOCAL application_name = 'for a moment'`)
    await client.query('SAVEPOINT here')
    await client.query(`SET LOCAL statement_timeout = 4000`)
    await client.query('ROLLBACK TO here')
    t.equal(await show(client, 'statement_timeout'), '0')
    t.equal(await show(client, 'application_name'), 'for a moment')
    const pid = await pidOf(client)
    await client.query('COMMIT')
    t.equal(await show(client, 'application_name'), 'before')
    return pid
  })
  await client.query('BEGIN')
  await client.query(`SET application_name = 'undone'`)
  await client.query('ROLLBACK')
  await seat.disturbers.disturb()
  t.equal(await show(client, 'application_name'), 'before')
}

async function resetToStartup(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat, {
    application_name: 'from the configuration',
    options: '-c statement_timeout=54321',
  })
  const expectStartup = async () => {
    t.equal(await show(client, 'application_name'), 'from the configuration')
    t.equal(await show(client, 'statement_timeout'), '54321ms')
  }
  for (const undo of ['RESET application_name; RESET statement_timeout', 'RESET ALL']) {
    await client.query(`SET application_name = 'else'; SET statement_timeout = 1000`)
    await seat.disturbers.disturb()
    t.equal(await show(client, 'application_name'), 'else')
    await client.query(undo)
    await expectStartup()
    await seat.disturbers.disturb()
    await expectStartup()
  }
}

async function temporaryTable(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await client.query('CREATE TEMP TABLE basket (n int)')
  let count = 0
  await onOneServer(t, seat, async () => {
    await client.query('INSERT INTO basket VALUES ($1)', [++count])
    const { rows } = await client.query({ name: 'count', text: 'SELECT count(*)::int FROM basket' })
    t.strictSame(rows, [{ count }])
    return pidOf(client)
  })
  await client.query('DISCARD TEMP')
  await t.rejects(client.query('SELECT 1 FROM basket'), { code: '42P01' })
}

async function advisoryLocks(t: Test, seat: Seat): Promise<void> {
  const [holder, other] = [await open(t, seat), await open(t, seat)]
  await holder.query('SELECT pg_advisory_lock(4711)')
  const tryLock = 'SELECT pg_try_advisory_xact_lock(4711) AS locked'
  t.strictSame((await other.query(tryLock)).rows, [{ locked: false }])
  await other.end()
  await onOneServer(t, seat, () => pidOf(holder))
  const { rows } = await holder.query('SELECT pg_advisory_unlock(4711) AS unlocked')
  t.strictSame(rows, [{ unlocked: true }])
  const third = await open(t, seat)
  t.strictSame((await third.query(tryLock)).rows, [{ locked: true }])
}

async function sqlPrepare(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await client.query('PREPARE twice (int) AS SELECT owner, $1 * 2 AS twice FROM items')
  await onOneServer(t, seat, async () => {
    const { rows } = await client.query('EXECUTE twice (21)')
    t.strictSame(rows, [{ owner: seat.tenant, twice: 42 }])
    return pidOf(client)
  })
  await client.query('DEALLOCATE twice')
  await t.rejects(client.query('EXECUTE twice (21)'), { code: '26000' })
}

async function holdCursor(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await client.query('DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 30) AS n')
  let next = 1
  await onOneServer(t, seat, async () => {
    const { rows } = await client.query('FETCH 10 FROM held')
    t.strictSame(
      rows,
      Array.from({ length: 10 }, () => ({ n: next++ })),
    )
    return pidOf(client)
  })
  await client.query('CLOSE held')
  await t.rejects(client.query('FETCH 1 FROM held'), { code: '34000' })
}

async function sqlCursor(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  await acrossServers(t, seat, async () => {
    await client.query('BEGIN')
    await client.query('DECLARE here CURSOR FOR SELECT owner FROM items')
    t.strictSame((await client.query('FETCH 5 FROM here')).rows, [{ owner: seat.tenant }])
    const pid = await pidOf(client)
    await client.query('COMMIT')
    return pid
  })
}

async function notices(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  const heard: (string | undefined)[] = []
  client.on('notice', ({ message }) => heard.push(message))
  const raise = `DO $$ BEGIN FOR i IN 1..3 LOOP RAISE WARNING 'number %', i; END LOOP; END $$`
  await acrossServers(t, seat, async () => {
    heard.length = 0
    await client.query(raise)
    t.strictSame(heard, ['number 1', 'number 2', 'number 3'])
    return pidOf(client)
  })
}

async function discards(t: Test, seat: Seat): Promise<void> {
  for (const command of ['DISCARD ALL', 'DEALLOCATE ALL']) {
    const [client, neighbour] = [await open(t, seat), await open(t, seat)]
    t.strictSame(await named(client, 'mine'), [{ owner: seat.tenant }])
    t.strictSame(await named(neighbour, 'mine'), [{ owner: seat.tenant }])
    await client.query(command)
    await t.rejects(named(client, 'mine'), { code: '26000' }, `${command}, as Postgres does`)
    t.strictSame(await named(neighbour, 'mine'), [{ owner: seat.tenant }], 'kept its own')
    await neighbour.end()
    await acrossServers(t, seat, async () => {
      t.strictSame(await named(client, 'another'), [{ owner: seat.tenant }])
      return pidOf(client)
    })
    await client.end()
  }
}

async function named(client: pg.Client, name: string): Promise<readonly unknown[]> {
  const { rows } = await client.query({ name, text: 'SELECT owner FROM items' })
  return rows
}

async function changedTable(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  const find = async (name: string) => {
    const { rows } = await client.query({ name, text: 'SELECT * FROM changing' })
    return rows
  }
  await client.query('DROP TABLE IF EXISTS changing')
  await client.query('CREATE TABLE changing AS SELECT 1 AS a')
  await acrossServers(t, seat, async () => {
    t.strictSame(await find('before'), [{ a: 1 }])
    return pidOf(client)
  })
  await client.query('ALTER TABLE changing ADD b int DEFAULT 2')
  // node-postgres never prepares a name again: its user does, under another.
  await find('before').catch((error: unknown) => t.match(error, { code: '0A000' }))
  await acrossServers(t, seat, async () => {
    t.strictSame(await find('after'), [{ a: 1, b: 2 }])
    return pidOf(client)
  })
}

async function unnamedStatement(t: Test, seat: Seat): Promise<void> {
  const client = await open(t, seat)
  const run = (write: (connection: pg.Connection) => void) =>
    client.query(new OneRequest(write)).done
  const text = 'SELECT owner, $1::text FROM items'
  t.equal(await run((connection) => connection.parse({ name: '', text, types: [] }, true)), 'ready')
  for (const value of ['one', 'two', 'three']) {
    await seat.disturbers.disturb()
    const row = await run((connection) => {
      connection.bind({ values: [value] }, true)
      connection.execute({}, true)
    })
    t.strictSame(row, [seat.tenant, value])
  }
}

async function reportedSettings(t: Test, seat: Seat): Promise<void> {
  for (const zone of ['Asia/Tokyo', 'America/Lima']) {
    const client = new pg.Client({ ...connectionConfig(seat), options: `-c TimeZone=${zone}` })
    const reported = watchReports(client)
    await client.connect()
    t.teardown(() => client.end())
    for (const next of ['Europe/Rome', 'UTC']) {
      await acrossServers(t, seat, async () => {
        t.equal(reported.get('TimeZone'), await show(client, 'TimeZone'))
        return pidOf(client)
      })
      await client.query(`SET TimeZone = '${next}'`)
      t.equal(reported.get('TimeZone'), next)
    }
    t.equal(await show(client, 'TimeZone'), 'UTC')
    await client.end()
  }
}

/** What the server reported last. */
function watchReports(client: pg.Client): ReadonlyMap<string, string> {
  const reported = new Map<string, string>()
  client.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
    reported.set(parameterName, parameterValue)
  })
  return reported
}
