import { foldCase } from '../fold-case.ts'
import { CASE_BIT, IS_WORD_BYTE, spells } from '../word-bytes.ts'
import { findContinuation, skipBlank } from './blank.ts'
import type { KnownWords } from './known-words.ts'
import type { SqlDialect, SqlText } from './statement-effects.ts'
import { decodeUnicodeEscapes } from './unicode-escapes.ts'

/** `other`: parameters, bit strings. `symbol`: any other byte, also each of an operator. */
type TokenKind = 'end' | 'word' | 'quoted' | 'string' | 'number' | 'other' | 'symbol'

const DOUBLE_QUOTE = 0x22
const DOLLAR = 0x24
const AMPERSAND = 0x26
const QUOTE = 0x27
const DOT = 0x2e
const BACKSLASH = 0x5c
const LETTER = { b: 0x62, e: 0x65, n: 0x6e, u: 0x75, x: 0x78 }
const UESCAPE = 'uescape'
const BACKSLASH_TEXT = '\\'

/**
 * Cuts a text of SQL into tokens where the server's lexer would, one at a time, each into its own
 * members, so that a long text costs no memory. A text that the server can't lex runs no statement
 * at all, so there it may cut as it likes.
 *
 * @see src/backend/parser/scan.l of Postgres
 */
export class SqlLexer {
  readonly #bytes: Buffer
  readonly #end: number
  readonly #dialect: SqlDialect
  readonly #words: KnownWords
  #at: number
  #kind: TokenKind = 'end'
  #known = ''
  #symbol = 0
  /** Of a word, or between the quotes of a literal. */
  #textStart = 0
  #textEnd = 0
  /** Whether the text of a literal is what stands between its quotes, but for doubled quotes. */
  #isPlain = true
  #hasDoubledQuotes = false
  /** Of a `U&"…"`. */
  #decodedName: string | undefined

  /** @param words - Those that `keyword` and `identifier` tell. */
  constructor(text: SqlText, dialect: SqlDialect, words: KnownWords) {
    this.#bytes = text.bytes
    this.#at = text.start
    this.#end = text.end
    this.#dialect = dialect
    this.#words = words
  }

  get kind(): TokenKind {
    return this.#kind
  }

  /** The known word that stands here unquoted, in lower case; else `''`. */
  get keyword(): string {
    return this.#kind === 'word' ? this.#known : ''
  }

  /** The known word that the identifier here is, quoted or not; else `''`. */
  get identifier(): string {
    return this.#kind === 'quoted' || this.#kind === 'word' ? this.#known : ''
  }

  get isIdentifier(): boolean {
    return this.#kind === 'word' || this.#kind === 'quoted'
  }

  /** Whether the identifier here can't be read. */
  get isObscure(): boolean {
    return this.#decodedName === ''
  }

  isSymbol(character: string): boolean {
    return this.#kind === 'symbol' && this.#symbol === character.charCodeAt(0)
  }

  /** Whether the token here is the last of its statement's, or none. */
  get endsStatement(): boolean {
    return this.#kind === 'end' || this.isSymbol(';')
  }

