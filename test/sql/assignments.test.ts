import t from 'tap'
import type { SqlDialect, StatementEffects } from '../../src/sql/scan/statement-effects.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'

const PLAIN: SqlDialect = { backslashEscapes: false, hasUnsafeBytes: false }

function scan(sql: string | Buffer, dialect: Partial<SqlDialect> = {}) {
  const bytes = Buffer.from(sql)
  return scanStatements({ bytes, start: 0, end: bytes.length }, { ...PLAIN, ...dialect })
}

/** Each assignment once, as `name=value`: names by `|`, a text in quotes. */
function told(effects: StatementEffects | undefined): readonly string[] {
  const lines = (effects?.assignments ?? []).map(({ name = '?', value }) => {
    if (value.kind === 'names') return `${name}=${value.names.join('|')}`
    return `${name}=${value.kind === 'text' ? `'${value.text}'` : `<${value.kind}>`}`
  })
  return [...new Set(lines)]
}

const ASSIGNMENTS: readonly (readonly [string, ...string[]])[] = [
  ['SET search_path TO a, "B", \'c\'', 'search_path=a|B|c'],
  ['SET search_path = a,b;', 'search_path=a|b'],
  ['SET LOCAL search_path = A', 'search_path=a'],
  ["SET SESSION search_path = 'a, b'", 'search_path=a, b'],
  ["SET search_path = ''", 'search_path='],
  ['SET search_path = DEFAULT', 'search_path=<default>'],
  ['SET LOCAL search_path TO DEFAULT', 'search_path=<default>'],
  ['SET search_path FROM CURRENT', 'search_path=<current>'],
  ['SET "Search_Path" = a', 'search_path=a'],
  ['SET U&"search\\005fpath" = a', 'search_path=a'],
  ["SET search_path = E'a'", 'search_path=a'],
  ["SET search_path = E'\\141'", 'search_path=<unknown>'],
  ["SET search_path = U&'a'", 'search_path=a'],
  ["SET search_path = U&'!0061' UESCAPE '!'", 'search_path=<unknown>'],
  ["SET search_path = a, U&'!0061' UESCAPE '!', b", 'search_path=<unknown>'],
  ["SET search_path = U&'\\0061'", 'search_path=<unknown>'],
  ['SET search_path = U&"\\0061"', 'search_path=a'],
  ['SET search_path = U&"!0061" UESCAPE \'!\'', 'search_path=a'],
  ['SET search_path = U&"!0061" UESCAPE E\'\\041\'', 'search_path=<unknown>'],
  ["SET search_path = 'a'\n'b'", 'search_path=<unknown>'],
  ['SET search_path = $$a$$, $x$b$x$', 'search_path=a|b'],
  ["SET search_path = 'ä'", 'search_path=<unknown>'],
  ['SET search_path = ä', 'search_path=<unknown>'],
  ['SET search_path = $1', 'search_path=<unknown>'],
  ['SET search_path = 1.50', 'search_path=<unknown>'],
  ['SET search_path = "it""s"', 'search_path=it"s'],
  [`SET search_path = '${'a'.repeat(5000)}'`, 'search_path=<unknown>'],
  [`SET search_path = ${'a, '.repeat(80)} a`, 'search_path=<unknown>'],
  ['/* x */ SET -- y\n search_path /**/ = /**/ a /**/ , /**/ b', 'search_path=a|b'],
  ["SET SCHEMA 'x'", 'search_path=x'],
  ["SET LOCAL SCHEMA 'x'", 'search_path=x'],
  ['SET app.tenant_id = 42', 'app.tenant_id=42'],
  ['SET app . "Tenant_Id" TO \'42\'', 'app.tenant_id=42'],
  ['SET "app.tenant_id" = 042', 'app.tenant_id=<unknown>'],
  ['SET app.tenant_id = -1', 'app.tenant_id=<unknown>'],
  [`SET a.${'b'.repeat(70)} = 1`, '?=1'],
  ['SET U&"!0072ole" UESCAPE E\'\\041\' = x', '?=<unknown>'],
  ['SET ROLE x', 'role=x'],
  ['SET ROLE "X"', 'role=X'],
  ["SET SESSION ROLE 'x'", 'role=x'],
  ['SET LOCAL ROLE x', 'role=x'],
  ['SET ROLE NONE', 'role=none'],
  ['SET role = x', 'role=x'],
  ['SET role TO DEFAULT', 'role=<default>'],
  ['SET SESSION AUTHORIZATION x', 'session_authorization=x'],
  ['SET SESSION AUTHORIZATION DEFAULT', 'session_authorization=<default>'],
  ['SET LOCAL SESSION AUTHORIZATION x', 'session_authorization=x'],
  ['SET session_authorization = x', 'session_authorization=x'],
  ['RESET search_path', 'search_path=<default>'],
  ['RESET "ROLE"', 'role=<default>'],
  ['RESET ROLE', 'role=<default>'],
  ['RESET SESSION AUTHORIZATION', 'session_authorization=<default>'],
  ['RESET a.b', 'a.b=<default>'],
  ['SET sort_mem = 1', 'work_mem=1'],
  ['SET TIME ZONE LOCAL', 'timezone=<default>'],
  ['BEGIN; SET LOCAL a = 1; SET b TO 2, 3', 'a=1', 'b=2|3'],

  ["SELECT set_config('search_path', '', false)", "search_path=''"],
  ["SELECT pg_catalog.set_config('Search_Path', 'a, b', true)", "search_path='a, b'"],
  ["SELECT \"set_config\"('a', 'b'::text, $1)", "a='b'"],
  ["SELECT set_config('a', $1, true)", 'a=<unknown>'],
  ["SELECT set_config('a', 'b' || 'c', true)", 'a=<unknown>'],
  ["SELECT set_config('a', U&'!0061' UESCAPE '!', true)", 'a=<unknown>'],
  ["SELECT set_config('a', NULL, true)", 'a=<unknown>'],
  ["SELECT set_config(lower('A'), 'b', true)", "?='b'"],
  ['SELECT set_config($1, $2, true)', '?=<unknown>'],
  ["SELECT set_config(E'\\141', 'b', true)", "?='b'"],
  ["SELECT set_config('a', set_config('b', 'c', true), true)", "b='c'", 'a=<unknown>'],
  ["EXPLAIN ANALYZE SELECT set_config('a', 'b', true)", "a='b'"],
  ["PREPARE p AS SELECT set_config('a', 'b', true)", "a='b'"],
  ["WITH w AS (SELECT set_config('a', 'b', true)) SELECT 1", "a='b'"],
  ["CREATE VIEW v AS SELECT set_config('a', 'b', true)", "a='b'"],
  ["CREATE RULE r AS ON INSERT TO t DO ALSO SELECT set_config('a', 'b', true)", "a='b'"],
  ['CREATE AGGREGATE evil(text, bool) (sfunc = set_config, stype = text)', '?=<unknown>'],
  ['CREATE CAST (a AS b) WITH FUNCTION set_config(text, text, bool)', '?=<unknown>'],
  ["SELECT set_config(name, 'b', false) FROM pg_settings WHERE name = 'A'", "a='b'"],
  [
    'select set_config("name", $1, $2) from pg_catalog."pg_settings" where name=\'a\';',
    'a=<unknown>',
  ],
  ["SELECT set_config(name, 'b', true) FROM pg_settings", "?='b'"],
  ["SELECT set_config(name, 'b', true) FROM pg_settings WHERE name = 'a' OR true", "?='b'"],
  ["SELECT set_config(name, 'b', true) FROM pg_settings WHERE name = U&'!' UESCAPE 'a'", "?='b'"],
  ["SELECT set_config(name, 'b', true) FROM pg_settings WHERE name = E'\\141'", "?='b'"],
  ["SELECT set_config(name, 'b', true) FROM t WHERE name = 'a'", "?='b'"],
  ["SELECT set_config(name || 'x', 'b', true) FROM pg_settings WHERE name = 'a'", "?='b'"],
  [
    "SELECT set_config(name, 'b', true), set_config(name, 'c', true) FROM pg_settings WHERE name = 'a'",
    "?='b'",
    "a='c'",
  ],
  [
    "SELECT set_config('d', set_config(name, 'b', true), true) FROM pg_settings WHERE name = 'a'",
    "?='b'",
    'd=<unknown>',
  ],

  ["UPDATE pg_settings SET setting = 'x'", '?=<unknown>'],
  ['update only pg_catalog . "pg_settings" set setting = \'x\'', '?=<unknown>'],
  ["UPDATE ONLY (pg_settings) SET setting = 'x'", '?=<unknown>'],
  ['WITH u AS (UPDATE U&"pg\\005fsettings" SET setting = 1) SELECT 1', '?=<unknown>'],
  ['EXPLAIN ANALYZE UPDATE pg_settings SET setting = 1', '?=<unknown>'],
  ['UPDATE t SET x = (SELECT setting FROM pg_settings LIMIT 1)'],
  ['UPDATE t SET x = 1 FROM pg_settings'],
  ['SELECT * FROM pg_settings FOR UPDATE OF pg_settings'],
  ['SELECT * FROM pg_settings'],

  ['CREATE FUNCTION f() RETURNS int SET search_path = a, b AS $$x$$', 'search_path=a|b'],
  ["CREATE OR REPLACE PROCEDURE f() SET role TO x LANGUAGE sql AS ''", 'role=x'],
  ["CREATE FUNCTION f(a int DEFAULT (1)) SET a.b FROM CURRENT AS ''", 'a.b=<current>'],
  ["CREATE FUNCTION f() RETURNS set SET role = x AS ''", 'role=x'],
  ["CREATE FUNCTION f() RETURNS set LANGUAGE set SET role = x AS ''", 'role=x'],
  ["CREATE FUNCTION set(set int) RETURNS int SET ROLE x AS ''", 'role=x'],
  ["CREATE FUNCTION f() RETURNS int SET a = set SET role = x AS ''", 'a=set', 'role=x'],
  ["CREATE FUNCTION return() RETURNS atomic SET SCHEMA 'x' AS ''", 'search_path=x'],
  ["CREATE FUNCTION f() SET SESSION AUTHORIZATION x AS ''", 'session_authorization=x'],
  ['CREATE FUNCTION f() RETURNS int SET a = DEFAULT RETURN 1'],
  ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC UPDATE t SET role = 1; END'],
  ['CREATE FUNCTION f() RETURNS TABLE (role int) AS $$ SET role = x $$'],
  ['ALTER FUNCTION f(int) SET search_path = a RESTRICT', 'search_path=a'],
  ['ALTER ROUTINE a.f STABLE SET role = x', 'role=x'],
  ['ALTER FUNCTION f RESET role'],
  ['ALTER FUNCTION f SET SCHEMA other'],
  ['ALTER TABLE function SET SCHEMA other'],
  ['ALTER TABLE t ALTER function SET DEFAULT 1'],

  ['RESET ALL'],
  ['DISCARD ALL'],
  ['SET TRANSACTION READ ONLY'],
  ['SET CONSTRAINTS ALL DEFERRED'],
  ['UPDATE t SET role = 1'],
  ['SET'],
  ['SET 5'],
]
for (const [sql, ...expected] of ASSIGNMENTS) {
  t.test(`assigns: ${sql.slice(0, 100)}`, async (t) => t.strictSame(told(scan(sql)), expected))
}

