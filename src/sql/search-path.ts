import { foldCase } from './fold-case.ts'
import { quoteIdentifier } from './quote.ts'

// One name with the spaces and the comma (or end) behind it: `"quoted"` or up to space or comma.
const ENTRY =
  /(?:"(?<quoted>(?:[^"]|"")*)"|(?<plain>[^" \t\n\r\f\v,][^ \t\n\r\f\v,]*))[ \t\n\r\f\v]*(?<comma>,[ \t\n\r\f\v]*|$)/y
const LEADING_SPACE = /^[ \t\n\r\f\v]*/

/**
 * Reads the value of `search_path` as the server does: names by commas, plain ones folded to lower
 * case, quoted ones as they stand. `undefined` when the server would call it malformed.
 *
 * Two things that the server does are left out, because they depend on its encoding: cutting names
 * to 63 bytes, and folding letters beyond ASCII. So whoever decides by the answer has to send
 * `formatSearchPath` of it, not the original text.
 *
 * @see SplitIdentifierString in src/backend/utils/adt/varlena.c of Postgres
 */
export function parseSearchPath(value: string): readonly string[] | undefined {
  if (value.includes('\0')) return undefined
  const text = value.replace(LEADING_SPACE, '')
  if (text === '') return []
  const schemas: string[] = []
  ENTRY.lastIndex = 0
  for (;;) {
    const groups = ENTRY.exec(text)?.groups
    if (groups === undefined) return undefined
    const { quoted, plain = '', comma } = groups
    schemas.push(quoted === undefined ? foldCase(plain) : quoted.replaceAll('""', '"'))
    if (comma === '') return schemas
  }
}

/** A value for `search_path` that names exactly `schemas`. */
export function formatSearchPath(schemas: readonly string[]): string {
  return schemas.map(quoteIdentifier).join(', ')
}
