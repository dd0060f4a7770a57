import type { Socket } from 'node:net'
import pg from 'pg'
import { SCRAM_SHA_256_PLUS } from '../../wire/scram/scram.ts'
import type { ServerTarget } from '../route.ts'

/** A connection to a server on which nothing was said yet but what TLS needs. */
export interface OpenedSocket {
  /** Not flowing, without listeners. */
  readonly socket: Socket
  /** Nobody in between can read what goes over it. */
  readonly isPrivate: boolean
}

/** Connects to a server, encrypted as its target says. The signal ends it at once. */
export type OpenSocket = (target: ServerTarget, signal: AbortSignal) => Promise<OpenedSocket>

/** A session of the proxy itself, in which no client's bytes run. */
export interface PgLogin {
  readonly target: ServerTarget
  readonly openSocket: OpenSocket
  /** As `pg_stat_activity` shows it. */
  readonly applicationName: string
  /** After that time the server gives a statement up, in ms; `undefined`: never. */
  readonly statementTimeoutMs: number | undefined
  /** Whether the server refuses to write. */
  readonly isReadOnly: boolean
}

interface SaslQuestion {
  readonly mechanisms: readonly string[]
}

/**
 * Logs in, with `search_path = pg_catalog`. Every parameter is given: `pg` would look in the
 * environment for those that are not.
 *
 * @throws Error - whatever went wrong, or the reason of the signal.
 */
export async function connectPg(login: PgLogin, signal: AbortSignal): Promise<pg.Client> {
  const { target, statementTimeoutMs, isReadOnly } = login
  const { socket, isPrivate } = await login.openSocket(target, signal)
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
    application_name: login.applicationName,
    options: `-c search_path=pg_catalog${isReadOnly ? ' -c default_transaction_read_only=on' : ''}`,
    statement_timeout: statementTimeoutMs ?? false,
  })
  client.connection.prependListener('authenticationCleartextPassword', () => {
    isExposed = !isPrivate
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
