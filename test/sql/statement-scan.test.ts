import t from 'tap'
import type { SqlDialect, StatementEffects } from '../../src/sql/scan/statement-effects.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'

const PLAIN: SqlDialect = { backslashEscapes: false, hasUnsafeBytes: false }

type Expected = Partial<Record<keyof StatementEffects, unknown>>

function scan(sql: string, dialect = PLAIN): StatementEffects | undefined {
  const bytes = Buffer.from(sql)
  return scanStatements({ bytes, start: 0, end: bytes.length }, dialect)
}

/** What the guard of tenants asks for: that has tests of its own. */
const FOR_THE_GUARD = ['assignments', 'altersShared', 'hidesNames', 'isLasting']

/** What was found of session state, without what says nothing. */
function brief(sql: string, dialect = PLAIN): Expected | undefined {
  const effects = scan(sql, dialect)
  if (effects?.isLasting !== true) return undefined
  const parts = Object.entries(effects)
    .filter(([key]) => !FOR_THE_GUARD.includes(key))
    .map(([key, value]) => [key, value instanceof Set ? [...value].sort() : value])
  return Object.fromEntries(parts.filter(([, value]) => value !== false && value.length !== 0))
}

const NOTHING = [
  '',
  ' ',
  ';',
  ';;; ',
  'select 1',
  'BEGIN; UPDATE t SET a = 1; COMMIT;',
  'UPDATE t SET temp = 1, hold = 2 WHERE listen;',
  "INSERT INTO t (a) VALUES ('set work_mem = 1; set x = 2') ON CONFLICT (a) DO UPDATE SET a = 1",
  'MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = 1',
  'ALTER TABLE t SET (fillfactor = 70)',
  "ALTER ROLE a SET work_mem = '1MB'",
  "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET work_mem = '1MB' AS 'select 1'",
  'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET x.y = 1; END $$',
  'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END',
  'SET LOCAL work_mem = 1',
  'set local role x',
  'SET LOCAL SESSION AUTHORIZATION x',
  'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
  'SET SESSION TRANSACTION READ ONLY',
  'SET CONSTRAINTS ALL DEFERRED',
  "PREPARE TRANSACTION 'x'",
  "prepare /* */ transaction E'x'",
  'DISCARD PLANS',
  "SELECT set_config('a.b', 'x', true)",
  "SELECT pg_catalog.set_config('a.b', $1, 't')",
  "SELECT set_config($1, 'x', ' YES '::bool)",
  "SELECT set_config('a.b', array_to_string(ARRAY['x', (SELECT 'y')], ','), true)",
  'SELECT set_config FROM pg_settings',
  "SELECT 'set_config(''a'', ''b'', false)'",
  'SELECT "SET_CONFIG"(1)',
  "SELECT $a$set_config('a', 'b', false); $$ LISTEN x; $a$",
  '-- LISTEN x\nSELECT 1',
  '/* a /* ; LISTEN x */ ; LISTEN y */ SELECT 1',
  '; -- LISTEN x',
  'SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(1)',
  'SELECT temp, hold FROM temperature, template, household',
  'INSERT INTO temp (a) VALUES (1)',
  'WITH hold AS (SELECT 1) SELECT * FROM hold',
  'DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1',
  'CREATE TABLE temp (temp int)',
  'GRANT EXECUTE ON FUNCTION f TO x',
  'CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()',
  'EXPLAIN ANALYZE SELECT 1',
  "SELECT name FROM pg_settings WHERE name = 'a' FOR UPDATE",
  'CREATE TABLE t ("set" int)',
  '"set" x = 1',
]
for (const sql of NOTHING) {
  t.test(`nothing: ${JSON.stringify(sql)}`, async (t) => t.equal(brief(sql), undefined))
}

function set(...settings: string[]): Expected {
  return { makes: ['set'], settings, isOnlySettings: true }
}
function reset(...settings: string[]): Expected {
  return { undoes: ['set'], settings, resets: settings, isOnlySettings: true }
}
function configured(...settings: string[]): Expected {
  return { makes: ['set'], settings }
}
const ANY_SETTING = { makes: ['set'], mayTouchAnySetting: true }
const CODE = { makes: ['code'], mayTouchAnySetting: true }
const LOCK = { makes: ['advisoryLock'] }
const UNLOCK = { undoes: ['advisoryLock'] }
const TEMP = { makes: ['temp'] }
const EVERYTHING_UNDONE = {
  undoes: ['advisoryLock', 'hold', 'listen', 'prepare', 'set', 'temp'],
  resets: 'all',
  deallocates: 'all',
}