  /** The identifier here as the server reads it, but for the cut to 63 bytes; one character a byte. */
  name(): string {
    if (this.#decodedName !== undefined) return this.#decodedName
    const text = this.#text()
    if (this.#kind === 'word') return foldCase(text)
    return this.#hasDoubledQuotes ? text.replaceAll('""', '"') : text
  }

  /** The string here, one character a byte; `undefined` when it is in parts or has escapes. */
  literal(): string | undefined {
    if (this.#kind !== 'string' || !this.#isPlain) return undefined
    return this.#hasDoubledQuotes ? this.#text().replaceAll("''", "'") : this.#text()
  }

  /** The number here as it is written, or `undefined`. */
  number(): string | undefined {
    return this.#kind === 'number' ? this.#text() : undefined
  }

  /** Whether the identifier or literal here begins with `word`, given in lower case, in any case. */
  startsWith(word: string): boolean {
    if (this.#decodedName !== undefined) return this.#decodedName.startsWith(word)
    const fits = this.#textEnd - this.#textStart >= word.length
    return fits && spells(this.#bytes, this.#textStart, word)
  }

  /** Moves to the next token. */
  next(): void {
    const start = skipBlank(this.#bytes, this.#at, this.#end)
    this.#at = start
    this.#known = ''
    this.#decodedName = undefined
    this.#isPlain = true
    this.#hasDoubledQuotes = false
    if (start >= this.#end) {
      this.#kind = 'end'
      return
    }
    const byte = this.#byteAt(start)
    if (isDigit(byte) || (byte === DOT && isDigit(this.#byteAt(start + 1)))) this.#readNumber()
    else if (IS_WORD_BYTE[byte] === 1 && byte !== DOLLAR) this.#readWord(byte | CASE_BIT)
    else if (byte === QUOTE) this.#readString(start + 1, this.#dialect.backslashEscapes)
    else if (byte === DOUBLE_QUOTE) this.#readQuoted(start + 1)
    else if (byte === DOLLAR) this.#readDollar(start)
    else this.#readSymbol(byte)
  }

  #text(): string {
    return this.#bytes.toString('latin1', this.#textStart, this.#textEnd)
  }

  /** 0 beyond the end, as no text holds a NUL. */
  #byteAt(at: number): number {
    return at < this.#end ? (this.#bytes[at] as number) : 0
  }

  #readSymbol(byte: number): void {
    this.#kind = 'symbol'
    this.#symbol = byte
    this.#at += 1
  }

  /** What follows a number directly belongs to it or is refused, but for a `$`. */
  #readNumber(): void {
    let at = this.#at
    for (;;) {
      const byte = this.#byteAt(at)
      if (byte !== DOT && (IS_WORD_BYTE[byte] === 0 || byte === DOLLAR)) break
      at += 1
    }
    this.#kind = 'number'
    this.#setText(this.#at, at)
    this.#at = at
  }

  #readWord(firstLetter: number): void {
    const start = this.#at
    let at = start + 1
    while (IS_WORD_BYTE[this.#byteAt(at)] === 1) at += 1
    if (at === start + 1 && this.#readPrefixed(firstLetter, at)) return
    this.#kind = 'word'
    this.#setText(start, at)
    this.#known = this.#words.find(this.#bytes, start, at)
    this.#at = at
  }

  /** Reads the literal that a prefix of one letter begins, whose next byte stands at `at`. */
  #readPrefixed(letter: number, at: number): boolean {
    const next = this.#byteAt(at)
    if (next === QUOTE) return this.#readPrefixedString(letter, at + 1)
    return letter === LETTER.u && next === AMPERSAND && this.#readUnicode(at + 1)
  }

  #readPrefixedString(letter: number, at: number): boolean {
    if (letter === LETTER.e) this.#readString(at, true)
    else if (letter === LETTER.n) this.#readString(at, this.#dialect.backslashEscapes)
    else if (letter === LETTER.b || letter === LETTER.x) this.#readBits(at)
    else return false
    return true
  }

  /** @param at - Of the quote, if it is one. */
  #readUnicode(at: number): boolean {
    const quote = this.#byteAt(at)
    if (quote === QUOTE) this.#readUnicodeString(at + 1)
    else if (quote === DOUBLE_QUOTE) this.#readUnicodeQuoted(at + 1)
    else return false
    return true
  }

  #readBits(at: number): void {
    this.#readString(at, false)
    this.#kind = 'other'
  }

  #readUnicodeString(at: number): void {
    this.#readString(at, false)
    this.#isPlain &&= !this.#hasBackslash()
  }

  /** @param at - Behind the opening quote. */
  #readString(at: number, escapes: boolean): void {
    this.#kind = 'string'
    let next = this.#findQuote(at, QUOTE, escapes)
    while (next < this.#end) {
      const onward = this.#bytes[next] === BACKSLASH ? next + 2 : this.#continueBehind(next)
      if (onward < 0) break
      if (onward !== next + 2 || this.#bytes[next] === BACKSLASH) this.#isPlain = false
      else this.#hasDoubledQuotes = true
      next = this.#findQuote(onward, QUOTE, escapes)
    }
    this.#setText(at, next)
    this.#at = Math.min(next + 1, this.#end)
  }

  /** Where a literal goes on behind the quote at `at`; -1 when the quote closes it. */
  #continueBehind(at: number): number {
    if (this.#byteAt(at + 1) === QUOTE) return at + 2
    return findContinuation(this.#bytes, at + 1, this.#end)
  }

  /** The next quote from `at` on, or backslash where that `escapes`, or the end. */
  #findQuote(at: number, quote: number, escapes: boolean): number {
    const bytes = this.#bytes
    const end = this.#end
    const other = escapes ? BACKSLASH : quote
    let next = at
    while (next < end) {
      const byte = bytes[next]
      if (byte === quote || byte === other) return next
      next += 1
    }
    return end
  }

  /** @param at - Behind the opening quote. */
  #readQuoted(at: number): void {
    this.#kind = 'quoted'
    let next = this.#findQuote(at, DOUBLE_QUOTE, false)
    while (this.#byteAt(next + 1) === DOUBLE_QUOTE) {
      this.#hasDoubledQuotes = true
      next = this.#findQuote(next + 2, DOUBLE_QUOTE, false)
    }
    this.#setText(at, next)
    this.#at = Math.min(next + 1, this.#end)
    const known = this.#words.find(this.#bytes, at, next)
    if (known !== '' && this.#text() === known) this.#known = known
  }

  #readUnicodeQuoted(at: number): void {
    this.#readQuoted(at)
    const text = this.name()
    const mark = this.#readEscapeCharacter()
    const name = mark === undefined ? '' : decodeUnicodeEscapes(text, mark)
    const bytes = Buffer.from(name, 'latin1')
    const known = this.#words.find(bytes, 0, bytes.length)
    this.#kind = 'quoted'
    this.#decodedName = name
    this.#known = known === name ? known : ''
  }

  /** The character of the UESCAPE that may stand next; `undefined` when that is no plain literal. */
  #readEscapeCharacter(): string | undefined {
    const start = skipBlank(this.#bytes, this.#at, this.#end)
    const end = start + UESCAPE.length
    const stands = end <= this.#end && spells(this.#bytes, start, UESCAPE)
    if (!stands || IS_WORD_BYTE[this.#byteAt(end)] === 1) return BACKSLASH_TEXT
    const quote = skipBlank(this.#bytes, end, this.#end)
    this.#at = Math.min(quote + 1, this.#end)
    if (this.#byteAt(quote) !== QUOTE) return undefined
    this.#readString(quote + 1, true)
    return this.literal() || undefined
  }

  /** A parameter, a string in dollar quotes, or the sign alone. */
  #readDollar(start: number): void {
    let at = start + 1
    if (isDigit(this.#byteAt(at))) {
      while (isDigit(this.#byteAt(at))) at += 1
      this.#kind = 'other'
      this.#at = at
      return
    }
    while (IS_WORD_BYTE[this.#byteAt(at)] === 1 && this.#bytes[at] !== DOLLAR) at += 1
    if (this.#byteAt(at) !== DOLLAR) this.#readSymbol(DOLLAR)
    else this.#readDollarQuoted(this.#bytes.subarray(start, at + 1))
  }

  #readDollarQuoted(delimiter: Buffer): void {
    const textStart = this.#at + delimiter.length
    const rest = this.#bytes.subarray(textStart, this.#end)
    const length = rest.indexOf(delimiter)
    this.#kind = 'string'
    this.#setText(textStart, length < 0 ? this.#end : textStart + length)
    this.#at = Math.min(this.#textEnd + delimiter.length, this.#end)
  }

  #hasBackslash(): boolean {
    return this.#bytes.subarray(this.#textStart, this.#textEnd).includes(BACKSLASH)
  }

  #setText(start: number, end: number): void {
    this.#textStart = start
    this.#textEnd = end
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
