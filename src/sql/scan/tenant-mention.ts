import { CASE_BIT, spells } from '../word-bytes.ts'
import type { SqlText } from './statement-effects.ts'

/** What the setting of the session's tenant begins with; no letter is in it twice. */
const WORD = 'pgusher'
const SHIFTS = shiftTable()

/**
 * Whether the word that the tenant's setting begins with stands anywhere in a text, in any case:
 * looks at every seventh byte of most texts.
 */
export function mayNameTenant({ bytes, start, end }: SqlText): boolean {
  let last = start + WORD.length - 1
  while (last < end) {
    const shift = SHIFTS[bytes[last] as number] as number
    if (shift === 0 && spells(bytes, last - WORD.length + 1, WORD)) return true
    last += Math.max(1, shift)
  }
  return false
}

/** For the last byte of a window, how far the window can move without passing over the word. */
function shiftTable(): Uint8Array {
  const shifts = new Uint8Array(256).fill(WORD.length)
  for (let index = 0; index < WORD.length; index += 1) {
    const lower = WORD.charCodeAt(index)
    for (const code of [lower, lower & ~CASE_BIT]) shifts[code] = WORD.length - 1 - index
  }
  return shifts
}
