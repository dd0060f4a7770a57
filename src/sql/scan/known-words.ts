import { CASE_BIT, spells } from '../word-bytes.ts'

const SLOTS = 1024
const FACTOR = 31

/** Words to be told from all others without making a string of each. */
export class KnownWords {
  readonly #slots: (readonly string[] | undefined)[] = new Array(SLOTS).fill(undefined)

  /** @param words - In lower case, none empty. */
  constructor(words: Iterable<string>) {
    for (const word of new Set(words)) {
      const bytes = Buffer.from(word)
      const slot = slotOf(bytes, 0, bytes.length)
      this.#slots[slot] = [...(this.#slots[slot] ?? []), word]
    }
  }

  /** The word that the bytes from `start` to before `end` spell, in any case; `''` for another. */
  find(bytes: Buffer, start: number, end: number): string {
    if (start === end) return ''
    const words = this.#slots[slotOf(bytes, start, end)]
    if (words === undefined) return ''
    for (const word of words) {
      if (word.length === end - start && spells(bytes, start, word)) return word
    }
    return ''
  }
}

function slotOf(bytes: Buffer, start: number, end: number): number {
  const first = (bytes[start] as number) | CASE_BIT
  const last = (bytes[end - 1] as number) | CASE_BIT
  return (((end - start) * FACTOR + first) * FACTOR + last) % SLOTS
}
