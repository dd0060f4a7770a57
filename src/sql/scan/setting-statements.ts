import { readAssignedValue, VALUE_WORDS } from './assigned-value.ts'
import type { EffectsBuilder } from './effects-builder.ts'
import type { SqlLexer } from './sql-lexer.ts'
import { readSettingName } from './tenant-command.ts'

/** What SET or RESET names behind their own words, and whether a value follows. */
interface Target {
  /** The first word as a keyword, when it stands alone and no value follows. */
  readonly phrase: string
  /** `undefined`: there is none. */
  readonly name: string | undefined
}

const SESSION_AUTHORIZATION = ['session_authorization', 'role']

/** Settings behind the phrases of SET that have no `=`. */
const PHRASES: Readonly<Record<string, readonly string[]>> = {
  time: ['timezone'],
  names: ['client_encoding'],
  schema: ['search_path'],
  role: ['role'],
  authorization: SESSION_AUTHORIZATION,
  characteristics: [
    'default_transaction_isolation',
    'default_transaction_read_only',
    'default_transaction_deferrable',
  ],
  xml: ['xmloption'],
  transaction: [],
  constraints: [],
}

/** Words that are known to the lexer for these statements. */
export const SETTING_WORDS = [
  ...Object.keys(PHRASES),
  ...VALUE_WORDS,
  ...['session', 'local', 'to', 'from', 'all', 'isolation'],
]

/** Reads a SET on from behind its first word. */
export function readSet(lexer: SqlLexer, effects: EffectsBuilder): void {
  let isLocal = false
  let target = readTarget(lexer)
  while (target.phrase === 'session' || target.phrase === 'local') {
    isLocal ||= target.phrase === 'local'
    target = readTarget(lexer)
  }
  const { phrase, name = '' } = target
  effects.name(name)
  const names = PHRASES[phrase] ?? [name]
  if (names.length === 0) return
  const isCurrent = lexer.keyword === 'from'
  // Past `=`, TO or ZONE.
  if (phrase === '' || phrase === 'time') lexer.next()
  const isReset = isDefault(lexer, phrase)
  if (!isLocal && isReset) effects.reset(names)
  else if (!isLocal) effects.set(names)
  // Without a name it is no statement.
  if (target.name === undefined) return
  if (isReset) effects.assign(names[0], { kind: 'default' })
  else readValue(lexer, effects, { setting: names[0], isCurrent })
}

/** Reads a SET clause of a function, from its SET up to behind its value. */
export function readSetClause(lexer: SqlLexer, effects: EffectsBuilder): void {
  lexer.next()
  // The word before it was a name.
  if (lexer.keyword === 'set') return
  let target = readTarget(lexer)
  if (target.phrase === 'session') target = readTarget(lexer)
  const { phrase, name } = target
  const isNamed = isAssignment(lexer)
  const setting = isNamed ? name : PHRASES[phrase]?.[0]
  // Neither where that word was a name, nor where SET SCHEMA says where the function is to be.
  if (setting === undefined || (phrase === 'schema' && lexer.isIdentifier)) return
  const isCurrent = lexer.keyword === 'from'
  if (isNamed || phrase === 'time') lexer.next()
  // It takes the clause away.
  if (lexer.keyword === 'default') return
  readValue(lexer, effects, { setting, isCurrent })
}

function readValue(
  lexer: SqlLexer,
  effects: EffectsBuilder,
  { setting, isCurrent }: { readonly setting: string | undefined; readonly isCurrent: boolean },
): void {
  effects.assign(setting, isCurrent ? { kind: 'current' } : readAssignedValue(lexer, effects))
}

/** Reads a RESET on from behind its first word. */
export function readReset(lexer: SqlLexer, effects: EffectsBuilder): void {
  if (lexer.keyword === 'all') {
    effects.resetAll()
    return
  }
  const target = readTarget(lexer)
  const { phrase, name = '' } = target
  effects.name(name)
  const names = phrase === 'session' ? SESSION_AUTHORIZATION : (PHRASES[phrase] ?? [name])
  effects.reset(names)
  if (target.name !== undefined) effects.assign(names[0], { kind: 'default' })
}

/** Reads a SHOW on from behind its first word. */
export function readShow(lexer: SqlLexer, effects: EffectsBuilder): void {
  effects.name(readTarget(lexer).name ?? '')
}

/** Reads a name with its dots, or the one word of a phrase. */
function readTarget(lexer: SqlLexer): Target {
  const { keyword } = lexer
  if (!lexer.isIdentifier) return { phrase: '', name: undefined }
  const name = readSettingName(lexer)
  const isPhrase = keyword !== '' && keyword === name && !isAssignment(lexer)
  return { phrase: isPhrase ? keyword : '', name }
}

/** FROM CURRENT sets the setting to what it is. */
function isAssignment(lexer: SqlLexer): boolean {
  return lexer.isSymbol('=') || lexer.keyword === 'to' || lexer.keyword === 'from'
}

function isDefault(lexer: SqlLexer, phrase: string): boolean {
  if (lexer.keyword === 'default') return true
  return phrase === 'time' ? lexer.keyword === 'local' : phrase === 'names' && lexer.endsStatement
}
