import { FRAME_HEAD_BYTES, type Frame } from '../wire/frame-stream.ts'
import { FrontendCode } from '../wire/message-codes.ts'

/** Most bytes of a text that are kept for the log. */
const MAX_TEXT_BYTES = 1000

/**
 * Remembers the text that a client sent last, for lines of the log about it. There is one only
 * where the operator has asked for texts.
 */
export class StatementJournal {
  #text: Buffer | undefined
  #isCut = false
  /** The statement that is bound may be the one that was parsed last. */
  #isParsed = false

  /** The beginning of the text; `undefined` where it is not known. In UTF-8, or what looks like it. */
  get text(): string | undefined {
    return this.#text === undefined ? undefined : `${this.#text}${this.#isCut ? '…' : ''}`
  }

  /** A frame is on its way. */
  note(frame: Frame): void {
    switch (frame.code) {
      case FrontendCode.query:
        this.#keep(frame, frame.start + FRAME_HEAD_BYTES)
        return
      case FrontendCode.parse:
        this.#isParsed = true
        this.#keep(frame, frame.chunk.indexOf(0, frame.start + FRAME_HEAD_BYTES) + 1)
        return
      case FrontendCode.bind:
        if (!this.#isParsed) this.#text = undefined
        return
      case FrontendCode.functionCall:
        this.#text = undefined
        return
      case FrontendCode.sync:
        this.#isParsed = false
        return
      default:
    }
  }

  /** What is bound was parsed from this; `tail`: body of Parse behind the name. */
  bound(tail: Buffer): void {
    this.#copy(tail, 0, tail.length)
  }

  #keep({ chunk, start, frameBytes }: Frame, from: number): void {
    const end = Math.min(start + frameBytes, chunk.length)
    if (from > start && from <= end) this.#copy(chunk, from, end)
  }

  /** A copy: the chunk would be held with it. */
  #copy(bytes: Buffer, from: number, end: number): void {
    const to = Math.min(end, from + MAX_TEXT_BYTES)
    const piece = bytes.subarray(from, to)
    const length = piece.indexOf(0)
    this.#isCut = length < 0
    this.#text = Buffer.from(length < 0 ? piece : piece.subarray(0, length))
  }
}
