import { PID } from './state-fixture.ts'

/** A kind of state that pins: how it is made, seen to work, and undone in each of several ways. */
export interface Kind {
  readonly name: string
  readonly reason: string
  readonly make: readonly string[]
  readonly works: readonly (readonly [sql: string, rows: readonly string[]])[]
  readonly undo: readonly string[]
}

export const KINDS: readonly Kind[] = [
  {
    name: 'a setting that is not carried',
    reason: 'set',
    make: ["SET work_mem = '7MB'"],
    works: [['SHOW work_mem', ['7MB']]],
    undo: ['RESET work_mem', 'SET work_mem TO DEFAULT', 'RESET ALL', 'DISCARD ALL'],
  },
  {
    name: 'a setting by set_config, deep in a query',
    reason: 'set',
    make: [
      "WITH q AS (SELECT 1) SELECT (SELECT count(*) FROM (SELECT set_config('my.secret', 'x', false)) c) FROM q",
    ],
    works: [["SELECT current_setting('my.secret')", ['x']]],
    undo: ["SELECT set_config('my.secret', '', false)", 'RESET my.secret', 'DISCARD ALL'],
  },
  {
    name: 'a channel',
    reason: 'listen',
    make: ['LISTEN news', 'LISTEN "Old News"'],
    works: [['SELECT count(*) FROM pg_listening_channels()', ['2']]],
    undo: ['UNLISTEN *', 'DISCARD ALL'],
  },
  {
    name: 'a statement that SQL prepared',
    reason: 'prepare',
    make: ['PREPARE mine (int) AS SELECT $1 + 1'],
    works: [
      ['EXECUTE mine(1)', ['2']],
      ['EXECUTE mine(41)', ['42']],
    ],
    undo: ['DEALLOCATE mine', 'DEALLOCATE PREPARE ALL', 'DISCARD ALL'],
  },
  {
    name: 'a temporary table',
    reason: 'temp',
    make: ['CREATE TEMP TABLE mine (secret text)', "INSERT INTO mine VALUES ('x')"],
    works: [['SELECT secret FROM mine', ['x']]],
    undo: ['DROP TABLE mine', 'DISCARD TEMP', 'DISCARD ALL'],
  },
  {
    name: 'a temporary table by SELECT INTO',
    reason: 'temp',
    make: ["SELECT 'x' AS secret INTO TEMPORARY mine"],
    works: [['SELECT secret FROM mine', ['x']]],
    undo: ['DROP TABLE IF EXISTS pg_temp.mine'],
  },
  {
    name: 'a cursor WITH HOLD',
    reason: 'hold',
    make: ['DECLARE mine CURSOR WITH HOLD FOR SELECT generate_series(1, 3)'],
    works: [
      ['FETCH mine', ['1']],
      ['FETCH 2 FROM mine', ['2', '3']],
    ],
    undo: ['CLOSE mine', 'CLOSE ALL', 'DISCARD ALL'],
  },
  {
    name: 'an advisory lock',
    reason: 'advisoryLock',
    make: ['SELECT pg_advisory_lock(4711)'],
    works: [
      [
        "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        ['4711'],
      ],
    ],
    undo: [
      'SELECT pg_advisory_unlock(4711)',
      'SELECT 1 FROM (SELECT pg_advisory_unlock_all()) u',
      'DISCARD ALL',
    ],
  },
  {
    name: 'an advisory lock, tried for in a condition',
    reason: 'advisoryLock',
    make: ['SELECT FROM (VALUES (1)) v WHERE pg_try_advisory_lock_shared(1, 2)'],
    works: [[PID, []]],
    undo: ['SELECT pg_advisory_unlock_shared(1, 2)'],
  },
]
