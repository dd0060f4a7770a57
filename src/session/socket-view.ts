import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { EndPoint, SessionView } from './session-view.ts'

/** What can be told of a client's connection. */
export function socketView(socket: Socket): Pick<SessionView, 'client' | 'local' | 'tls'> {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  return {
    client: endPoint(remoteAddress, remotePort),
    local: endPoint(localAddress, localPort),
    tls: tlsText(socket),
  }
}

function endPoint(address: string | undefined, port: number | undefined): EndPoint | undefined {
  return address === undefined || port === undefined ? undefined : { address, port }
}

/** As PgBouncer shows it: version and cipher. */
function tlsText(socket: Socket): string {
  if (!(socket instanceof TLSSocket)) return ''
  return `${socket.getProtocol() ?? ''}/${socket.getCipher()?.name ?? ''}`
}
