import { constants, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { ClientCertificate } from '../../auth/auth-channel.ts'
import { endPointHash } from '../../wire/scram/channel-binding.ts'
import { ALPN_PROTOCOL } from '../../wire/startup-packet.ts'
import { ClientGoneError, TlsHandshakeError } from '../session-errors.ts'
import { readDnsNames } from './certificate-names.ts'

/**
 * No session is resumed: a client that reconnects shows its certificate anew. Renegotiation only
 * costs. Postgres has both switched off as well.
 */
const SECURE_OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION

/** How the proxy meets clients that want TLS. Texts are PEM. */
export interface ClientTlsOptions {
  /** Whether clients over TCP must use it. */
  readonly isRequired: boolean
  /** Our own certificate, with those between it and its root. */
  readonly cert: string
  readonly key: string
  /** Who vouches for the certificates of clients; without it they are not asked for one. */
  readonly ca: string | undefined
}

/** A connection that speaks TLS. */
export interface SecuredConnection {
  readonly socket: TLSSocket
  /** The name that the client asked for (SNI), in lower case. */
  readonly serverName: string | undefined
  readonly isPostgresAgreed: boolean
  readonly serverEndPoint: Buffer | undefined
  /** `undefined` unless it was verified. */
  readonly certificate: ClientCertificate | undefined
  /** Why the certificate that the client gave is not to be trusted. */
  readonly certificateFault: string | undefined
}

/** A handshake under way; each may be called once, the first counts. */
interface Handshake {
  succeeded(socket: TLSSocket): void
  failed(reason: string): void
}

/**
 * TLS with clients by one certificate. A new certificate is a new object: the connections that the
 * old one secured live on.
 */
export class ClientTls {
  readonly isRequired: boolean
  readonly #serverEndPoint: Buffer | undefined
  /** Never listens: it is handed connections that have come elsewhere. */
  readonly #server: Server
  /** By both ends of the connection, which is all that Node lets one know it by. */
  readonly #handshakes = new Map<string, Handshake>()

  /** @throws Error - of OpenSSL, when certificate and key don't fit. */
  constructor({ isRequired, cert, key, ca }: ClientTlsOptions) {
    this.isRequired = isRequired
    this.#serverEndPoint = endPointHash(new X509Certificate(cert).raw)
    this.#server = createServer({
      cert,
      key,
      ...(ca === undefined ? {} : { ca }),
      requestCert: ca !== undefined,
      // Checked by us: a client learns more from an ErrorResponse than from a lost connection.
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN_PROTOCOL],
      minVersion: 'TLSv1.2',
      secureOptions: SECURE_OPTIONS,
      pauseOnConnect: true,
    })
    this.#server.on('secureConnection', (socket) => {
      this.#handshakes.get(endsOf(socket))?.succeeded(socket)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      this.#handshakes.get(endsOf(socket))?.failed(reasonOf(error))
    })
  }

  /**
   * Takes a connection through its handshake. The socket must be paused, with nothing unwritten;
   * what was read too early is put back with `unshift`. It is closed when this fails.
   *
   * @param signal - Gives up, with its reason as the error.
   * @throws TlsHandshakeError - the two sides don't come to terms, or the client hung up. A client
   * that does so at once may take the reason with it, since its connection has no ends any more.
   * @throws ClientGoneError - the client was gone before.
   */
  async secure(raw: Socket, signal: AbortSignal): Promise<SecuredConnection> {
    // Its close would not be heard any more.
    if (raw.destroyed) throw new ClientGoneError()
    const ends = endsOf(raw)
    let forget = () => {}
    try {
      const socket = await new Promise<TLSSocket>((resolve, reject) => {
        const closed = () => reject(new TlsHandshakeError('the client hung up'))
        const aborted = () => reject(signal.reason)
        const handshake: Handshake = {
          succeeded: resolve,
          failed: (reason) => reject(new TlsHandshakeError(reason)),
        }
        forget = () => {
          raw.off('close', closed)
          signal.removeEventListener('abort', aborted)
          if (this.#handshakes.get(ends) === handshake) this.#handshakes.delete(ends)
        }
        this.#handshakes.set(ends, handshake)
        raw.once('close', closed)
        signal.addEventListener('abort', aborted)
        this.#server.emit('connection', raw)
      })
      return this.#describe(socket)
    } catch (error) {
      raw.destroy()
      throw error
    } finally {
      forget()
    }
  }

  #describe(socket: TLSSocket): SecuredConnection {
    const { authorizationError, servername } = socket as TLSSocket & { servername: string | false }
    const isGiven = socket.getPeerX509Certificate() !== undefined
    return {
      socket,
      serverName: servername === false ? undefined : servername.toLowerCase(),
      isPostgresAgreed: socket.alpnProtocol === ALPN_PROTOCOL,
      serverEndPoint: this.#serverEndPoint,
      certificate: isGiven && socket.authorized ? namesOf(socket) : undefined,
      certificateFault: isGiven && !socket.authorized ? String(authorizationError) : undefined,
    }
  }
}

function namesOf(socket: TLSSocket): ClientCertificate {
  const { subject, subjectaltname } = socket.getPeerCertificate()
  // Several of them come as a list, whatever the type says.
  const commonNames: readonly string[] = [subject?.CN ?? []].flat()
  return { commonName: commonNames.at(-1), dnsNames: readDnsNames(subjectaltname) }
}

/** No two open connections have the same ends. */
function endsOf(socket: Socket): string {
  const { localAddress, localPort, remoteAddress, remotePort } = socket
  return [localAddress, localPort, remoteAddress, remotePort].join(' ')
}

/** OpenSSL's own words, without the place in its sources. */
function reasonOf(error: Error & { readonly reason?: string }): string {
  return error.reason ?? error.message
}
