import { ProtocolViolationError } from './wire-errors.ts'

/** Type byte and length word. */
export const FRAME_HEAD_BYTES = 5
/** Longest frame that Postgres takes. */
export const MAX_REQUEST_BYTES = 0x3fff_ffff
/** Longest frame that Postgres sends. */
export const MAX_REPLY_BYTES = 0x4000_0003

const NO_BYTES: Buffer = Buffer.alloc(0)

/** What becomes of a visited frame; `whole` asks to see it again when all of it has come. */
export type FrameFate = 'pass' | 'drop' | 'whole'

/** Where a frame lies. One object serves a whole stream: it holds good during the visit alone. */
export interface Frame {
  readonly code: number
  readonly chunk: Buffer
  /** Index of the type byte. */
  readonly start: number
  /** Type, length and body; the chunk may end before the frame does. */
  readonly frameBytes: number
}

/** Looks at frames as they go by, and takes the bytes that pass. */
export interface FrameVisitor {
  /**
   * Called for each frame whose type the attention table names, in stream order. As many bytes as
   * the table asked for (or the whole frame, if shorter) are in the chunk; later ones may not be.
   * The visitor may call `FrameStream.insert` and `FrameStream.replaceHead` here.
   */
  visit(frame: Frame): FrameFate
  /** Takes a run of bytes that passed, in order. The memory is not reused: it may be kept. */
  emit(bytes: Buffer): void
}

/**
 * For each type byte, how many bytes of the frame a visit needs in one piece: 0 lets the frame
 * pass unseen, 5 asks for the head alone.
 */
export type AttentionTable = Uint32Array

/** An attention table in which the types that are not named get `otherwise`. */
export function attentionTable(
  needs: Readonly<Record<number, number>>,
  otherwise: number,
): AttentionTable {
  const table = new Uint32Array(256).fill(otherwise)
  for (const [code, bytes] of Object.entries(needs)) table[Number(code)] = bytes
  return table
}

/**
 * Cuts one direction of a connection into frames without copying or decoding them. Neighbouring
 * frames that pass leave as one run; a chunk whose frames all pass leaves as it came. A head that
 * is cut by the end of a chunk waits for the next one, so `emit` only ever sees whole heads.
 */
export class FrameStream {
  readonly #visitor: FrameVisitor
  readonly #maxFrameBytes: number
  #attention: AttentionTable
  /** Bytes of the present frame that later chunks will bring. */
  #missingBytes = 0
  #missingFate: 'pass' | 'drop' = 'pass'
  /** The start of a frame that was too short to visit. */
  #carry: Buffer | undefined
  readonly #frame = { code: 0, chunk: NO_BYTES, start: 0, frameBytes: 0 }
  /** Where the run of passing bytes that was not emitted yet begins. */
  #runStart = 0

  /** @param maxFrameBytes - Longest frame, head included; Postgres itself stops at 1 GiB. */
  constructor(visitor: FrameVisitor, attention: AttentionTable, maxFrameBytes: number) {
    this.#visitor = visitor
    this.#attention = attention
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Every chunk is walked, and nothing of an unfinished frame has come. */
  get isBetweenFrames(): boolean {
    return this.#frame.chunk === NO_BYTES && this.isOutputWhole && this.#carry === undefined
  }

  /** What was emitted ends with a whole frame; also within `visit`, once `flush` was called. */
  get isOutputWhole(): boolean {
    return this.#missingBytes === 0
  }

  /** Changes what is visited, from the next frame on. */
  set attention(table: AttentionTable) {
    this.#attention = table
  }

  /**
   * Walks one chunk.
   *
   * @throws ProtocolViolationError - when a length word is below 4 or above the limit.
   */
  push(chunk: Buffer): void {
    let bytes = chunk
    if (this.#carry !== undefined) {
      bytes = Buffer.concat([this.#carry, chunk])
      this.#carry = undefined
    }
    this.#frame.chunk = bytes
    this.#runStart = 0
    this.#emitRun(this.#walk(bytes))
    this.#frame.chunk = NO_BYTES
  }

  /**
   * Gives up on the stream: emits what passed before the frame whose length made `push` throw, and
   * returns the chunk from that frame on.
   */
  takeUnwalked(): Buffer {
    this.flush()
    const { chunk, start } = this.#frame
    this.#frame.chunk = NO_BYTES
    return chunk.subarray(start)
  }

  /** Emits what passed before the frame being visited. Only from within `visit`. */
  flush(): void {
    this.#emitRun(this.#frame.start)
    this.#runStart = this.#frame.start
  }

  /** Sends `bytes` ahead of the frame being visited. Only from within `visit`. */
  insert(bytes: Buffer): void {
    this.flush()
    this.#visitor.emit(bytes)
  }

  /** Sends `bytes` in place of the first `replacedBytes` of the frame being visited, which passes. */
  replaceHead(bytes: Buffer, replacedBytes: number): void {
    this.insert(bytes)
    this.#runStart = this.#frame.start + replacedBytes
  }

  /** Returns where the walk stopped: the chunk's end, or the start of a frame carried over. */
  #walk(chunk: Buffer): number {
    const chunkBytes = chunk.length
    let offset = this.#passMissing(chunkBytes)
    while (chunkBytes - offset >= FRAME_HEAD_BYTES) {
      const code = chunk[offset] as number
      const frameBytes = this.#frameBytes(chunk, offset)
      const needs = this.#attention[code] as number
      if (needs !== 0) {
        if (chunkBytes - offset < Math.min(needs, frameBytes)) break
        const fate = this.#visit(code, offset, frameBytes)
        if (fate === 'whole') break
        this.#settle(fate)
      } else {
        this.#missingFate = 'pass'
      }
      offset += frameBytes
      if (offset > chunkBytes) {
        this.#missingBytes = offset - chunkBytes
        return chunkBytes
      }
    }
    if (offset < chunkBytes) this.#carry = chunk.subarray(offset)
    return offset
  }

  /** Walks over the rest of a frame that an earlier chunk began. */
  #passMissing(chunkBytes: number): number {
    const passed = Math.min(this.#missingBytes, chunkBytes)
    if (passed === 0) return 0
    this.#missingBytes -= passed
    if (this.#missingFate === 'drop') this.#runStart = passed
    return passed
  }

  #frameBytes(chunk: Buffer, offset: number): number {
    const lengthWord =
      ((chunk[offset + 1] as number) << 24) |
      ((chunk[offset + 2] as number) << 16) |
      ((chunk[offset + 3] as number) << 8) |
      (chunk[offset + 4] as number)
    if (lengthWord < 4 || lengthWord >= this.#maxFrameBytes) {
      this.#frame.start = offset
      throw new ProtocolViolationError(`invalid message length ${lengthWord}`)
    }
    return lengthWord + 1
  }

  #visit(code: number, start: number, frameBytes: number): FrameFate {
    const frame = this.#frame
    frame.code = code
    frame.start = start
    frame.frameBytes = frameBytes
    return this.#visitor.visit(frame)
  }

  #settle(fate: 'pass' | 'drop'): void {
    this.#missingFate = fate
    if (fate === 'pass') return
    this.#emitRun(this.#frame.start)
    this.#runStart = this.#frame.start + this.#frame.frameBytes
  }

  #emitRun(end: number): void {
    const { chunk } = this.#frame
    if (end <= this.#runStart) return
    const isWhole = this.#runStart === 0 && end === chunk.length
    this.#visitor.emit(isWhole ? chunk : chunk.subarray(this.#runStart, end))
  }
}