const SOMETHING: readonly (readonly [string, Expected])[] = [
  ["SET work_mem = '1MB'", set('work_mem')],
  ['set session WORK_MEM to default;', reset('work_mem')],
  ['SET "TimeZone" TO x', set('timezone')],
  ['SET App.Tenant_Id = 1', set('app.tenant_id')],
  ['SET a . "B" . c = DEFAULT', reset('a.b.c')],
  ['SET x FROM CURRENT', set('x')],
  ['SET sort_mem = 1', set('work_mem')],
  ['SET session = 1', set('session')],
  ['SET session.x = 1', set('session.x')],
  ['SET local.x = 1', set('local.x')],
  ['SET SESSION session.x = 1', set('session.x')],
  ['SET time TO 1', set('time')],
  ["SET TIME ZONE 'UTC'", set('timezone')],
  ['SET SESSION TIME ZONE LOCAL', reset('timezone')],
  ['SET TIME ZONE DEFAULT', reset('timezone')],
  ["SET NAMES 'utf8'", set('client_encoding')],
  ['SET NAMES', reset('client_encoding')],
  ['SET NAMES;', reset('client_encoding')],
  ["SET SCHEMA 'x'", set('search_path')],
  ['SET SEED TO 0.5', set('seed')],
  ['SET ROLE x', set('role')],
  ['SET SESSION ROLE NONE', set('role')],
  ['SET role = x', set('role')],
  ['SET SESSION AUTHORIZATION x', set('session_authorization', 'role')],
  ['SET SESSION SESSION AUTHORIZATION DEFAULT', reset('session_authorization', 'role')],
  [
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
    set(
      'default_transaction_isolation',
      'default_transaction_read_only',
      'default_transaction_deferrable',
    ),
  ],
  ['SET XML OPTION DOCUMENT', set('xmloption')],
  [
    'SET a = 1; SET LOCAL b = 2; SET c TO DEFAULT',
    { ...set('a', 'c'), undoes: ['set'], resets: ['c'] },
  ],
  ['SET search_path = pg_temp, public', { makes: ['set', 'temp'], settings: ['search_path'] }],
  ["SET search_path = 'PG_TEMP'", { makes: ['set', 'temp'], settings: ['search_path'] }],
  ["SET LOCAL search_path = 'pg_temp'", TEMP],
  ["SET LOCAL search_path = E'\\160g_temp'", TEMP],
  ['BEGIN/**/;/**/SET a = 1', set('a')],
  ['SELECT $$a;$$;\n-- x\nSET a = 1', set('a')],
  ['RESET a.B', reset('a.b')],
  ['RESET ROLE', reset('role')],
  ['RESET TIME ZONE', reset('timezone')],
  ['RESET SESSION AUTHORIZATION', reset('session_authorization', 'role')],
  ['RESET session.x', reset('session.x')],
  ['RESET ALL', { undoes: ['set'], resets: 'all' }],
  ['DISCARD ALL', EVERYTHING_UNDONE],
  ['DISCARD TEMP', { undoes: ['temp'] }],
  ['discard temporary', { undoes: ['temp'] }],

  ["SELECT set_config('A.b', 'x', false)", configured('a.b')],
  ["SELECT SET_CONFIG ('a.b', 'x', $1)", configured('a.b')],
  ["SELECT pg_catalog . /* x */ \"set_config\" -- (\n ( 'a.b', 'x', 'f')", configured('a.b')],
  ["SELECT set_config('a.b'::text, $1::text, false::bool)", configured('a.b')],
  ["SELECT set_config(N'a.b', 'it''s', 'no')", configured('a.b')],
  ["SELECT set_config(E'a.b', '', false)", configured('a.b')],
  ["SELECT set_config(U&'a.b', '', false)", configured('a.b')],
  ['SELECT set_config($$a.b$$, $x$)$x$, false)', configured('a.b')],
  ["SELECT set_config('a', set_config('b', 'x', false), true)", configured('b')],
  ["SELECT set_config('a', set_config('b', 'x', true), false)", configured('a')],
  ["SELECT set_config('a', f((1), ARRAY[2, 3]), false), (1)", configured('a')],
  ["SELECT set_config(E'a\\056b', '', false)", ANY_SETTING],
  ["SELECT set_config(U&'a\\002eb', '', false)", ANY_SETTING],
  ["SELECT set_config('a'\n'.b', '', false)", ANY_SETTING],
  ["SELECT set_config('a' || 'b', '', false)", ANY_SETTING],
  ['SELECT set_config($1, $2, $3)', ANY_SETTING],
  ["SELECT set_config(setting_name => 'a', new_value => 'b', is_local => true)", ANY_SETTING],
  ["SELECT set_config('a', 'b', NOT true)", configured('a')],
  ["SELECT set_config('search_path', 'pg_temp', true)", TEMP],
  ['SELECT U&"set_config"($1, $2, false)', ANY_SETTING],
  ['SELECT U&"\\0073et\\+00005fconfig"($1, $2, false)', ANY_SETTING],
  ['SELECT u&"!0073et_config" /* */ UESCAPE \'!\' ($1, $2, false)', ANY_SETTING],
  ['SELECT U&"!0073et_config" UESCAPE E\'\\041\' ($1, $2, false)', CODE],
  ["EXPLAIN ANALYZE SELECT set_config('a', 'b', false)", configured('a')],
  ["COPY (SELECT set_config('a', 'b', false)) TO STDOUT", configured('a')],
  ["UPDATE pg_settings SET setting = 'x' WHERE name = 'a'", ANY_SETTING],
  ['SELECT setseed(0.5)', configured('seed')],

  ['LISTEN x', { makes: ['listen'] }],
  ['UNLISTEN *', { undoes: ['listen'] }],
  ['PREPARE p (int) AS SELECT $1', { makes: ['prepare'] }],
  ['PREPARE transaction AS SELECT 1', { makes: ['prepare'] }],
  ['DEALLOCATE P', { undoes: ['prepare'], deallocates: ['p'] }],
  ['DEALLOCATE PREPARE "P""q"', { undoes: ['prepare'], deallocates: ['P"q'] }],
  ['DEALLOCATE PREPARE', { undoes: ['prepare'], deallocates: ['prepare'] }],
  ['DEALLOCATE "all"', { undoes: ['prepare'], deallocates: ['all'] }],
  ['DEALLOCATE U&"\\0050\\00e9"', { undoes: ['prepare'], deallocates: ['P\u00c3\u00a9'] }],
  ['DEALLOCATE ALL', { undoes: ['prepare'], deallocates: 'all' }],
  ['DEALLOCATE PREPARE ALL', { undoes: ['prepare'], deallocates: 'all' }],
  ['EXECUTE p(1); EXECUTE "P"', { executes: ['p', 'P'] }],
  ['EXPLAIN (ANALYZE, VERBOSE) EXECUTE p', { executes: ['p'] }],
  ['EXPLAIN ANALYZE VERBOSE EXECUTE p', { executes: ['p'] }],
  ['CREATE TABLE t AS EXECUTE p(1)', { executes: ['p'] }],
  ['EXPLAIN CREATE TABLE t WITH (fillfactor = 70) AS EXECUTE p', { executes: ['p'] }],

  ['CREATE TEMP TABLE t ()', TEMP],
  ['create local temporary view t as select 1', TEMP],
  ['CREATE OR REPLACE TEMP VIEW t AS SELECT 1', TEMP],
  ['CREATE GLOBAL TEMPORARY SEQUENCE s', TEMP],
  ['SELECT 1 AS a INTO TEMP t', TEMP],
  ['SELECT 1 AS a INTO LOCAL TEMPORARY TABLE t', TEMP],
  ['SELECT $$a$$INTO TEMP t', TEMP],
  ['CREATE TABLE pg_temp.t ()', TEMP],
  ['CREATE TABLE "pg_temp" . t ()', TEMP],
  ['CREATE FUNCTION pg_temp_3.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$', TEMP],
  ['CREATE TABLE U&"pg\\005ftemp".t ()', TEMP],
  ['DROP TABLE t', { undoes: ['temp'] }],
  ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', { makes: ['hold'] }],
  ['CLOSE ALL', { undoes: ['hold'] }],
  ['SELECT pg_advisory_lock(1)', LOCK],
  ['SELECT pg_advisory_lock_shared(1)', LOCK],
  ['SELECT "pg_catalog"."pg_try_advisory_lock"(1)', LOCK],
  ['SELECT PG_TRY_ADVISORY_LOCK_SHARED(1, 2)', LOCK],
  ['UPDATE t SET a = 1 WHERE pg_advisory_unlock(1)', UNLOCK],
  ['SELECT pg_advisory_unlock_shared(1)', UNLOCK],
  ['SELECT pg_advisory_unlock_all()', UNLOCK],
  ["LOAD 'x'", { makes: ['load'] }],
  ["SELECT dblink_connect('c', '')", { makes: ['load'] }],
  ['DO $$ BEGIN END $$', CODE],
  ['CALL p()', CODE],
  ["SELECT query_to_xml('select 1', true, true, '')", CODE],
  ['CREATE RULE r AS ON INSERT TO t DO (SELECT 1; LISTEN x)', { makes: ['listen'] }],
  [
    'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; LISTEN x',
    { makes: ['listen'] },
  ],
  ["SELECT 'a' ; LISTEN x", { makes: ['listen'] }],
  ["SELECT E'\\'; ' ; LISTEN x --'", { makes: ['listen'] }],
  ["SELECT '\\' ; LISTEN x --'", { makes: ['listen'] }],
  ["SELECT E'a'\n'\\'' ; LISTEN x --'", { makes: ['listen'] }],
  ["SELECT E'a' -- '\n '\\'' ; LISTEN x --'", { makes: ['listen'] }],
  ["SELECT B'1', X'f', U&'\\' ; LISTEN x --'", { makes: ['listen'] }],
  ["SELECT type'\\' ; LISTEN x --'", { makes: ['listen'] }],
  ['SELECT a$$, b$$ ; LISTEN x --$$', { makes: ['listen'] }],
  ['SELECT $1$$;$$, $é$ $e$ ; $é$ ; LISTEN x', { makes: ['listen'] }],
  ['SELECT 1 +/* ; */ 2 - - 3 ; LISTEN x', { makes: ['listen'] }],
  ['SELECT 1e5, .5, 1.5e-3--;\n; LISTEN x', { makes: ['listen'] }],
  ['/*/**/*/ LISTEN x', { makes: ['listen'] }],
  ['--\rLISTEN x', { makes: ['listen'] }],
]
for (const [sql, expected] of SOMETHING) {
  t.test(JSON.stringify(sql), async (t) => t.strictSame(brief(sql), expected))
}

