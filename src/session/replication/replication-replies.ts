import type { Frame, FrameFate, FrameVisitor } from '../../wire/frame-stream.ts'
import {
  attentionTable,
  FRAME_HEAD_BYTES,
  FrameStream,
  MAX_REPLY_BYTES,
} from '../../wire/frame-stream.ts'
import { BackendCode } from '../../wire/message-codes.ts'

const HEADS = attentionTable({}, FRAME_HEAD_BYTES)

/** What a server sends over a replication connection: it is told where its messages end. */
export class ReplicationReplies implements FrameVisitor {
  readonly #frames = new FrameStream(this, HEADS, MAX_REPLY_BYTES)
  readonly #pieces: Buffer[] = []
  #lastCode = 0
  #isStopping = false
  #isCut = false

  /** A word of our own may follow: no message is half sent, and the last one was no error. */
  get isInterruptible(): boolean {
    return this.isWhole && this.#lastCode !== BackendCode.errorResponse
  }

  /** What has passed ends with a whole message. */
  get isWhole(): boolean {
    return this.#isCut || this.#frames.isOutputWhole
  }

  /** Lets the message that has begun to pass come to its end, and nothing behind it. */
  stop(): void {
    this.#isStopping = true
    this.#isCut = this.#frames.isOutputWhole
  }

  /**
   * Walks one chunk.
   *
   * @returns What goes to the client, in order; valid until the next call.
   * @throws ProtocolViolationError - on an impossible length.
   */
  push(chunk: Buffer): readonly Buffer[] {
    this.#pieces.length = 0
    this.#frames.push(chunk)
    return this.#pieces
  }

  visit({ code }: Frame): FrameFate {
    if (this.#isStopping) {
      this.#isCut = true
      return 'drop'
    }
    this.#lastCode = code
    return 'pass'
  }

  emit(bytes: Buffer): void {
    this.#pieces.push(bytes)
  }
}
