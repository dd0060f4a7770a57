import { isUtf8 } from 'node:buffer'
import { ProtocolViolationError } from './wire-errors.ts'

/**
 * Reads one message's body from front to back.
 *
 * Every method throws ProtocolViolationError rather than read past the end.
 */
export class ByteReader {
  readonly #bytes: Buffer
  readonly #subject: string
  #offset = 0

  /** @param subject - Names the message in errors, such as `startup packet`. */
  constructor(bytes: Buffer, subject: string) {
    this.#bytes = bytes
    this.#subject = subject
  }

  get remainingBytes(): number {
    return this.#bytes.length - this.#offset
  }

  byte(): number {
    return this.bytes(1)[0] as number
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE()
  }

  int32(): number {
    return this.bytes(4).readInt32BE()
  }

  /** A view, not a copy. */
  bytes(count: number): Buffer {
    if (count > this.remainingBytes) throw this.violation('is cut short')
    this.#offset += count
    return this.#bytes.subarray(this.#offset - count, this.#offset)
  }

  /** All that is left. A view, not a copy. */
  rest(): Buffer {
    return this.bytes(this.remainingBytes)
  }

  /** Bytes up to a NUL, which is read too. */
  cBytes(): Buffer {
    const end = this.#bytes.indexOf(0, this.#offset)
    if (end === -1) throw this.violation('has a string without end')
    const bytes = this.#bytes.subarray(this.#offset, end)
    this.#offset = end + 1
    return bytes
  }

  /** A string that decides something: two byte sequences never read as the same text. */
  exactText(): string {
    const bytes = this.cBytes()
    if (!isUtf8(bytes)) throw this.violation('holds text that is not UTF-8')
    return bytes.toString('utf8')
  }

  /** A string to show or to compare. It may be in any encoding: what is not UTF-8 reads as U+FFFD. */
  shownText(): string {
    return this.cBytes().toString('utf8')
  }

  /** Asserts that nothing is left. */
  end(): void {
    if (this.remainingBytes > 0) throw this.violation('has bytes after its end')
  }

  violation(fault: string): ProtocolViolationError {
    return new ProtocolViolationError(`${this.#subject} ${fault}`)
  }
}
