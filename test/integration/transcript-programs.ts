import {
  bind,
  close,
  describe,
  execute,
  flush,
  frame,
  int16,
  int32,
  parse,
  query,
  sync,
  text,
} from '../support/raw-client.ts'
import type { Conversation } from '../support/transcript.ts'
import type { Program } from './transcript-fixture.ts'

const LEVELS = ['DEBUG', 'LOG', 'INFO', 'NOTICE', 'WARNING'] as const
const BIG_BYTES = 8 * 1024 * 1024
/** Of pg_catalog.int4pl and pg_catalog.int4div. */
const INT4_PLUS = 177
const INT4_DIVIDE = 154
const INT4 = 23

/** Simple queries, and what servers say of them. */
export const SIMPLE: Program = {
  'simple queries': {
    script: (talk) =>
      talk.run(
        'SELECT owner FROM items',
        '',
        ' ; ',
        '-- nothing',
        'SELECT 1 AS one; SELECT NULL, true; VALUES (1), (2)',
        'SELECT 1; SELECT 1/0; SELECT 2',
        'SELECT FROM generate_series(1, 3)',
        'SELECT 1 LIMIT 0',
        "SELECT 'Grüße, €'",
      ),
  },
  'errors with all their fields': {
    script: async (talk) => {
      await talk.run(
        'SELEC 1',
        'SELECT nothing FROM items',
        'SELECT * FROM no_such_table',
        'SELECT no_such_function(1)',
        `SELECT 'x'::int`,
        'BEGIN',
        'CREATE TABLE checked (id int PRIMARY KEY CHECK (id > 0), name text NOT NULL)',
        "INSERT INTO checked VALUES (1, 'one')",
        'SAVEPOINT before',
      )
      for (const values of ["1, 'again'", "-1, 'minus'", '2, NULL', `3, repeat('x', 3)::int`]) {
        await talk.run(`INSERT INTO checked VALUES (${values})`, 'ROLLBACK TO before')
      }
      await talk.run(
        `DO $$ BEGIN RAISE 'with all' USING DETAIL = 'd', HINT = 'h', ERRCODE = 'P1234', COLUMN = 'c', CONSTRAINT = 'k', DATATYPE = 't', TABLE = 'b', SCHEMA = 's'; END $$`,
        'ROLLBACK TO before',
        `DO $$ BEGIN EXECUTE 'SELECT 1 +'; END $$`,
        'SELECT 1',
        'ROLLBACK',
      )
    },
  },
  'notices of every level': {
    script: async (talk) => {
      const raised = LEVELS.map((level) => `RAISE ${level} 'a %', '${level}' USING HINT = 'h';`)
      const raise = `DO $$ BEGIN ${raised.join(' ')} END $$`
      for (const level of ['debug1', 'log', 'notice', 'warning', 'error']) {
        await talk.run(`SET client_min_messages = ${level}`, raise)
      }
      await talk.run('RESET client_min_messages', 'ROLLBACK', 'COMMIT', 'DROP TABLE IF EXISTS gone')
    },
  },
  transactions: {
    script: (talk) =>
      talk.run(
        'BEGIN',
        'BEGIN',
        'SELECT 1/0',
        'SELECT 1',
        'COMMIT',
        'BEGIN; SELECT 1; COMMIT; SELECT 2; BEGIN',
        'SAVEPOINT a',
        'SELECT 1/0',
        'ROLLBACK TO a',
        'RELEASE a',
        'COMMIT AND CHAIN',
        'ROLLBACK TO nowhere',
        'ROLLBACK AND CHAIN',
        "PREPARE TRANSACTION 'x'",
        'BEGIN READ ONLY',
        'CREATE TABLE refused ()',
        'END',
      ),
  },
  'large rows': {
    isBulky: true,
    script: async (talk) => {
      await talk.run(
        `SELECT repeat('x', ${BIG_BYTES})`,
        `SELECT length('${'y'.repeat(BIG_BYTES)}')`,
        'SELECT i, repeat(chr(65 + i % 26), 1000) FROM generate_series(1, 5000) i',
      )
      const value = 'z'.repeat(BIG_BYTES)
      await talk.ask(
        parse('', 'SELECT $1::text, length($1)'),
        bind('', '', [value]),
        execute(),
        sync,
      )
    },
  },
}

