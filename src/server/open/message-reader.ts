import type { Socket } from 'node:net'
import { reasonOf } from '../../base/deadline.ts'
import { MessageBuffer, type WireMessage } from '../../wire/message-buffer.ts'
import { type ServerAddress, ServerUnreachableError } from '../server-errors.ts'

/** No message of a login comes near this; a peer that isn't Postgres may claim any length. */
const MAX_MESSAGE_BYTES = 1024 * 1024

/**
 * Takes a server's messages one at a time while it is being logged in to. The socket flows only
 * while a message is awaited, so that a talkative server can't fill the memory.
 */
export class MessageReader {
  readonly #socket: Socket
  readonly #address: ServerAddress
  readonly #signal: AbortSignal
  readonly #messages = new MessageBuffer(MAX_MESSAGE_BYTES)
  #failure: ServerUnreachableError | undefined
  #wake: () => void = () => {}

  /** @param signal - Fails the awaited message when it aborts. */
  constructor(socket: Socket, address: ServerAddress, signal: AbortSignal) {
    this.#socket = socket
    this.#address = address
    this.#signal = signal
    socket.on('data', this.#onChunk).on('error', this.#onError).on('close', this.#onClose)
    socket.pause()
    if (signal.aborted) this.#onAbort()
    signal.addEventListener('abort', this.#onAbort)
  }

  /**
   * The next message. What came before the connection ended is still handed out.
   *
   * @throws ServerUnreachableError - the connection ended, or the signal aborted.
   * @throws ProtocolViolationError - the server sent a length that no message has.
   */
  async next(): Promise<WireMessage> {
    for (;;) {
      const message = this.#messages.next()
      if (message !== undefined) return message
      if (this.#failure !== undefined) throw this.#failure
      await this.#nextEvent()
    }
  }

  /** Lets go of the socket, which is left paused. Returns the bytes that no message was made of. */
  release(): Buffer {
    this.#socket.pause()
    this.#socket.off('data', this.#onChunk).off('error', this.#onError).off('close', this.#onClose)
    this.#signal.removeEventListener('abort', this.#onAbort)
    return this.#messages.rest()
  }

  #nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#socket.resume()
    })
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= new ServerUnreachableError(this.#address, { reason, cause })
    this.#wake()
  }

  readonly #onChunk = (chunk: Buffer): void => {
    this.#socket.pause()
    this.#messages.push(chunk)
    this.#wake()
  }

  readonly #onError = (error: Error): void => this.#fail(reasonOf(error), error)
  readonly #onClose = (): void => this.#fail('it closed the connection during login')
  readonly #onAbort = (): void => this.#fail(reasonOf(this.#signal.reason), this.#signal.reason)
}
