import fc from 'fast-check'
import t from 'tap'
import type { StatementEffects } from '../../src/sql/scan/statement-effects.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'

const DIALECT = { backslashEscapes: false, hasUnsafeBytes: false }

function scan(sql: string): StatementEffects | undefined {
  const bytes = Buffer.from(sql)
  return scanStatements({ bytes, start: 0, end: bytes.length }, DIALECT)
}

/** Effects as one sorted list of words, `all` in place of names. */
function list(effects: StatementEffects | undefined): readonly string[] {
  if (effects === undefined) return []
  const { resets, deallocates } = effects
  return [
    ...[...effects.makes].map((kind) => `makes ${kind}`),
    ...[...effects.undoes].map((kind) => `undoes ${kind}`),
    ...effects.settings.map((name) => `setting ${name}`),
    ...(effects.mayTouchAnySetting ? ['any setting'] : []),
    ...(resets === 'all' ? ['resets all'] : resets.map((name) => `resets ${name}`)),
    ...(deallocates === 'all' ? ['forgets all'] : deallocates.map((name) => `forgets ${name}`)),
    ...effects.executes.map((name) => `executes ${name}`),
  ].sort()
}

/** Tokens by spaces, so that anything blank may stand between them. */
const STATEMENTS: readonly (readonly [string, readonly string[]])[] = [
  ['select 1 + 2', []],
  ["insert into t ( a ) values ( 'x' ) on conflict do update set a = 2", []],
  ['update t set temp = 3', []],
  ['begin', []],
  ['set local a = 1', []],
  ['set transaction read only', []],
  ["prepare transaction 'x'", []],
  ["select set_config ( 'a' , 'b' , true )", []],
  ["select pg_advisory_xact_lock ( 1 ) , 'set_config(1)'", []],
  ['set session a . b = 1', ['makes set', 'setting a.b']],
  ['set c to default', ['resets c', 'setting c', 'undoes set']],
  ['reset d', ['resets d', 'setting d', 'undoes set']],
  ['reset all', ['resets all', 'undoes set']],
  ["set time zone 'UTC'", ['makes set', 'setting timezone']],
  ["select f ( set_config ( 'e' , 'x' , false ) )", ['makes set', 'setting e']],
  ['select pg_catalog . "set_config" ( $1 , $2 , $3 )', ['any setting', 'makes set']],
  ['listen g', ['makes listen']],
  ['unlisten *', ['undoes listen']],
  ['prepare p as select 1', ['makes prepare']],
  ['execute p ( 1 )', ['executes p']],
  ['deallocate prepare p', ['forgets p', 'undoes prepare']],
  ['create local temp table t ( a int )', ['makes temp']],
  ['select 1 as a into temporary t', ['makes temp']],
  ['select * from "pg_temp" . t', ['makes temp']],
  ['declare c scroll cursor with hold for select 1', ['makes hold']],
  ['close c', ['undoes hold']],
  ['select pg_try_advisory_lock ( 1 )', ['makes advisoryLock']],
  ['with w as ( select pg_advisory_unlock_all ( ) ) select 1', ['undoes advisoryLock']],
  ['do $$begin end$$', ['any setting', 'makes code']],
]
const SUSPICIOUS = STATEMENTS.filter(([, effects]) => effects.length > 0).map(([sql]) => sql)

const blank = fc.constantFrom(
  ' ',
  '\n',
  '\t\r\f',
  ' /* ; listen x */ ',
  '/*/* set */; */',
  '-- ; listen \'"$$ x\n',
  '--\r',
)

/** Letters in any case, outside quotes. */
function withCase(sql: string, isUpper: readonly boolean[]): string {
  let isQuoted = false
  let index = 0
  return sql.replace(/./g, (character) => {
    if (/['"$]/.test(character)) isQuoted = !isQuoted
    index += 1
    return !isQuoted && isUpper[index % isUpper.length] ? character.toUpperCase() : character
  })
}

const statement = fc
  .tuple(
    fc.constantFrom(...STATEMENTS),
    fc.array(blank, { minLength: 1, maxLength: 6 }),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
  )
  .map(([[sql, effects], blanks, isUpper]) => {
    let count = 0
    const spaced = withCase(sql, isUpper).replaceAll(' ', () => {
      count += 1
      return blanks[count % blanks.length] ?? ' '
    })
    return { sql: (blanks[0] ?? '') + spaced + (blanks.at(-1) ?? ''), effects }
  })

function union(all: readonly (readonly string[])[]): readonly string[] {
  const words = [...new Set(all.flat())].sort()
  return words.filter((word) => !(word.startsWith('resets ') && isCovered(word, words)))
}

function isCovered(word: string, words: readonly string[]): boolean {
  return word !== 'resets all' && words.includes('resets all')
}

t.test('statements do together what each does, whatever stands between their words', async (t) => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 5 }), (statements) => {
      const effects = list(scan(statements.map(({ sql }) => sql).join(';')))
      for (const effect of effects) seen.add(effect)
      t.strictSame(effects, union(statements.map((one) => one.effects)))
    }),
    { numRuns: 3000 },
  )
  t.strictSame(
    [...seen].sort(),
    [...new Set(STATEMENTS.flatMap(([, effects]) => effects))].sort(),
    'every effect came up',
  )
})

const QUOTES: readonly ((text: string) => string)[] = [
  (text) => `'${text.replaceAll("'", "''")}'`,
  (text) => `n'${text.replaceAll("'", "''")}'`,
  (text) => `E'\\'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}\\''`,
  (text) => `E'x'\n'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}\\''`,
  (text) => `u&'${text.replaceAll("'", "''")}'`,
  (text) => `"${text.replaceAll('"', '""')}"`,
  (text) => `$q$${text}$q$`,
  (text) => `/*${text}*/`,
  (text) => `--${text.replaceAll(/[\n\r]/g, ' ')}\n`,
]

t.test('what stands in quotes and comments does nothing', async (t) => {
  const quoted = fc
    .tuple(fc.constantFrom(...QUOTES), fc.constantFrom(...SUSPICIOUS), fc.constantFrom('', ';'))
    .map(([quote, sql, before]) => quote(`${before} ${sql} ;${sql}`))
  fc.assert(
    fc.property(fc.array(quoted, { minLength: 1, maxLength: 4 }), statement, (texts, last) => {
      const sql = `select ${texts.join(' , ')} , 1`
      t.equal(scan(sql), undefined, sql)
      t.strictSame(list(scan(`${sql};${last.sql}`)), last.effects)
    }),
    { numRuns: 2000 },
  )
})

t.test('any bytes are taken', async (t) => {
  const piece = fc.oneof(
    fc.constantFrom(...`'"$\\;:(),.-/*&eEuUnNbBxX1 \n`, '$$', '/*', '--', 'uescape', 'set'),
    fc.constantFrom(...SUSPICIOUS, 'set_config(', 'é'),
    fc.string({ unit: 'binary' }),
  )
  const dialect = fc.record({ backslashEscapes: fc.boolean(), hasUnsafeBytes: fc.boolean() })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), dialect, (pieces, dialect) => {
      const bytes = Buffer.from(`set a = 1;${pieces.join('')}`)
      const effects = scanStatements({ bytes, start: 0, end: bytes.length }, dialect)
      t.ok(effects?.makes.has('set'))
    }),
    { numRuns: 3000 },
  )
})
