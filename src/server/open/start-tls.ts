import type { Socket } from 'node:net'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import { reasonOf } from '../../base/deadline.ts'
import type { ServerTls } from '../../catalog/route.ts'
import { sslRequest } from '../../wire/frontend-messages.ts'
import { ALPN_PROTOCOL } from '../../wire/startup-packet.ts'
import { type ServerAddress, ServerLoginError, ServerUnreachableError } from '../server-errors.ts'
import { destroyQuietly } from './dial.ts'
import { isAddress } from './loopback.ts'
import { secureContextOf } from './tls-settings.ts'

const YES = 0x53
const NO = 0x4e
const ERROR = 0x45

/** A server that may be spoken to by TLS, as a target's settings say. */
export interface TlsServer {
  readonly address: ServerAddress
  readonly tls: ServerTls
}

/** How it went; `refused` leaves the socket in use, for a plain login. */
export type TlsStart =
  | { readonly kind: 'started'; readonly socket: TLSSocket }
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly error: ServerLoginError | ServerUnreachableError }

/**
 * Encrypts a connection on which nothing was said yet. Either socket is handed out paused and
 * without listeners. A socket whose handshake failed is destroyed.
 *
 * @throws ServerUnreachableError - aborted, or closed before the server said whether it does TLS.
 * @throws ServerLoginError - the server answered as no Postgres does.
 */
export async function startTls(
  socket: Socket,
  server: TlsServer,
  signal: AbortSignal,
): Promise<TlsStart> {
  const waiting = { address: server.address, signal }
  if (server.tls.negotiation === 'postgres' && !(await isOffered(socket, waiting))) {
    return { kind: 'refused' }
  }
  const encrypted = encrypt(socket, server)
  try {
    await nextEvent(encrypted, 'secureConnect', waiting)
    requireProtocol(encrypted, server)
    return { kind: 'started', socket: encrypted }
  } catch (error) {
    destroyQuietly(encrypted)
    return { kind: 'failed', error: handshakeError(server, error) }
  }
}

/** Asks whether the server does TLS. It answers with a single byte. */
async function isOffered(socket: Socket, waiting: Waiting): Promise<boolean> {
  socket.write(sslRequest())
  const answer = await nextEvent(socket, 'data', waiting)
  const [first] = answer as Buffer
  // The text of an error is not shown: nobody knows yet who wrote it.
  if (first === ERROR) throw strange(waiting.address, 'it answered the request for TLS by an error')
  if (first !== YES && first !== NO) {
    throw strange(waiting.address, 'it answered the request for TLS as no Postgres does')
  }
  // What stands behind the answer was not encrypted, and would be taken for what was.
  if ((answer as Buffer).length !== 1) {
    throw strange(waiting.address, 'it said more than it may before TLS began')
  }
  return first === YES
}

function encrypt(socket: Socket, { address, tls }: TlsServer): TLSSocket {
  const { host } = address
  const isVerified = tls.rootCertificates !== undefined || tls.mode === 'verify-full'
  return connect({
    socket,
    host,
    ...(tls.isNameSent && !isAddress(host) ? { servername: host } : {}),
    ALPNProtocols: [ALPN_PROTOCOL],
    secureContext: secureContextOf(tls),
    rejectUnauthorized: isVerified,
    checkServerIdentity: tls.mode === 'verify-full' ? checkServerIdentity : anyIdentity,
  })
}

/** Without the server's word that it speaks Postgres, direct TLS could reach any other service. */
function requireProtocol({ alpnProtocol }: TLSSocket, { address, tls }: TlsServer): void {
  if (tls.negotiation === 'postgres' || alpnProtocol === ALPN_PROTOCOL) return
  throw new ServerLoginError(address, {
    reason: `TLS: it did not agree on the protocol ${ALPN_PROTOCOL}, as sslnegotiation=direct needs`,
    isPermanent: true,
  })
}

interface Waiting {
  readonly address: ServerAddress
  readonly signal: AbortSignal
}

/** The first argument of the event. The socket is left paused and without our listeners. */
function nextEvent(
  socket: Socket,
  event: 'data' | 'secureConnect',
  { address, signal }: Waiting,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off(event, onEvent).off('error', onError).off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      socket.pause()
      act()
    }
    const fail = (reason: string, cause?: unknown) =>
      settle(() => reject(new ServerUnreachableError(address, { reason, cause })))
    const onEvent = (value: unknown) => settle(() => resolve(value))
    const onError = (error: Error) => fail(reasonOf(error), error)
    const onClose = () => fail('it closed the connection before TLS began')
    const onAbort = () => fail(reasonOf(signal.reason), signal.reason)
    socket.on(event, onEvent).on('error', onError).on('close', onClose)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}

/** What OpenSSL finds fault with stays so until somebody changes the server or the settings. */
function handshakeError(
  { address }: TlsServer,
  error: unknown,
): ServerLoginError | ServerUnreachableError {
  if (error instanceof ServerLoginError) return error
  const cause = error instanceof ServerUnreachableError ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const isNetwork =
    code === '' || code === 'ECONNRESET' || (cause instanceof Error && 'syscall' in cause)
  if (isNetwork && error instanceof ServerUnreachableError) return error
  return new ServerLoginError(address, {
    reason: `TLS: ${reasonOf(cause)}`,
    isPermanent: true,
    cause,
  })
}

function strange(address: ServerAddress, reason: string): ServerLoginError {
  return new ServerLoginError(address, { reason, isPermanent: false })
}

function anyIdentity(): undefined {}
