import { ProtocolViolationError } from './wire-errors.ts'

const HEAD_BYTES = 5

/** One whole message. `body` is a view without type byte and length word. */
export interface WireMessage {
  readonly code: number
  readonly body: Buffer
}

/**
 * Gathers whole messages while a connection logs in, when they are few and short; afterwards
 * `FrameStream` takes over with what {@link MessageBuffer.rest} hands it.
 *
 * Holds what was pushed and not read: call `next` until it returns `undefined` after each push,
 * and less than one message stays.
 */
export class MessageBuffer {
  readonly #maxMessageBytes: number
  #chunks: Buffer[] = []
  #unreadBytes = 0

  /** @param maxMessageBytes - Longest message, type byte and length word included. */
  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#unreadBytes += chunk.length
  }

  /**
   * The next message, or `undefined` until more bytes come.
   *
   * @throws ProtocolViolationError - when a length word is below 4 or above the limit.
   */
  next(): WireMessage | undefined {
    if (this.#unreadBytes < HEAD_BYTES) return undefined
    const messageBytes = this.#nextMessageBytes()
    if (this.#unreadBytes < messageBytes) return undefined
    const unread = this.rest()
    this.push(unread.subarray(messageBytes))
    return { code: unread[0] as number, body: unread.subarray(HEAD_BYTES, messageBytes) }
  }

  /** Hands over what is unread, and forgets it. */
  rest(): Buffer {
    const [first] = this.#chunks
    const isWhole = first !== undefined && this.#chunks.length === 1
    const unread = isWhole ? first : Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#unreadBytes = 0
    return unread
  }

  #nextMessageBytes(): number {
    const lengthWord = this.#head().readUInt32BE(1)
    if (lengthWord < 4 || lengthWord >= this.#maxMessageBytes) {
      throw new ProtocolViolationError('invalid message length')
    }
    return lengthWord + 1
  }

  /** Chunks are joined once for the head and once for the body, however small they come. */
  #head(): Buffer {
    const [first] = this.#chunks
    if (first !== undefined && first.length >= HEAD_BYTES) return first
    const unread = this.rest()
    this.push(unread)
    return unread
  }
}
