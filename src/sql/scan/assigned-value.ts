import type { EffectsBuilder } from './effects-builder.ts'
import { TEMP_SCHEMA } from './session-words.ts'
import type { SqlLexer } from './sql-lexer.ts'
import type { AssignedValue } from './statement-effects.ts'

/** Words of values that are known to the lexer. */
export const VALUE_WORDS = ['default', 'current', 'uescape']

const UNKNOWN: AssignedValue = { kind: 'unknown' }
/** Longer texts and lists are not kept. */
const MAX_CHARACTERS = 4_096
const MAX_NAMES = 64
const PLAIN_TEXT = /^[\x20-\x7e]*$/
/** A number that the server writes as the client did. */
const PLAIN_NUMBER = /^(?:0|[1-9][0-9]{0,8})$/

/** @param text - `undefined` when it is none that stands in the text. */
export function assignedText(text: string | undefined): AssignedValue {
  return isPlain(text) ? { kind: 'text', text } : UNKNOWN
}

/** Reads the value of SET, from its first token up to behind its last. */
export function readAssignedValue(lexer: SqlLexer, effects: EffectsBuilder): AssignedValue {
  if (lexer.keyword === 'default') return { kind: 'default' }
  const names: string[] = []
  let isKnown = true
  for (;;) {
    const name = readEntry(lexer, effects)
    if (isPlain(name) && names.length < MAX_NAMES) names.push(name)
    else isKnown = false
    if (!lexer.isSymbol(',')) break
    lexer.next()
  }
  return isKnown ? { kind: 'names', names } : UNKNOWN
}

/** Whether the string here may hold `word`: also when escapes may hide it. */
export function mayName(lexer: SqlLexer, word: string): boolean {
  if (lexer.kind !== 'string') return false
  return lexer.literal()?.toLowerCase().includes(word) ?? true
}

function readEntry(lexer: SqlLexer, effects: EffectsBuilder): string | undefined {
  if (lexer.isIdentifier && lexer.isObscure) effects.hide()
  if (lexer.isIdentifier && lexer.startsWith(TEMP_SCHEMA)) effects.make('temp')
  if (mayName(lexer, TEMP_SCHEMA)) effects.make('temp')
  const entry = entryOf(lexer)
  if (!lexer.endsStatement && !lexer.isSymbol(',')) lexer.next()
  // Of U&'…': another mark than the backslash begins its escapes.
  return lexer.keyword === 'uescape' ? undefined : entry
}

function entryOf(lexer: SqlLexer): string | undefined {
  if (lexer.isIdentifier) return lexer.isObscure ? undefined : lexer.name()
  const number = lexer.number()
  if (number !== undefined) return PLAIN_NUMBER.test(number) ? number : undefined
  return lexer.literal()
}

function isPlain(text: string | undefined): text is string {
  return text !== undefined && text.length <= MAX_CHARACTERS && PLAIN_TEXT.test(text)
}
