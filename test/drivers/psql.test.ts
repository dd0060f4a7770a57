import type { Test } from 'tap'
import { runTool, seatEnvironment } from '../support/driver-program.ts'
import {
  acrossServers,
  fromEverySeat,
  onOneServer,
  runChecks,
  type Seat,
} from '../support/driver-seats.ts'
import { sql } from '../support/postgres.ts'
import { until } from '../support/until.ts'
import { PsqlSession } from './psql-session.ts'

const PID = 'SELECT pg_backend_pid();'
const SLEEP = 'SELECT pg_sleep(60);'

await fromEverySeat(
  (t, seat) =>
    runChecks(t, seat, {
      'ways to name the tenant': waysToNameTheTenant,
      'commands of psql': commands,
      'a script across server connections': acrossConnections,
      'state of the session': sessionState,
      'several statements in one string': severalStatements,
      'an error in the middle': errorInTheMiddle,
      ON_ERROR_ROLLBACK: errorRollback,
      '\\copy': copies,
      'LISTEN and NOTIFY': notifications,
      'Ctrl-C': interrupt,
      'another tenant': anotherTenant,
    }),
  { majors: [15] },
)

async function waysToNameTheTenant(t: Test, seat: Seat): Promise<void> {
  const { host, port, login, tenant } = seat
  const untagged = `host=${host} port=${port} user=${login} dbname=app`
  const ways = {
    'in the user': ['-U', `${login}.${tenant}`],
    'in the user of a URL': [`postgresql://${login}.${tenant}@${host}:${port}/app`],
    'in options': [`${untagged} options='-c pgusher.tenant=${tenant}'`],
    'in options of a URL': [
      `postgresql://${login}@${host}:${port}/app?options=-c%20pgusher.tenant%3D${tenant}`,
    ],
  }
  for (const [way, args] of Object.entries(ways)) {
    const query = ['-XAt', '-c', 'SELECT owner FROM items', ...args]
    t.match(await runTool(seat, { command: 'psql', args: query }), owned(tenant), way)
  }
  const byVariable = await runTool(seat, {
    command: 'psql',
    args: ['-XAt', '-c', 'SELECT owner FROM items'],
    env: { PGUSER: login, PGOPTIONS: `-c pgusher.tenant=${tenant}` },
  })
  t.match(byVariable, owned(tenant), 'in PGOPTIONS')
}

function owned(tenant: string) {
  return { exitCode: 0, stdout: `${tenant}\n` }
}

async function commands(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  t.match(await psql.ask('\\d items'), ['id|integer|||', 'owner|text|||'])
  const tables = await psql.ask('\\dt')
  t.equal(tables.length, 1, 'one table to be seen')
  t.match(tables[0], '|items|table|')
  t.match(await psql.ask('\\conninfo'), [new RegExp(`as user "${seat.user}"`)])
  const variables = `\\set id 1
    \\set what 'it''s'
    SELECT owner AS who, 6 * 7 AS answer FROM items WHERE id = :id \\gset found_
    \\echo :found_who :found_answer
    SELECT :'what', :"found_answer" FROM (SELECT 1 AS "42") AS q;`
  t.strictSame(await psql.ask(variables), [`${seat.tenant} 42`, `it's|1`])
  const conditional = `SELECT count(*) = 1 AS alone FROM items \\gset
    \\if :alone
    SELECT format('SELECT %s + 1', n) FROM generate_series(1, 3) n \\gexec
    \\endif`
  t.strictSame(await psql.ask(conditional), ['2', '3', '4'])
  t.strictSame(await psql.ask('SELECT 1 AS a, 2 AS b \\gdesc'), ['a|integer', 'b|integer'])
  const fetched = await psql.ask(`\\set FETCH_COUNT 3
    SELECT n FROM generate_series(1, 10) n;
    \\unset FETCH_COUNT`)
  t.equal(fetched.join(' '), '1 2 3 4 5 6 7 8 9 10')
  t.equal(await psql.end(), '', 'no errors')
}

async function acrossConnections(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  await acrossServers(t, seat, async () => {
    const [owner, pid, other] = await psql.ask(
      `SELECT owner FROM items; BEGIN; ${PID} ${PID} COMMIT;`,
    )
    t.equal(owner, seat.tenant)
    t.equal(pid, other)
    return Number(pid)
  })
  t.equal(await psql.end(), '', 'no errors')
}

async function anotherTenant(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  const look = 'SELECT owner FROM items; SHOW pgusher.tenant;'
  t.strictSame(
    await psql.ask(`CREATE TEMPORARY TABLE psql_left (); SET pgusher.tenant = 'umbrella'; ${look}
      SELECT to_regclass('psql_left') IS NULL;`),
    ['umbrella', 'umbrella', 't'],
  )
  t.strictSame(
    await psql.ask(`BEGIN; SHOW pgusher.tenant; ROLLBACK; SET pgusher.tenant = 'nobody'; ${look}
      RESET pgusher.tenant; ${look}`),
    ['umbrella', 'umbrella', 'umbrella', seat.tenant, seat.tenant],
  )
}

