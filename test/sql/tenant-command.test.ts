import fc from 'fast-check'
import t from 'tap'
import type { SqlText } from '../../src/sql/scan/statement-effects.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import { isNoCommand, readTenantCommand } from '../../src/sql/scan/tenant-command.ts'
import { mayNameTenant } from '../../src/sql/scan/tenant-mention.ts'

const PLAIN = { backslashEscapes: false, hasUnsafeBytes: false }

/** Somewhere in a chunk. */
function textOf(sql: string): SqlText {
  const bytes = Buffer.from(`Q....${sql}\0SET pgusher.tenant = 'behind'`)
  return { bytes, start: 5, end: 5 + Buffer.byteLength(sql) }
}

function read(sql: string) {
  return readTenantCommand(textOf(sql))
}

function namesTenant(sql: string): boolean {
  return scanStatements(textOf(sql), PLAIN)?.namesTenant === true
}

const GLOBEX = { kind: 'switch', tag: 'SET', tenant: 'globex' } as const
const COMMANDS = [
  { sql: "SET pgusher.tenant = 'globex'", expects: GLOBEX },
  { sql: "SET pgusher.tenant='globex';", expects: GLOBEX },
  { sql: 'set Pgusher.TENANT to globex ; ;', expects: GLOBEX },
  { sql: `SET SESSION "pgusher"."tenant" TO "globex"`, expects: GLOBEX },
  { sql: `SET "pgusher.tenant" = E'globex'`, expects: GLOBEX },
  { sql: `SET U&"pg\\0075sher".tenant = 'globex'`, expects: GLOBEX },
  { sql: 'SET pgusher.tenant = $$globex$$', expects: GLOBEX },
  {
    sql: "/* a /* b */ */ -- c\nSET\tpgusher . tenant\n=\r'globex' -- d",
    expects: GLOBEX,
  },
  {
    sql: `SET pgusher.tenant = 'it''s; -- "none"'`,
    expects: { ...GLOBEX, tenant: `it's; -- "none"` },
  },
  { sql: 'SET pgusher.tenant = Globex', expects: GLOBEX },
  { sql: 'SET pgusher.tenant TO DEFAULT', expects: { ...GLOBEX, tenant: undefined } },
  { sql: 'RESET pgusher.tenant', expects: { kind: 'switch', tag: 'RESET', tenant: undefined } },
  { sql: 'show pgusher.tenant;', expects: { kind: 'show' } },
]

for (const { sql, expects } of COMMANDS) {
  t.test(JSON.stringify(sql), async (t) => {
    t.strictSame(read(sql), expects)
    t.ok(namesTenant(sql))
  })
}

/** They name the tenant, but not as one statement that can be acted on. */
const MISPLACED = [
  "SET LOCAL pgusher.tenant = 'globex'",
  "SET pgusher.tenant = 'globex'; SELECT 1",
  "SELECT 1; SET pgusher.tenant = 'globex'",
  "; SET pgusher.tenant = 'globex'",
  "BEGIN; SET LOCAL pgusher.tenant TO 'globex'; COMMIT",
  "SET pgusher.tenant = 'globex', 'hooli'",
  "SET pgusher.tenant = E'glo\\142ex'",
  'SET pgusher.tenant = 42',
  'SET pgusher.tenant FROM CURRENT',
  'SELECT 1; RESET pgusher.tenant',
  'SHOW pgusher.tenant; SELECT 1',
  "SELECT set_config('pgusher.tenant', 'globex', false)",
  "SELECT pg_catalog.set_config('PgUsher.Tenant', $1, true)",
]

for (const sql of MISPLACED) {
  t.test(`misplaced: ${sql}`, async (t) => {
    t.equal(read(sql), undefined)
    t.ok(namesTenant(sql))
    t.ok(mayNameTenant(textOf(sql)))
  })
}

