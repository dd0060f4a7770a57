import { EffectsBuilder } from './effects-builder.ts'
import type { SqlDialect, SqlText, StatementEffects } from './statement-effects.ts'
import { readStatements } from './statement-reader.ts'
import { isSuspicious } from './suspicion.ts'
import { searchWords } from './word-search.ts'

const BACKSLASH = 0x5c
const FIRST_BEYOND_ASCII = 0x80

/**
 * Tells what a text of SQL may do to the state of its session, of what stands in the text: never
 * less than the server would do, sometimes more. What functions, triggers, views and rules of the
 * database do when it uses them is out of its sight, and so is what a parameter holds.
 *
 * @returns `undefined` for nothing, as of by far the most texts: after one pass that makes nothing.
 */
export function scanStatements(text: SqlText, dialect: SqlDialect): StatementEffects | undefined {
  if (!isSuspicious(text)) return undefined
  const effects = new EffectsBuilder()
  readStatements(text, dialect, effects)
  if (hasBackslash(text)) effects.assignAs(readOtherwise(text, dialect))
  if (dialect.hasUnsafeBytes && !isPlainAscii(text)) searchWords(text, effects)
  return effects.build()
}

/**
 * Behind requests that are not answered yet, backslashes may mean by then what they don't now: who
 * keeps a tenant in its place has to know of both.
 */
function readOtherwise(text: SqlText, dialect: SqlDialect): EffectsBuilder {
  const effects = new EffectsBuilder()
  const backslashEscapes = !dialect.backslashEscapes
  readStatements(text, { ...dialect, backslashEscapes }, effects)
  return effects
}

function hasBackslash({ bytes, start, end }: SqlText): boolean {
  const at = bytes.indexOf(BACKSLASH, start)
  return at >= 0 && at < end
}

/** Without backslashes: SHIFT_JIS_2004 has another character for them. */
function isPlainAscii({ bytes, start, end }: SqlText): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number
    if (byte >= FIRST_BEYOND_ASCII || byte === BACKSLASH) return false
  }
  return true
}
