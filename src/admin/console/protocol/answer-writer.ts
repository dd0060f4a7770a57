import { once } from 'node:events'
import type { Socket } from 'node:net'
import { ClientGoneError } from '../../../session/session-errors.ts'

/** Bytes of rows that go out in one write. */
const CHUNK_BYTES = 16_384

/** Writes to a client no faster than it reads. */
export class AnswerWriter {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /**
   * Resolves when the socket takes more.
   *
   * @throws ClientGoneError - there is nobody to write to.
   */
  async write(bytes: Buffer): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableEnded) throw new ClientGoneError()
    if (this.#socket.write(bytes)) return
    const over = new AbortController()
    const { signal } = over
    await Promise.race([once(this.#socket, 'drain', { signal }), closed(this.#socket, signal)])
      .catch(() => {
        throw new ClientGoneError()
      })
      .finally(() => over.abort())
  }

  /** Writes many messages, a chunk at a time. */
  async writeAll(messages: Iterable<Buffer>): Promise<void> {
    let chunk: Buffer[] = []
    let chunkBytes = 0
    for (const message of messages) {
      chunk.push(message)
      chunkBytes += message.length
      if (chunkBytes < CHUNK_BYTES) continue
      await this.write(Buffer.concat(chunk))
      chunk = []
      chunkBytes = 0
    }
    if (chunkBytes > 0) await this.write(Buffer.concat(chunk))
  }
}

async function closed(socket: Socket, signal: AbortSignal): Promise<never> {
  await once(socket, 'close', { signal })
  throw new ClientGoneError()
}
