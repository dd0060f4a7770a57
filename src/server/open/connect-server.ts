import type { Socket } from 'node:net'
import type { ServerTls } from '../../catalog/route.ts'
import { type ServerAddress, ServerLoginError } from '../server-errors.ts'
import { destroyQuietly, dial } from './dial.ts'
import { startTls } from './start-tls.ts'

/** `preferred`: plain where the server does no TLS, or the handshake fails. */
export type Encryption = 'none' | 'preferred' | 'required'

/** Where to connect to, and by which TLS. */
export interface Endpoint extends ServerAddress {
  readonly tls: ServerTls | undefined
}

/**
 * Opens a connection, encrypted or not, on which no Postgres message was said yet: a `TLSSocket`
 * tells that it is encrypted. It is paused or not flowing yet, and has no listeners: the caller
 * must attach its own at once.
 *
 * @throws ServerUnreachableError - refused, no such host, closed early, timed out or aborted.
 * @throws ServerLoginError - no TLS where it is required, or a certificate that is not accepted.
 */
export async function connectServer(
  endpoint: Endpoint,
  encryption: Encryption,
  signal: AbortSignal,
): Promise<Socket> {
  const { tls } = endpoint
  const socket = await dial(endpoint, { timeoutMs: 0, signal })
  if (tls === undefined || encryption === 'none') return socket
  try {
    const start = await startTls(socket, { address: endpoint, tls }, signal)
    if (start.kind === 'started') return start.socket
    if (start.kind === 'refused' && encryption === 'preferred') return socket
    if (start.kind === 'refused') throw noTls(endpoint)
    if (encryption === 'required') throw start.error
  } catch (error) {
    destroyQuietly(socket)
    throw error
  }
  destroyQuietly(socket)
  return dial(endpoint, { timeoutMs: 0, signal })
}

function noTls(address: ServerAddress): ServerLoginError {
  return new ServerLoginError(address, { reason: 'it does no TLS', isPermanent: true })
}
