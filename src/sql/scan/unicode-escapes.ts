const FOUR_DIGITS = /^[0-9a-f]{4}/i
const SIX_DIGITS = /^\+[0-9a-f]{6}/i
const MAX_CODE_POINT = 0x10ffff

/**
 * Decodes `\XXXX`, `\+XXXXXX` and `\\` of a `U&"…"`. Escapes that the server refuses stay.
 *
 * @param text - One character a byte; so is the result, as UTF-8.
 * @param mark - What stands for the backslash, by UESCAPE.
 */
export function decodeUnicodeEscapes(text: string, mark: string): string {
  const [head = '', ...rest] = text.split(mark)
  let decoded = head
  // Behind a mark that stands for itself comes text without an escape.
  let isLiteral = false
  for (const part of rest) {
    decoded += isLiteral ? part : decodePart(part, mark)
    isLiteral = !isLiteral && part === ''
  }
  return decoded
}

function decodePart(part: string, mark: string): string {
  if (part === '') return mark
  const digits = FOUR_DIGITS.exec(part)?.[0] ?? SIX_DIGITS.exec(part)?.[0]
  if (digits === undefined) return mark + part
  const code = Number.parseInt(digits.replace('+', ''), 16)
  if (code > MAX_CODE_POINT) return mark + part
  return Buffer.from(String.fromCodePoint(code)).toString('latin1') + part.slice(digits.length)
}
