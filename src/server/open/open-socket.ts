import type { OpenedSocket } from '../../catalog/postgres/connect-pg.ts'
import type { ServerTarget, ServerTls } from '../../catalog/route.ts'
import { connectServer, type Encryption } from './connect-server.ts'
import { isLoopbackAddress } from './loopback.ts'

/**
 * Connects to a server for a session of the proxy itself, encrypted as the target says.
 *
 * @throws ServerUnreachableError - refused, no such host, closed early, or aborted.
 * @throws ServerLoginError - no TLS where it is required, or a certificate that is not accepted.
 */
export async function openSocket(target: ServerTarget, signal: AbortSignal): Promise<OpenedSocket> {
  const socket = await connectServer(target, encryptionOf(target.tls), signal)
  const isLocal = target.host.startsWith('/') || isLoopbackAddress(socket.remoteAddress ?? '')
  return { socket, isPrivate: isLocal || 'encrypted' in socket }
}

function encryptionOf(tls: ServerTls | undefined): Encryption {
  if (tls === undefined) return 'none'
  return tls.mode === 'allow' || tls.mode === 'prefer' ? 'preferred' : 'required'
}
