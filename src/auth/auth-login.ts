import type { Socket } from 'node:net'
import pg from 'pg'
import type { AuthQuery, ServerTarget, ServerTls } from '../catalog/route.ts'
import { connectServer, type Encryption } from '../server/open/connect-server.ts'
import { isLoopbackAddress } from '../server/open/loopback.ts'
import { SCRAM_SHA_256_PLUS } from '../wire/scram/scram.ts'

interface SaslQuestion {
  readonly mechanisms: readonly string[]
}

/**
 * Logs in to ask for logins. Every parameter is given: `pg` would look in the environment for those
 * that are not.
 *
 * @throws Error - whatever went wrong, or the reason of the signal.
 */
export async function logInToAsk(
  { target, timeoutMs }: AuthQuery,
  signal: AbortSignal,
): Promise<pg.Client> {
  const socket = await connectServer(target, encryptionOf(target.tls), signal)
  const giveUp = () => void socket.destroy(signal.reason)
  signal.addEventListener('abort', giveUp)
  let isBound = false
  let isExposed = false
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    password: () => passwordFor(target, { isBound, isExposed }),
    ssl: false,
    sslnegotiation: 'postgres',
    enableChannelBinding: target.tls !== undefined && target.tls.channelBinding !== 'disable',
    stream: () => asConnected(socket),
    client_encoding: 'UTF8',
    application_name: 'pgusher authQuery',
    options: '-c search_path=pg_catalog',
    statement_timeout: timeoutMs,
  })
  client.connection.prependListener('authenticationCleartextPassword', () => {
    isExposed = !isPrivate(target, socket)
  })
  client.connection.prependListener('authenticationSASL', ({ mechanisms }: SaslQuestion) => {
    isBound = mechanisms.includes(SCRAM_SHA_256_PLUS)
  })
  client.on('error', () => {})
  try {
    return await client.connect()
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

function encryptionOf(tls: ServerTls | undefined): Encryption {
  if (tls === undefined) return 'none'
  return tls.mode === 'allow' || tls.mode === 'prefer' ? 'preferred' : 'required'
}

/** How the server asks for the password. */
interface Question {
  /** It can be told from one who stands in between. */
  readonly isBound: boolean
  /** Others could read the answer. */
  readonly isExposed: boolean
}

/** @throws Error - there is no password, or a reason not to show it. */
function passwordFor({ password, tls }: ServerTarget, { isBound, isExposed }: Question): string {
  if (isExposed) throw new Error('it asks for the password in clear over the network')
  if (tls?.channelBinding === 'require' && !isBound) throw new Error('it offers no channel binding')
  if (password === undefined) throw new Error('it asks for a password, none is configured')
  return password
}

function isPrivate({ host }: ServerTarget, socket: Socket): boolean {
  if (host.startsWith('/') || isLoopbackAddress(socket.remoteAddress ?? '')) return true
  return 'encrypted' in socket
}

/** `pg` wants to connect for itself; the connection is there already. */
function asConnected(socket: Socket): Socket {
  const connect = () => {
    process.nextTick(() => {
      socket.emit('connect')
      socket.resume()
    })
    return socket
  }
  return Object.defineProperty(socket, 'connect', { value: connect })
}
