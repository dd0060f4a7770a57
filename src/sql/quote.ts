const NOT_PLAIN_ASCII = /['\\]|[^ -~]/gu
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * A string literal that means `text` under every `standard_conforming_strings`, `backslash_quote`
 * and `client_encoding`: always of the form `E'…'`, pure ASCII, the rest as Unicode escapes.
 *
 * @throws RangeError - when `text` holds NUL, which no Postgres text can, or half a surrogate pair.
 * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE
 */
export function quoteLiteral(text: string): string {
  refuseNul(text)
  if (LONE_SURROGATE.test(text)) throw new RangeError('text with half a surrogate pair')
  return `E'${text.replace(NOT_PLAIN_ASCII, escapeCharacter)}'`
}

/**
 * A quoted identifier. It is ASCII only if `text` is: where the `client_encoding` isn't known, a
 * name of unknown letters belongs into `quoteLiteral`, as an argument of `set_config`.
 *
 * @throws RangeError - when `text` holds NUL.
 */
export function quoteIdentifier(text: string): string {
  refuseNul(text)
  return `"${text.replaceAll('"', '""')}"`
}

/**
 * The name of a setting as `SET` takes it, each dotted part quoted.
 *
 * @throws RangeError - when `name` holds NUL.
 */
export function quoteSettingName(name: string): string {
  return name.split('.').map(quoteIdentifier).join('.')
}

function refuseNul(text: string): void {
  if (text.includes('\0')) throw new RangeError('text with a NUL character')
}

function escapeCharacter(character: string): string {
  // Doubled, not \': whether that is allowed depends on backslash_quote.
  if (character === "'") return "''"
  if (character === '\\') return '\\\\'
  const hex = (character.codePointAt(0) ?? 0).toString(16)
  return hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
}
