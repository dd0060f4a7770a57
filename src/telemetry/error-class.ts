/**
 * The classes of Postgres' error codes. Any function may raise a code that it made up, and a label
 * must have a bound.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const KNOWN_CLASSES: ReadonlySet<string> = new Set(
  (
    '01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F ' +
    '40 42 44 53 54 55 57 58 72 F0 HV P0 XX'
  ).split(' '),
)

/** Those that are there at 0 before their first error: what goes wrong in most installations. */
export const USUAL_CLASSES: readonly string[] = '08 22 23 25 28 40 42 53 57 XX'.split(' ')

/** The class of an SQLSTATE: its first two characters, or `other` where Postgres knows none such. */
export function errorClass(sqlState: string): string {
  const found = sqlState.slice(0, 2)
  return KNOWN_CLASSES.has(found) ? found : 'other'
}
