import type { Socket } from 'node:net'
import type { AuthChannel } from '../auth/authenticate.ts'
import { isLoopbackAddress } from '../server/loopback.ts'
import { MessageBuffer } from '../wire/message-buffer.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import type { FirstPacket } from '../wire/startup-packet.ts'
import { firstPacketBytes, parseFirstPacket } from '../wire/startup-packet.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'
import { ClientGoneError } from './session-errors.ts'

/** Longest message of a login, as Postgres has it (`PG_MAX_AUTH_TOKEN_LENGTH`). */
const MAX_LOGIN_MESSAGE_BYTES = 65_535

interface PendingRead {
  resolve(): void
  reject(reason: unknown): void
}

/**
 * A client's connection while it logs in: whole packets, read one at a time. The socket is paused
 * between reads, so a client that is not trusted yet makes the proxy hold one chunk at most.
 */
export class ClientChannel implements AuthChannel {
  readonly isLoopback: boolean
  readonly isEncrypted = false
  /** The client's address, for logs and limits; `local` for a unix socket. */
  readonly address: string
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #messages = new MessageBuffer(MAX_LOGIN_MESSAGE_BYTES)
  #bytes: Buffer = Buffer.alloc(0)
  #pending: PendingRead | undefined
  #isGone = false

  /** @param signal - Ends every read, with its reason as the error. */
  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket
    this.#signal = signal
    this.address = socket.remoteAddress ?? 'local'
    // A unix socket has no address, and is local all the same.
    this.isLoopback = socket.remoteAddress === undefined || isLoopbackAddress(socket.remoteAddress)
    socket.on('data', this.#received)
    socket.on('end', this.#gone)
    socket.on('close', this.#gone)
    signal.addEventListener('abort', this.#aborted)
    socket.pause()
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /**
   * The next packet without a type byte.
   *
   * @throws ProtocolViolationError - it is none, too long, or something follows a request to
   * negotiate encryption: those bytes may not come from the client.
   */
  async firstPacket(): Promise<FirstPacket> {
    let packetBytes = firstPacketBytes(this.#bytes)
    while (packetBytes === undefined || this.#bytes.length < packetBytes) {
      await this.#more()
      packetBytes = firstPacketBytes(this.#bytes)
    }
    const packet = parseFirstPacket(this.#bytes.subarray(0, packetBytes))
    this.#bytes = this.#bytes.subarray(packetBytes)
    const isNegotiation = packet.kind === 'sslRequest' || packet.kind === 'gssEncRequest'
    if (isNegotiation && this.#bytes.length > 0) {
      throw new ProtocolViolationError('received unencrypted data after an encryption request')
    }
    return packet
  }

  async receivePassword(): Promise<Buffer> {
    for (;;) {
      this.#messages.push(this.#bytes)
      this.#bytes = Buffer.alloc(0)
      const message = this.#messages.next()
      if (message === undefined) {
        await this.#more()
      } else if (message.code === FrontendCode.password) {
        return message.body
      } else {
        throw new ProtocolViolationError('expected a password message')
      }
    }
  }

  /** Stops listening. Returns what came after the login: it belongs to the session. */
  release(): Buffer {
    this.#socket.off('data', this.#received)
    this.#socket.off('end', this.#gone)
    this.#socket.off('close', this.#gone)
    this.#signal.removeEventListener('abort', this.#aborted)
    return Buffer.concat([this.#messages.rest(), this.#bytes])
  }

  #more(): Promise<void> {
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason)
    if (this.#isGone || this.#socket.destroyed) return Promise.reject(new ClientGoneError())
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#socket.resume()
    })
  }

  readonly #received = (chunk: Buffer): void => {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    this.#socket.pause()
    this.#take()?.resolve()
  }

  readonly #gone = (): void => {
    this.#isGone = true
    this.#take()?.reject(new ClientGoneError())
  }

  readonly #aborted = (): void => {
    this.#take()?.reject(this.#signal.reason)
  }

  #take(): PendingRead | undefined {
    const pending = this.#pending
    this.#pending = undefined
    return pending
  }
}