t.test('where backslashes may escape, the text is read in both ways', async (t) => {
  const hidden = "SELECT '\\''; SET role = x; --'"
  for (const backslashEscapes of [false, true]) {
    const effects = scan(hidden, { backslashEscapes })
    t.strictSame(told(effects), ['role=x'])
    t.equal(effects?.isLasting ?? false, backslashEscapes, 'what it leaves is read in one')
  }
})

const ALTERS = [
  'ALTER ROLE a SET search_path = b',
  'ALTER ROLE ALL IN DATABASE a SET b = c',
  'alter /* */ user a SET b = c',
  'ALTER USER mapping SET b = c',
  'ALTER USER mapping',
  'ALTER GROUP a ADD USER b',
  'ALTER DATABASE a RESET ALL',
  'ALTER SYSTEM SET b = c',
  'SELECT 1; ALTER SYSTEM RESET ALL',
]
const ALTERS_NOTHING_SHARED = [
  "ALTER USER MAPPING FOR a SERVER b OPTIONS (SET c 'd')",
  'ALTER TABLE t ALTER role SET NOT NULL',
  'ALTER TABLE role ADD database int',
  'ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b',
  'CREATE ROLE a',
  "SELECT 'ALTER ROLE a'",
]
t.test('alters what is shared', async (t) => {
  for (const sql of ALTERS) t.equal(scan(sql)?.altersShared, true, sql)
  for (const sql of ALTERS_NOTHING_SHARED) t.not(scan(sql)?.altersShared, true, sql)
})

