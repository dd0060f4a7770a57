import fc from 'fast-check'
import pg from 'pg'
import t, { type Test } from 'tap'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import { parseSearchPath } from '../../src/sql/search-path.ts'
import { guardRefusal } from '../../src/tenancy/guard.ts'
import { type GuardedPlace, isInside } from '../../src/tenancy/guarded-place.ts'
import { startPostgres } from '../support/postgres.ts'

const PLACE: GuardedPlace = {
  schemas: ['tenant_a', 'More'],
  setting: 'app.tenant_id',
  value: '42',
  role: undefined,
  tokenStart: undefined,
}
const FOUND = `select current_setting('search_path') as path, current_setting('role') as role,
  session_user::text as login, current_setting('app.tenant_id', true) as id`

/** All in one text, so that each statement is read in the same dialect. */
function isRefused(sql: string, backslashEscapes: boolean): boolean {
  const bytes = Buffer.from(sql)
  const dialect = { backslashEscapes, hasUnsafeBytes: false }
  const effects = scanStatements({ bytes, start: 0, end: bytes.length }, dialect)
  return effects !== undefined && guardRefusal(effects, PLACE) !== undefined
}

/** A text, as each kind of literal puts it. */
const LITERALS: readonly ((text: string) => string)[] = [
  (text) => `'${text.replaceAll("'", "''")}'`,
  (text) => `E'${escaped(text, '\\x', 2)}'`,
  (text) => `e'${text.replaceAll("'", "\\'")}'`,
  (text) => `U&'${escaped(text, '\\', 4)}'`,
  (text) => `U&'${escaped(text, '!', 4)}' UESCAPE '!'`,
  (text) => `$$${text}$$`,
  (text) => `$q$${text}$q$`,
  (text) => `'${text.slice(0, 2)}'\n '${text.slice(2)}'`,
  (text) => `'${text}'::text`,
]
/** A name, as each kind of identifier puts it. */
const NAMES: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => `"${name}"`,
  (name) => `U&"${escaped(name, '\\', 4)}"`,
  (name) => `U&"${escaped(name, '!', 4)}" UESCAPE '!'`,
]
function escaped(text: string, mark: string, digits: number): string {
  return text.replace(/[a-z]/, (letter) => {
    return mark + letter.charCodeAt(0).toString(16).padStart(digits, '0')
  })
}

const VALUES = ['tenant_a', 'tenant_b', 'More', 'more', 'guest', 'none', '42', '43', '', 'public']
const SETTINGS = ['search_path', 'role', 'session_authorization', 'app.tenant_id', 'work_mem']
const literal = fc
  .tuple(fc.constantFrom(...LITERALS), fc.constantFrom(...VALUES))
  .map(([put, value]) => put(value))
const name = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom('tenant_a', 'tenant_b', 'guest', 'none'))
  .map(([put, value]) => put(value))
const value = fc.oneof(literal, name, fc.constantFrom('42', '43', 'DEFAULT', '043'))
const setting = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...SETTINGS))
  .map(([put, named]) => named.split('.').map(put).join('.'))
const blank = fc.constantFrom(' ', '/**/', '\n', ' -- ;\n')
const scope = fc.constantFrom('', 'SESSION', 'LOCAL')
const set = fc
  .tuple(
    scope,
    setting,
    fc.constantFrom('=', 'TO'),
    fc.array(value, { minLength: 1, maxLength: 2 }),
  )
  .map(([where, named, sign, values]) => ['SET', where, named, sign, values.join(' , ')])
const phrase = fc
  .tuple(scope, fc.constantFrom('ROLE', 'SESSION AUTHORIZATION', 'SCHEMA'), value)
  .map(([where, words, one]) => ['SET', where, words, one])
const call = fc
  .tuple(
    fc.constantFrom('set_config', 'pg_catalog."set_config"', 'U&"\\0073et_config"'),
    fc.tuple(fc.constantFrom(...LITERALS), fc.constantFrom(...SETTINGS)),
    literal,
    fc.boolean(),
  )
  .map(([callee, [put, named], text, isLocal]) => [
    'SELECT',
    callee,
    '(',
    put(named),
    ',',
    text,
    ',',
    String(isLocal),
    ')',
  ])
const other = fc.constantFrom(
  ['RESET', 'ALL'],
  ['RESET', 'search_path'],
  ['RESET', 'ROLE'],
  ['SELECT', "'\\'"],
  ['SELECT', "'\\'';"],
  ['SELECT', "'; --'"],
  ["UPDATE pg_settings SET setting = 'tenant_b' WHERE name = 'search_path'"],
  ["SELECT count(*) FROM pg_settings WHERE name = 'set_config('"],
)
const statement = fc
  .tuple(fc.oneof(set, phrase, call, other), blank)
  .map(([words, between]) => words.filter((word) => word !== '').join(between))
const text = fc
  .array(statement, { minLength: 1, maxLength: 3 })
  .map((statements) => statements.join(';'))

/** Whether the session is still in its place; `undefined` when the server refused the text. */
async function isInPlace(client: pg.Client, sql: string): Promise<boolean | undefined> {
  await client.query('BEGIN')
  try {
    await client.query(sql)
    const { path, role, login, id } = (await client.query(FOUND)).rows[0]
    const schemas = parseSearchPath(path)
    const isHome = schemas !== undefined && isInside(PLACE, schemas)
    return isHome && role === 'none' && login === 'postgres' && ['', '42', null].includes(id)
  } catch {
    return undefined
  } finally {
    await client.query('ROLLBACK')
  }
}

async function check(t: Test, client: pg.Client, backslashEscapes: boolean): Promise<void> {
  await client.query(`SET standard_conforming_strings = ${backslashEscapes ? 'off' : 'on'}`)
  const counts = { refused: 0, passed: 0, left: 0 }
  const property = fc.asyncProperty(text, async (sql) => {
    const isHome = await isInPlace(client, sql)
    if (isHome === undefined) return
    // Read as it is run, and as it would have been read before the dialect was changed.
    for (const escapes of [backslashEscapes, !backslashEscapes]) {
      const refused = isRefused(sql, escapes)
      counts[refused ? 'refused' : 'passed'] += 1
      if (!isHome) counts.left += 1
      t.ok(isHome || refused, JSON.stringify(sql))
    }
  })
  await fc.assert(property, { numRuns: 1500 })
  t.ok(counts.passed > 100 && counts.left > 100, JSON.stringify(counts))
}

for (const major of [15, 18] as const) {
  t.test(`no text that passes leaves the place, on Postgres ${major}`, async (t) => {
    const server = await startPostgres({ major })
    t.teardown(() => server.stop())
    const client = new pg.Client({
      connectionString: server.url('postgres'),
      options: '-c search_path=pg_catalog -c app.tenant_id=',
    })
    await client.connect()
    await client.query('CREATE ROLE guest; CREATE ROLE tenant_b')
    await client.query('SET escape_string_warning = off')
    for (const backslashEscapes of [false, true]) await check(t, client, backslashEscapes)
    await client.end()
  })
}
