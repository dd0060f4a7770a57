const ANY_TEXT = '%'
const ANY_CHARACTER = '_'

/**
 * Whether a text is like a pattern of SQL, in which `%` stands for any text and `_` for any
 * character; case does not matter. It takes as many steps as both are long, multiplied, whatever
 * they are: patterns are typed by people, and everybody waits.
 */
export function isLike(text: string, pattern: string): boolean {
  const wanted = [...pattern.toLowerCase()]
  const given = [...text.toLowerCase()]
  let at = 0
  let step = 0
  /** Behind the last `%`, and how much of the text it is taken to stand for so far. */
  let retry: { readonly step: number; at: number } | undefined
  while (at < given.length) {
    const sign = wanted[step]
    if (sign === ANY_TEXT) {
      step += 1
      retry = { step, at }
    } else if (sign === ANY_CHARACTER || (sign !== undefined && sign === given[at])) {
      step += 1
      at += 1
    } else if (retry !== undefined) {
      retry.at += 1
      at = retry.at
      step = retry.step
    } else {
      return false
    }
  }
  return wanted.slice(step).every((sign) => sign === ANY_TEXT)
}
