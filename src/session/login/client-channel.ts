import type { Socket } from 'node:net'
import type { AuthChannel, ClientCertificate } from '../../auth/auth-channel.ts'
import { isLoopbackAddress } from '../../server/open/loopback.ts'
import type { TlsNames } from '../../tenancy/tag.ts'
import { MessageBuffer } from '../../wire/message-buffer.ts'
import { FrontendCode } from '../../wire/message-codes.ts'
import type { FirstPacket } from '../../wire/startup-packet.ts'
import { firstPacketBytes, parseFirstPacket } from '../../wire/startup-packet.ts'
import { ProtocolViolationError } from '../../wire/wire-errors.ts'
import { ClientGoneError } from '../session-errors.ts'
import type { ClientTls, SecuredConnection } from './client-tls.ts'

/** Longest message of a login, as Postgres has it (`PG_MAX_AUTH_TOKEN_LENGTH`). */
const MAX_LOGIN_MESSAGE_BYTES = 65_535

/** The first byte of TLS; no packet of Postgres' begins with it. */
const TLS_HANDSHAKE = 0x16

/** How a client's connection came in. */
export interface ChannelOptions {
  readonly isUnix: boolean
  /** Ends every read, with its reason as the error. */
  readonly signal: AbortSignal
}

interface PendingRead {
  resolve(): void
  reject(reason: unknown): void
}

/**
 * A client's connection while it logs in: whole packets, read one at a time. The socket is paused
 * between reads, so a client that is not trusted yet makes the proxy hold one chunk at most.
 */
export class ClientChannel implements AuthChannel {
  readonly isUnix: boolean
  readonly isLoopback: boolean
  /** The client's address, for logs and limits; `local` for a unix socket. */
  readonly address: string
  readonly #signal: AbortSignal
  #socket: Socket
  #tls: SecuredConnection | undefined
  readonly #messages = new MessageBuffer(MAX_LOGIN_MESSAGE_BYTES)
  #bytes: Buffer = Buffer.alloc(0)
  #pending: PendingRead | undefined
  #isGone = false

  constructor(socket: Socket, { isUnix, signal }: ChannelOptions) {
    this.#socket = socket
    this.#signal = signal
    this.isUnix = isUnix
    this.address = isUnix ? 'local' : (socket.remoteAddress ?? 'gone')
    this.isLoopback = isUnix || isLoopbackAddress(this.address)
    signal.addEventListener('abort', this.#aborted)
    this.#listen()
  }

  /** What the client speaks over: its TLS once that has started. */
  get socket(): Socket {
    return this.#socket
  }

  get isEncrypted(): boolean {
    return this.#tls !== undefined
  }

  get tlsServerEndPoint(): Buffer | undefined {
    return this.#tls?.serverEndPoint
  }

  get clientCertificate(): ClientCertificate | undefined {
    return this.#tls?.certificate
  }

  /** Why the certificate that the client gave is not to be trusted. */
  get certificateFault(): string | undefined {
    return this.#tls?.certificateFault
  }

  /** The names that can stand for a tenant: a certificate's common name where it has no other. */
  get tlsNames(): TlsNames {
    const { serverName, certificate } = this.#tls ?? {}
    const { dnsNames = [], commonName } = certificate ?? {}
    const certificateNames = dnsNames.length > 0 ? dnsNames : [commonName ?? []].flat()
    return { serverName, certificateNames }
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** Resolves when the bytes have left the proxy. */
  sendAll(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(new ClientGoneError()) : resolve()))
    })
  }

  /** Whether the client starts TLS without asking. Reads no further than its first bytes. */
  async beginsWithTls(): Promise<boolean> {
    while (this.#bytes.length === 0) await this.#more()
    return this.#bytes[0] === TLS_HANDSHAKE
  }

  /**
   * Goes on in TLS. What has been read and not used is the beginning of the handshake.
   *
   * @throws the errors of `ClientTls.secure`.
   */
  async startTls(tls: ClientTls): Promise<SecuredConnection> {
    this.#unlisten()
    if (this.#bytes.length > 0) this.#socket.unshift(this.#bytes)
    this.#bytes = Buffer.alloc(0)
    this.#tls = await tls.secure(this.#socket, this.#signal)
    this.#socket = this.#tls.socket
    this.#listen()
    return this.#tls
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
    this.#unlisten()
    this.#signal.removeEventListener('abort', this.#aborted)
    return Buffer.concat([this.#messages.rest(), this.#bytes])
  }

  #listen(): void {
    this.#socket.on('data', this.#received)
    this.#socket.on('end', this.#gone)
    this.#socket.on('close', this.#gone)
    // A reset connection reports an error and then closes: the close is what is acted on.
    this.#socket.on('error', destroySocket)
    this.#socket.pause()
  }

  /** The error listener stays: an error that nobody listens to would end the process. */
  #unlisten(): void {
    this.#socket.off('data', this.#received)
    this.#socket.off('end', this.#gone)
    this.#socket.off('close', this.#gone)
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

/** No closure: one would keep the login's signal and timer for as long as the session lasts. */
function destroySocket(this: Socket): void {
  this.destroy()
}