const BACKSLASHES: SqlDialect = { backslashEscapes: true, hasUnsafeBytes: false }
t.test('backslashes escape in every string where standard_conforming_strings is off', async (t) => {
  t.strictSame(brief("SELECT '\\'' ; LISTEN x --'", BACKSLASHES), { makes: ['listen'] })
  t.strictSame(brief("SELECT N'\\'' ; LISTEN x --'", BACKSLASHES), { makes: ['listen'] })
  t.equal(brief("SELECT '\\' ; LISTEN x --'", BACKSLASHES), undefined)
  t.strictSame(brief("SELECT B'1' ; LISTEN x", BACKSLASHES), { makes: ['listen'] })
})

const UNSAFE: SqlDialect = { backslashEscapes: false, hasUnsafeBytes: true }
function scanUnsafe(sql: Buffer): StatementEffects | undefined {
  return scanStatements({ bytes: sql, start: 0, end: sql.length }, UNSAFE)
}

t.test('where a character may hold a quote or a backslash, every word counts', async (t) => {
  t.equal(brief("SELECT 'é'; UPDATE t SET a = 1", UNSAFE), undefined)
  t.strictSame(brief("SET a = 'x'", UNSAFE), set('a'))
  t.strictSame(brief("SELECT 'LISTEN é'; COMMIT", UNSAFE), undefined)
  t.ok(scan("SELECT 'é\\'; CLOSE a; LISTEN b", UNSAFE)?.makes.has('listen'))
  // SHIFT_JIS_2004 has another character in place of the backslash: E'\' is whole.
  t.ok(scan("SELECT E'\\'; LISTEN b; CLOSE c --'", UNSAFE)?.makes.has('listen'))
  // 表 in SJIS ends with a backslash: E'表' is whole, though its bytes look as if it went on.
  const hidden = Buffer.concat([
    Buffer.from("SELECT E'"),
    Buffer.from('955c', 'hex'),
    Buffer.from("'; SET a = 1; EXECUTE p; PREPARE q AS SELECT pg_advisory_lock(1) --'"),
  ])
  const effects = scanUnsafe(hidden)
  t.strictSame([...(effects?.makes ?? [])].sort(), ['advisoryLock', 'prepare', 'set'])
  t.equal(effects?.mayTouchAnySetting, true)
  t.equal(effects?.isOnlySettings, false)
})

