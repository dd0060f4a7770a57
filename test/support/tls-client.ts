import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { int32, packet, RawClient } from './raw-client.ts'

export const SSL_REQUEST: Buffer = packet(int32(80_877_103))
export const GSS_REQUEST: Buffer = packet(int32(80_877_104))

/** How a client starts TLS. */
export interface TlsClientOptions extends ConnectionOptions {
  /** Without an SSLRequest, with ALPN unless `ALPNProtocols` says otherwise. @defaultValue `false` */
  readonly isDirect?: boolean
}

/** Opens a TCP connection to the proxy. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Sends a request to negotiate encryption. Resolves to the answer, one letter. */
export async function askFor(socket: Socket, request: Buffer): Promise<string> {
  socket.write(request)
  socket.resume()
  const [answer] = await once(socket, 'data')
  socket.pause()
  return String(answer)
}

/** A connection in TLS, whose certificate is verified as far as `options` say. */
export async function openTls(port: number, options: TlsClientOptions): Promise<TLSSocket> {
  const { isDirect = false, ...rest } = options
  const socket = await openSocket(port)
  if (!isDirect && (await askFor(socket, SSL_REQUEST)) !== 'S') throw new Error('TLS is refused')
  const standard = isDirect ? { ALPNProtocols: ['postgresql'] } : {}
  const secured = tlsConnect({ ...standard, ...rest, socket })
  await once(secured, 'secureConnect')
  return secured
}

/** A raw client in TLS. */
export async function tlsClient(port: number, options: TlsClientOptions): Promise<RawClient> {
  return RawClient.over(await openTls(port, options))
}