/** Nothing of the proxy's. */
const OTHERS = [
  '',
  'SET',
  'SHOW',
  'SELECT 1',
  "SET pgusher.tenants = 'globex'",
  "SET pgusher = 'globex'",
  "SET tenant = 'globex'",
  "SET a.pgusher.tenant = 'globex'",
  "SET_ pgusher.tenant = 'globex'",
  "resets pgusher.tenant = 'globex'",
  "SET work_mem = 'pgusher.tenant'",
  `SELECT 'SET pgusher.tenant = globex'`,
  "-- SET pgusher.tenant = 'globex'",
  "UPDATE pgusher.tenant SET a = 'globex'",
  'SHOW ALL',
  'RESET ALL',
]

for (const sql of OTHERS) {
  t.test(`another: ${sql}`, async (t) => {
    t.equal(read(sql), undefined)
    t.notOk(namesTenant(sql))
  })
}

/** A word in any case. */
function anyCase(word: string): fc.Arbitrary<string> {
  const letters = Array.from(word, (letter) => fc.constantFrom(letter, letter.toUpperCase()))
  return fc.tuple(...letters).map((chosen) => chosen.join(''))
}

const BLANK = fc.constantFrom(' ', '\n', '\t \r', ' -- x\n', '/* ; */', '/* /* */ \' " */', '\f')
const OPTIONAL = fc.oneof(fc.constant(''), BLANK)
const NAME = fc
  .stringMatching(/^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/)
  .filter((name) => name.length > 0)

function quotable(word: string): fc.Arbitrary<string> {
  return fc.oneof(
    anyCase(word),
    anyCase(word).map((spelled) => `"${spelled}"`),
  )
}

const SPELLED = fc
  .record({
    blanks: fc.array(OPTIONAL, { minLength: 8, maxLength: 8 }),
    gap: BLANK,
    verb: anyCase('set'),
    session: fc.oneof(
      fc.constant(''),
      fc.tuple(anyCase('session'), BLANK).map((parts) => parts.join('')),
    ),
    first: quotable('pgusher'),
    second: quotable('tenant'),
    assign: fc.oneof(
      fc.constant('='),
      fc.tuple(BLANK, anyCase('to'), BLANK).map((parts) => parts.join('')),
    ),
    end: fc.constantFrom('', ';', ' ; ;'),
    name: NAME,
    quotes: fc.constantFrom("'", "E'", '"'),
  })
  .map(({ blanks, gap, verb, session, first, second, assign, end, name, quotes }) => {
    const value = `${quotes}${name}${quotes.at(-1)}`
    const [a, b, c, d, e, f] = blanks
    const sql = `${a}${verb}${gap}${session}${first}${b}.${c}${second}${d}${assign}${e}${value}${f}${end}`
    return { sql, name }
  })

t.test('every spelling is recognised', async () => {
  const property = fc.property(SPELLED, ({ sql, name }) => {
    const command = read(sql)
    return command?.kind === 'switch' && command.tenant === name && namesTenant(sql)
  })
  fc.assert(property, { numRuns: 1_000 })
})

t.test('what is recognised is seen by the scan, whatever the text', async () => {
  const piece = fc.constantFrom(
    ...['set', 'show', 'reset', 'pgusher', '.', 'tenant', '=', 'to', "'x'", ';', ' ', 'local'],
    ...['"', "'", '--', '/*', '*/', '\n', 'default', '$$', 'session', 'U&"', '\\0041'],
  )
  const property = fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
    const sql = pieces.join('')
    return read(sql) === undefined || namesTenant(sql)
  })
  fc.assert(property, { numRuns: 5_000 })
})

t.test('what looks like no command is none', async (t) => {
  for (const { sql } of COMMANDS) {
    const { bytes, start } = textOf(sql)
    t.equal(isNoCommand(bytes, start), false)
  }
  t.ok(isNoCommand(Buffer.from('SELECT 1'), 0))
  const property = fc.property(SPELLED, ({ sql }) => !isNoCommand(Buffer.from(sql), 0))
  fc.assert(property)
})

t.test('the word is found wherever it stands', async () => {
  const property = fc.property(
    fc.string(),
    anyCase('pgusher'),
    fc.string(),
    (before, word, behind) => mayNameTenant(textOf(before + word + behind)),
  )
  fc.assert(property)
  const none = fc.property(fc.string(), (text) => {
    return mayNameTenant(textOf(text)) === /pgusher/i.test(text)
  })
  fc.assert(none)
})