t.test('names that can not be read', async (t) => {
  const hidden = 'SELECT U&"!0073et_config" UESCAPE E\'\\041\' (1)'
  t.equal(scan(hidden)?.hidesNames, true)
  t.equal(scan('SELECT U&"\\0061"')?.hidesNames, undefined)
  t.equal(scan('SELECT U&"!0061" UESCAPE \'!\'; SET a = 1')?.hidesNames, false)
})

t.test('what ends with its transaction leaves nothing', async (t) => {
  for (const sql of [
    'SET LOCAL a = 1',
    "SELECT set_config('a', 'b', true)",
    'ALTER ROLE a SET b = c',
  ]) {
    t.equal(scan(sql)?.isLasting, false, sql)
  }
  for (const sql of ['SET a = 1', 'LISTEN x', 'RESET a']) t.equal(scan(sql)?.isLasting, true, sql)
  t.equal(scan('ALTER TABLE t ADD a int'), undefined)
})

t.test('of a text that can not be cut, each word counts', async (t) => {
  const rows = [
    { words: 'set', told: ['?=<unknown>'], alters: false, hides: false },
    { words: 'alter x role', told: [], alters: true, hides: false },
    { words: 'update pg_settings', told: ['?=<unknown>'], alters: false, hides: false },
    { words: 'from pg_settings', told: [], alters: false, hides: false },
    { words: 'U&"x"', told: [], alters: false, hides: true },
  ]
  for (const { words, told: expected, alters, hides } of rows) {
    const bytes = Buffer.concat([
      Buffer.from("listen a; select '"),
      Buffer.from([0x95, 0x5c]),
      Buffer.from(` ${words}'`),
    ])
    const effects = scan(bytes, { hasUnsafeBytes: true })
    t.strictSame(told(effects), expected, words)
    t.equal(effects?.altersShared, alters, words)
    t.equal(effects?.hidesNames, hides, words)
  }
})
