import { CASE_BIT, IS_WORD_BYTE } from './word-bytes.ts'

const WORDS = ['rollback', 'abort', 'commit', 'end', 'prepare']
/** Length of the shortest word: the scan looks at this many bytes at a time. */
const WINDOW_BYTES = 3
const QUERY_CODE = 0x51
/** Type byte and length word of a frame. */
const HEAD_BYTES = 5

const TAILS = new Map(
  WORDS.map((word) => [windowKey(Buffer.from(word), 0), Buffer.from(word.slice(WINDOW_BYTES))]),
)
const SHIFTS = shiftTable()

/**
 * Whether client bytes hold a word that can end a transaction (rollback, abort, commit, end,
 * prepare), in any case, at the start of a word. Says `true` too often (inside strings, comments
 * and longer words), never `false` wrongly: a `false` means that the statements in these bytes
 * leave an open transaction block open.
 *
 * @param bytes - Whole frames, or at least whole statements: a word cut by an end isn't seen. Any
 * client encoding of Postgres will do, as all of them spell ASCII letters as ASCII bytes.
 */
export function mayEndTransaction(bytes: Buffer): boolean {
  const end = bytes.length
  let last = WINDOW_BYTES - 1
  while (last < end) {
    const shift = SHIFTS[bytes[last] as number] as number
    if (shift !== 0) {
      last += shift
    } else if (hasWordAt(bytes, last - WINDOW_BYTES + 1)) {
      return true
    } else {
      last += 1
    }
  }
  return false
}

function hasWordAt(bytes: Buffer, start: number): boolean {
  if (!startsWord(bytes, start)) return false
  const tail = TAILS.get(windowKey(bytes, start))
  if (tail === undefined) return false
  let offset = start + WINDOW_BYTES
  for (const letter of tail) {
    // Past the end this is `undefined | CASE_BIT`, which is no letter.
    if (((bytes[offset] as number) | CASE_BIT) !== letter) return false
    offset += 1
  }
  return true
}

/** In a Query frame the byte before the text is the last one of the length, so it may look like a letter. */
function startsWord(bytes: Buffer, start: number): boolean {
  if (start <= HEAD_BYTES || IS_WORD_BYTE[bytes[start - 1] as number] === 0) return true
  return bytes[start - HEAD_BYTES] === QUERY_CODE
}

function windowKey(bytes: Buffer, start: number): number {
  const first = (bytes[start] as number) | CASE_BIT
  const second = (bytes[start + 1] as number) | CASE_BIT
  const third = (bytes[start + 2] as number) | CASE_BIT
  return (first << 16) | (second << 8) | third
}

/** For the last byte of a window, how far the window can move without passing over a word's start. */
function shiftTable(): Uint8Array {
  const shifts = new Uint8Array(256).fill(WINDOW_BYTES)
  for (const word of WORDS) {
    for (let index = 0; index < WINDOW_BYTES; index += 1) {
      const shift = WINDOW_BYTES - 1 - index
      const lower = word.charCodeAt(index)
      for (const code of [lower, lower & ~CASE_BIT]) {
        shifts[code] = Math.min(shifts[code] as number, shift)
      }
    }
  }
  return shifts
}