/** Statements and portals. */
export const EXTENDED: Program = {
  'statements and portals': {
    script: async (talk) => {
      await talk.ask(parse('', 'SELECT $1::int + 1'), describe('S', ''), sync)
      await talk.ask(bind('', '', ['41']), describe('P', ''), execute(), sync)
      await talk.ask(parse('named', 'SELECT owner FROM items WHERE id = $1::int'), sync)
      await talk.ask(bind('portal', 'named', ['1']), execute('portal'), close('P', 'portal'), sync)
      await talk.ask(bind('', 'named', ['2']), execute(), sync)
      await talk.ask(parse('named', 'SELECT 2'), sync)
      await talk.ask(bind('', 'named', ['not a number']), sync)
      await talk.ask(bind('', 'named', []), sync)
      await talk.ask(bind('', 'named', ['1', '2']), sync)
      await talk.ask(close('S', 'named'), close('S', 'named'), close('P', 'never'), sync)
      for (const unknown of [describe('S', 'named'), describe('P', 'never'), bind('', 'named')]) {
        await talk.ask(unknown, sync)
      }
      await talk.ask(execute('never'), sync)
      await talk.ask(parse('', ''), bind('', ''), describe('P', ''), execute(), sync)
      await talk.ask(parse('', 'SELECT 1; SELECT 2'), sync)
      await talk.ask(parse('', 'BEGIN'), bind('', ''), execute(), sync)
      await talk.ask(parse('', 'COMMIT'), bind('', ''), execute(), sync)
      await talk.ask(sync)
    },
  },
  'portals with row limits': {
    script: async (talk) => {
      await talk.run('BEGIN')
      await talk.ask(
        parse('', 'SELECT i FROM generate_series(1, 5) i'),
        bind('rows', ''),
        execute('rows', 2),
        execute('rows', 2),
        sync,
      )
      await talk.ask(execute('rows', 2), execute('rows', 2), sync)
      await talk.ask(bind('rows', ''), sync)
      await talk.run('SELECT 1', 'ROLLBACK')
      await talk.ask(bind('once', ''), execute('once', 1), execute('once', 1), sync)
      await talk.ask(execute('once', 1), sync)
      await talk.run(
        'BEGIN',
        'DECLARE c CURSOR FOR SELECT i FROM generate_series(1, 5) i',
        'FETCH 2 FROM c',
        'MOVE c',
        'FETCH ALL FROM c',
        'CLOSE c',
        'COMMIT',
        'DECLARE c CURSOR FOR SELECT 1',
        'DECLARE h CURSOR WITH HOLD FOR SELECT 1',
        'FETCH h',
      )
    },
  },
  'pipelines with Flush': {
    script: async (talk) => {
      await talk.send(parse('a', 'SELECT 1'), flush)
      await talk.upTo('1')
      await talk.send(describe('S', 'a'), bind('', 'a'), flush)
      await talk.upTo('2')
      await talk.send(execute(), flush)
      await talk.upTo('C')
      await talk.send(close('S', 'a'), flush)
      await talk.upTo('3')
      await talk.ask(sync)
      await talk.send(flush)
      await talk.ask(sync)
    },
  },
  'pipelines with errors': { script: pipelinesWithErrors },
  'a notice behind a Close': {
    script: async (talk) => {
      await talk.ask(parse('a', 'SELECT 1'), close('S', 'a'), query('COMMIT'))
    },
  },
  'PREPARE and EXECUTE': {
    script: async (talk) => {
      await talk.run(
        'PREPARE p (int) AS SELECT $1 * 2',
        'EXECUTE p (21)',
        'PREPARE p AS SELECT 1',
        'EXECUTE nothing',
      )
      await talk.ask(bind('', 'p', ['4']), execute(), sync)
      await talk.ask(parse('q', 'SELECT 7'), sync)
      await talk.run('EXECUTE q', 'DEALLOCATE q', 'EXECUTE q', 'DEALLOCATE ALL', 'EXECUTE p (1)')
      await talk.run('SELECT name, statement FROM pg_prepared_statements')
    },
  },
}

/** The rest of the protocol. */
export const OTHERS: Program = {
  FunctionCall: {
    script: async (talk) => {
      await talk.ask(call(INT4_PLUS, [20, 22]))
      await talk.ask(call(INT4_DIVIDE, [1, 0]))
      await talk.ask(call(1, []))
      await talk.run('BEGIN')
      await talk.ask(call(INT4_DIVIDE, [1, 0]))
      await talk.ask(call(INT4_PLUS, [1, 1]))
      await talk.run('ROLLBACK')
      await talk.ask(call(INT4_PLUS, [1, 1]), query('SELECT 1'))
      await talk.upTo('Z')
    },
  },
  'types and formats': {
    script: async (talk) => {
      const typed = frame('P', text(''), text('SELECT $1, $1 + 1'), int16(1), int32(INT4))
      const value = int32(7)
      const bound = [int16(1), int16(1), int16(1), int32(value.length), value]
      const binary = frame('B', text(''), text(''), ...bound, int16(2), int16(1), int16(0))
      await talk.ask(typed, describe('S', ''), binary, describe('P', ''), execute(), sync)
      const missing = frame('B', text(''), text(''), int16(0), int16(1), int32(-1), int16(0))
      await talk.ask(typed, missing, execute(), sync)
    },
  },
}

async function pipelinesWithErrors(talk: Conversation): Promise<void> {
  const one = [parse('', 'SELECT 1'), bind('', ''), execute()]
  const bad = [parse('', 'SELECT 1/0'), bind('', ''), execute()]
  await talk.send(...one, ...bad, ...one, sync, ...one, sync, ...bad, sync, sync)
  for (let answer = 0; answer < 4; answer += 1) await talk.upTo('Z')
  await talk.send(parse('kept', 'SELECT 5'), parse('bad', 'SELEC'), parse('lost', 'SELECT 6'), sync)
  await talk.send(bind('', 'kept'), execute(), sync, bind('', 'lost'), execute(), sync)
  for (let answer = 0; answer < 3; answer += 1) await talk.upTo('Z')
  await talk.send(query('SELECT 1/0'), query('SELECT 2'), ...bad, query('SELECT 3'), sync)
  for (let answer = 0; answer < 3; answer += 1) await talk.upTo('Z')
  await talk.send(...bad, flush)
  await talk.upTo('E')
  await talk.send(...one, close('S', 'kept'))
  await talk.ask(sync)
  await talk.send(query('BEGIN'), ...bad, sync, ...one, sync, query('ROLLBACK'))
  for (let answer = 0; answer < 4; answer += 1) await talk.upTo('Z')
}

/** A call with integers as arguments, in binary. */
function call(oid: number, values: readonly number[]): Buffer {
  const args = values.flatMap((value) => [int32(4), int32(value)])
  return frame('F', int32(oid), int16(1), int16(1), int16(values.length), ...args, int16(1))
}