t.test('bytes outside the text are not looked at', async (t) => {
  const bytes = Buffer.from("set a = 1; listen x';listen'")
  const at = (start: number, end: number) => scanStatements({ bytes, start, end }, PLAIN)
  t.equal(at(3, 9), undefined)
  t.strictSame([...(at(0, 9)?.makes ?? [])], ['set'])
  t.strictSame([...(at(11, 19)?.makes ?? [])], ['listen'])
  for (let end = 0; end <= bytes.length; end += 1) {
    const own = Buffer.from(bytes.subarray(0, end))
    t.strictSame(at(0, end), scanStatements({ bytes: own, start: 0, end }, PLAIN))
  }
})

t.test('texts made to cost much', async (t) => {
  const million = 1_000_000
  const texts = [
    ';/*'.repeat(million),
    'set_config('.repeat(million / 4),
    `select '${"''".repeat(million)}'; listen x`,
    `${"'a'\n".repeat(million)}; listen x`,
    'U&"a" UESCAPE '.repeat(million / 4),
    `select ${'$a '.repeat(million)}; listen x`,
    `/*${'/*'.repeat(million)}${'*/'.repeat(million)}*/ listen x`,
    `${'('.repeat(million)};listen x`,
  ]
  for (const text of texts) t.doesNotThrow(() => scan(text))
})
