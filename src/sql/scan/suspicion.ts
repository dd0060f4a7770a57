import { CASE_BIT, IS_WORD_BYTE, spells } from '../word-bytes.ts'
import { isSpace, skipBlank } from './blank.ts'
import { KnownWords } from './known-words.ts'
import { FUNCTION_EFFECTS, SET_CONFIG, SETTINGS_VIEW, TEMP_SCHEMA } from './session-words.ts'
import type { SqlText } from './statement-effects.ts'
import { HOLD_WORD, STATEMENT_WORDS, TEMP_WORDS } from './statement-reader.ts'

const FIRST_WORDS = new KnownWords(STATEMENT_WORDS)
/** Words that are suspicious wherever they stand. */
const RARE_WORDS = [...FUNCTION_EFFECTS.keys(), SET_CONFIG, SETTINGS_VIEW, HOLD_WORD, ...TEMP_WORDS]
/** The same, for what begins with them: the name of a temporary schema, an escaped identifier. */
const RARE_BEGINNINGS = [TEMP_SCHEMA, 'u&"']

/** What SQL has in words, the most frequent first; anything else is rarer. */
const BY_FREQUENCY = 'etaonisrdl_cumpgfhbyvwkxjqz'
const BYTES = 256
const DOLLAR = 0x24
const MINUS = 0x2d
const SLASH = 0x2f
const SEMICOLON = 0x3b
const NO_PAIR = 0
const STATEMENT_PAIR = 255

interface Candidate {
  readonly word: string
  readonly isWhole: boolean
  /** Where in the word the pair of bytes stands that gave it away. */
  readonly pairStart: number
}

/**
 * Rare words by pairs of their bytes: one that begins at an even place in the word and one at an
 * odd place, the rarest of each, so that looking at every other pair of a text finds all.
 */
const CANDIDATES: Candidate[][] = [[]]
/** For a pair of bytes: the index of its candidates, or one of `*_PAIR`. */
const PAIRS = new Uint8Array(BYTES * BYTES).fill(NO_PAIR)
for (const word of RARE_WORDS) addRareWord(word, true)
for (const word of RARE_BEGINNINGS) addRareWord(word, false)
PAIRS.fill(STATEMENT_PAIR, SEMICOLON * BYTES, (SEMICOLON + 1) * BYTES)
for (let first = 0; first < BYTES; first += 1) PAIRS[first * BYTES + SEMICOLON] = STATEMENT_PAIR

/**
 * Whether a text holds a word, or begins a statement with one, that might have an effect on its
 * session. One pass that takes strings and comments for statements too: often enough `true` for
 * nothing, never `false` wrongly, in any client encoding.
 */
export function isSuspicious(text: SqlText): boolean {
  const { bytes, start, end } = text
  if (hasFirstWordAt(bytes, skipBlank(bytes, start, end), end)) return true
  const last = end - 1
  for (let at = start; at < last; at += 2) {
    const pair = PAIRS[(bytes[at] as number) * BYTES + (bytes[at + 1] as number)] as number
    if (pair !== NO_PAIR && isHit(pair, text, at)) return true
  }
  return false
}

function isHit(pair: number, text: SqlText, at: number): boolean {
  if (pair === STATEMENT_PAIR) return isEndOfStatement(text, at) || isEndOfStatement(text, at + 1)
  for (const candidate of CANDIDATES[pair] ?? []) {
    if (isWordAt(candidate, text, at - candidate.pairStart)) return true
  }
  return false
}

/** Whether a semicolon stands here and a statement behind it that is suspicious. */
function isEndOfStatement({ bytes, end }: SqlText, at: number): boolean {
  return bytes[at] === SEMICOLON && beginsStatement(bytes, at + 1, end)
}

/**
 * Whether behind a semicolon stands a first word, or a comment that may hide one: to skip each
 * comment would take the square of the time in a text that is full of semicolons and comments.
 */
function beginsStatement(bytes: Buffer, at: number, end: number): boolean {
  let next = at
  while (next < end && isSpace(bytes[next])) next += 1
  if (next === end) return false
  const byte = bytes[next]
  return byte === MINUS || byte === SLASH || hasFirstWordAt(bytes, next, end)
}

function hasFirstWordAt(bytes: Buffer, at: number, end: number): boolean {
  let next = at
  while (next < end && IS_WORD_BYTE[bytes[next] as number] === 1) next += 1
  return FIRST_WORDS.find(bytes, at, next) !== ''
}

function isWordAt({ word, isWhole }: Candidate, text: SqlText, from: number): boolean {
  const to = from + word.length
  if (from < text.start || to > text.end || !spells(text.bytes, from, word)) return false
  if (isWhole && to < text.end && isWordByte(text.bytes[to])) return false
  return from === text.start || !isWordByte(text.bytes[from - 1])
}

/** A word may follow a closing dollar quote at once. */
function isWordByte(byte: number | undefined): boolean {
  return byte !== DOLLAR && IS_WORD_BYTE[byte as number] === 1
}

function addRareWord(word: string, isWhole: boolean): void {
  for (const parity of [0, 1]) {
    let pairStart = parity
    for (let index = parity; index + 1 < word.length; index += 2) {
      if (rarity(word, index) > rarity(word, pairStart)) pairStart = index
    }
    addCandidate({ word, isWhole, pairStart })
  }
}

function addCandidate(candidate: Candidate): void {
  const { word, pairStart } = candidate
  const [first, second] = [word.charCodeAt(pairStart), word.charCodeAt(pairStart + 1)]
  const known = PAIRS[first * BYTES + second] as number
  const index = known === NO_PAIR ? CANDIDATES.push([]) - 1 : known
  CANDIDATES[index]?.push(candidate)
  for (const one of casesOf(first)) {
    for (const other of casesOf(second)) PAIRS[one * BYTES + other] = index
  }
}

/** How rare the pair is that begins at `index`. */
function rarity(word: string, index: number): number {
  return rarityOf(word.charAt(index)) + rarityOf(word.charAt(index + 1))
}

function rarityOf(character: string): number {
  const index = BY_FREQUENCY.indexOf(character)
  return index < 0 ? BY_FREQUENCY.length : index
}

function casesOf(code: number): readonly number[] {
  const isLetter = code >= 0x61 && code <= 0x7a
  return isLetter ? [code, code & ~CASE_BIT] : [code]
}
