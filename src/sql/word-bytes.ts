/** The bit that tells a lower case ASCII letter from its upper case one. */
export const CASE_BIT = 0x20

/** 1 for bytes that continue an identifier: letters, digits, `_`, `$` and whatever isn't ASCII. */
export const IS_WORD_BYTE = wordByteTable()

/**
 * Whether the bytes from `start` spell `word`, given in lower case, in any case. The caller sees
 * to it that they lie within the text.
 */
export function spells(bytes: Buffer, start: number, word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    const code = word.charCodeAt(index)
    const byte = bytes[start + index] as number
    if (byte !== code && (!isLetter(code) || (byte | CASE_BIT) !== code)) return false
  }
  return true
}

function isLetter(code: number): boolean {
  return code >= 0x61 && code <= 0x7a
}

function wordByteTable(): Uint8Array {
  const table = new Uint8Array(256).fill(1, 0x80)
  for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$') {
    table[character.charCodeAt(0)] = 1
  }
  return table
}