async function sessionState(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  await psql.ask(`SET statement_timeout = '7s'; SET TimeZone = 'Asia/Tokyo';
    CREATE TEMPORARY TABLE psql_temporary AS SELECT 'kept' AS word;
    PREPARE psql_prepared (int) AS SELECT owner, $1 FROM items;
    BEGIN;
    DECLARE psql_cursor SCROLL CURSOR WITH HOLD FOR SELECT generate_series(1, 9);
    COMMIT;
    SELECT pg_advisory_lock(4711);`)
  await onOneServer(t, seat, async () => {
    const answer = await psql.ask(`SHOW statement_timeout; SHOW TimeZone;
      SELECT * FROM psql_temporary; EXECUTE psql_prepared (3);
      FETCH FROM psql_cursor; MOVE BACKWARD FROM psql_cursor;
      SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
      ${PID}`)
    t.strictSame(answer.slice(0, -1), ['7s', 'Asia/Tokyo', 'kept', `${seat.tenant}|3`, '1', '1'])
    return Number(answer.at(-1))
  })
  await psql.ask(`CLOSE psql_cursor; DEALLOCATE psql_prepared; DROP TABLE psql_temporary;
    SELECT pg_advisory_unlock(4711); RESET statement_timeout; RESET TimeZone;`)
  t.equal(await psql.end(), '', 'no errors')
}

async function severalStatements(t: Test, seat: Seat): Promise<void> {
  const args = ['-XAt', '-c', `SELECT 1; SELECT ';'; SELECT owner FROM items`, '-c', 'SELECT 4']
  const answer = await runTool(seat, { command: 'psql', args })
  t.match(answer, { exitCode: 0, stdout: `1\n;\n${seat.tenant}\n4\n` })
  const single = ['-XAt', '-1', '-c', 'CREATE TABLE psql_single (n int)', '-c', 'SELECT 1 / 0']
  t.match(await runTool(seat, { command: 'psql', args: single }), { exitCode: 1 })
  const found = await runTool(seat, {
    command: 'psql',
    args: ['-XAt', '-c', `SELECT to_regclass('psql_single') IS NULL`],
  })
  t.match(found, { stdout: 't\n' }, 'the transaction was undone as a whole')
}

async function errorInTheMiddle(t: Test, seat: Seat): Promise<void> {
  const input = 'SELECT 1;\nSELECT 1 / 0;\nSELECT owner FROM items;\n'
  const options = ['-XqAt', '-v', 'VERBOSITY=sqlstate']
  const continued = await runTool(seat, { command: 'psql', args: options, input })
  t.match(continued, { exitCode: 0, stdout: `1\n${seat.tenant}\n`, stderr: /22012/ })
  const args = [...options, '-v', 'ON_ERROR_STOP=1']
  const stopped = await runTool(seat, { command: 'psql', args, input })
  t.match(stopped, { exitCode: 3, stdout: '1\n', stderr: /22012/ })
}

async function errorRollback(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  const answer = await psql.ask(`\\set ON_ERROR_ROLLBACK on
    \\set AUTOCOMMIT off
    CREATE TABLE psql_rollback (n int PRIMARY KEY);
    INSERT INTO psql_rollback VALUES (1);
    INSERT INTO psql_rollback VALUES (1);
    INSERT INTO psql_rollback VALUES (2);
    COMMIT;
    SELECT count(*) FROM psql_rollback;
    DROP TABLE psql_rollback;
    COMMIT;`)
  t.strictSame(answer, ['2'])
  t.match(await psql.end(), /^\S*\s*ERROR:\s+23505\n$/, 'one error')
}

async function copies(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  const rows = Array.from({ length: 2000 }, (_, n) => `${n}\tlabel ${n}`)
  await psql.ask(`CREATE TABLE psql_copy (n int, label text);
    \\copy psql_copy FROM STDIN
${rows.join('\n')}
\\.`)
  const out = await psql.ask('\\copy (SELECT * FROM psql_copy ORDER BY n) TO STDOUT')
  t.strictSame(out, rows)
  const bad = await psql.ask(
    'COPY psql_copy FROM STDIN;\nno number\tx\n\\.\nSELECT count(*) FROM psql_copy;',
  )
  t.strictSame(bad, ['2000'])
  await psql.ask('DROP TABLE psql_copy;')
  t.match(await psql.end(), /^\S*\s*ERROR:\s+22P02\n$/, 'one error')
}

async function notifications(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  await psql.ask('LISTEN psql_channel;')
  await seat.disturbers.disturb()
  const args = ['-Xq', '-c', `NOTIFY psql_channel, 'for ${seat.tenant}'`]
  t.match(await runTool(seat, { command: 'psql', args }), { exitCode: 0 })
  const heard = await psql.ask('SELECT 1;')
  t.match(heard, ['1', new RegExp(`"psql_channel" with payload "for ${seat.tenant}"`)])
  await psql.ask('UNLISTEN *;')
  t.equal(await psql.end(), '', 'no errors')
}

async function interrupt(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, seatEnvironment(seat))
  psql.type(SLEEP)
  await until(async () => (await sleepers(seat)) === 1)
  psql.interrupt()
  // A script ends at Ctrl-C, and psql with it.
  t.match(await psql.end(), /ERROR:\s+57014/)
  await until(async () => (await sleepers(seat)) === 0)
}

async function sleepers({ server }: Seat): Promise<number> {
  const text = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = '${SLEEP}'`
  return (await sql(server, 'postgres', text)).length
}
