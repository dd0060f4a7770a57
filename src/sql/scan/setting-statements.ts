import type { EffectsBuilder } from './effects-builder.ts'
import type { SqlLexer } from './sql-lexer.ts'
import { readSettingName } from './tenant-command.ts'

/** What SET or RESET names behind their own words, and whether a value follows. */
interface Target {
  /** The first word as a keyword, when it stands alone and no value follows. */
  readonly phrase: string
  readonly name: string
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
  ...['session', 'local', 'to', 'from', 'default', 'all', 'isolation'],
]

/** Reads a SET on from behind its first word, up to its value. */
export function readSet(lexer: SqlLexer, effects: EffectsBuilder): void {
  let isLocal = false
  let target = readTarget(lexer)
  while (target.phrase === 'session' || target.phrase === 'local') {
    isLocal ||= target.phrase === 'local'
    target = readTarget(lexer)
  }
  effects.name(target.name)
  if (isLocal) return
  const { phrase, name } = target
  const names = PHRASES[phrase] ?? [name]
  if (names.length === 0) return
  // Past `=`, TO or ZONE.
  if (phrase === '' || phrase === 'time') lexer.next()
  if (isDefault(lexer, phrase)) effects.reset(names)
  else effects.set(names)
}

/** Reads a RESET on from behind its first word. */
export function readReset(lexer: SqlLexer, effects: EffectsBuilder): void {
  if (lexer.keyword === 'all') {
    effects.resetAll()
    return
  }
  const { phrase, name } = readTarget(lexer)
  effects.name(name)
  if (phrase === 'session') effects.reset(SESSION_AUTHORIZATION)
  else effects.reset(PHRASES[phrase] ?? [name])
}

/** Reads a SHOW on from behind its first word. */
export function readShow(lexer: SqlLexer, effects: EffectsBuilder): void {
  effects.name(readTarget(lexer).name)
}

/** Reads a name with its dots, or the one word of a phrase. */
function readTarget(lexer: SqlLexer): Target {
  const { keyword } = lexer
  if (!lexer.isIdentifier) return { phrase: '', name: '' }
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
