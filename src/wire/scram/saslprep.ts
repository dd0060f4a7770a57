import {
  LEFT_TO_RIGHT,
  MAPPED_TO_NOTHING,
  NON_ASCII_SPACES,
  PROHIBITED,
  RIGHT_TO_LEFT,
  UNASSIGNED,
} from './saslprep-tables.ts'

/**
 * Prepares a password as Postgres and libpq do: SASLprep where it applies, and the password as it
 * is where SASLprep would refuse it. Both checks look at the text before normalization, as theirs
 * do; otherwise some passwords would open Postgres but not PgUsher.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4013
 */
export function saslPrep(password: string): string {
  // ASCII has nothing to prepare, and its control characters are not held against it.
  if (Buffer.byteLength(password) === password.length) return password
  const mapped = Array.from(password, mapChar).join('')
  const isRefused = mapped === '' || isProhibited(mapped) || isMixedDirection(mapped)
  return isRefused ? password : mapped.normalize('NFKC')
}

/** U+200B is in both tables; Postgres takes it for a space. */
function mapChar(char: string): string {
  if (NON_ASCII_SPACES.test(char)) return ' '
  return MAPPED_TO_NOTHING.test(char) ? '' : char
}

function isProhibited(text: string): boolean {
  return PROHIBITED.test(text) || UNASSIGNED.test(text)
}

/** Right-to-left text must begin and end so, and hold no left-to-right characters. */
function isMixedDirection(text: string): boolean {
  if (!RIGHT_TO_LEFT.test(text)) return false
  const chars = Array.from(text)
  const ends = [chars.at(0) as string, chars.at(-1) as string]
  return LEFT_TO_RIGHT.test(text) || !ends.every((char) => RIGHT_TO_LEFT.test(char))
}
