import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type DeadlineOptions, withDeadline } from '../../base/deadline.ts'
import { ProxyError } from '../../base/proxy-error.ts'
import { SqlState } from '../../base/sql-state.ts'
import type { ServerTarget, ServerTls } from '../../catalog/route.ts'
import { startupMessage } from '../../wire/frontend-messages.ts'
import { BackendCode } from '../../wire/message-codes.ts'
import { readBackendKeyData, readParameterStatus } from '../../wire/message-fields.ts'
import { ServerLoginError, ServerUnreachableError } from '../server-errors.ts'
import { connectServer, type Encryption } from './connect-server.ts'
import { destroyQuietly } from './dial.ts'
import { MessageReader } from './message-reader.ts'
import { proveLogin } from './prove-login.ts'
import { type LoginExchange, nextReply, unexpectedMessage } from './server-reply.ts'

const STATUS_IDLE = 0x49

/** How a server connection is opened. The time limit covers everything up to ReadyForQuery. */
export interface OpenServerOptions extends DeadlineOptions {
  /** Sent beside `user` and `database`, in this order. */
  readonly startupParameters: Iterable<readonly [string, string]>
}

/** What the server tells of itself between AuthenticationOk and ReadyForQuery. */
interface ServerGreeting {
  /** `0` when the server gave no cancel key. */
  readonly processId: number
  /** Empty when the server gave no cancel key. */
  readonly secretKey: Buffer
  readonly parameters: Map<string, string>
  /** Bodies of the NoticeResponses that came before the settings, and behind them. */
  readonly notices: LoginNotices
}

/** What a server remarks in a login: of settings at first, at the end by its event triggers. */
export interface LoginNotices {
  readonly early: readonly Buffer[]
  readonly late: readonly Buffer[]
}

/** A server connection at its first ReadyForQuery, owned by whoever opened it. */
export interface OpenedServer extends ServerGreeting {
  /**
   * Paused and without listeners: the owner must attach its own at once, `error` above all. Its
   * chunks come as `data` events alone: it can't be iterated or piped.
   */
  readonly socket: Socket
  readonly isEncrypted: boolean
  /** Bytes that came after ReadyForQuery; usually none. */
  readonly rest: Buffer
}

/**
 * Connects to a server and logs in with the target's own credentials. A connection that doesn't
 * get as far as ReadyForQuery is destroyed.
 *
 * @throws ServerUnreachableError - refused, timed out, aborted or closed early.
 * @throws ServerLoginError - the server refused the login, didn't speak as Postgres does, or does
 *   not do TLS as the target asks.
 * @throws ProtocolViolationError - a startup parameter can't be put into a startup message.
 */
export async function openServer(
  target: ServerTarget,
  options: OpenServerOptions,
): Promise<OpenedServer> {
  const startup = startupMessage([
    ['user', target.user],
    ['database', target.database],
    ...options.startupParameters,
  ])
  return withDeadline(options, async (signal) => {
    const login = { target, startup, signal }
    const socket = await connectServer(target, firstEncryption(target.tls), signal)
    try {
      return await logIn(socket, login)
    } catch (error) {
      const other = otherEncryption(target.tls, socket, error)
      if (other === undefined) throw error
      return logIn(await connectServer(target, other, signal), login)
    }
  })
}

function firstEncryption(tls: ServerTls | undefined): Encryption {
  if (tls === undefined || tls.mode === 'allow') return 'none'
  return tls.mode === 'prefer' ? 'preferred' : 'required'
}

/**
 * What to try after a server refused a connection as it came, such as by `hostssl` in pg_hba.conf.
 * Unlike libpq, nothing is tried again for a wrong password: that would cost a second attempt, and
 * show an onlooker a proof that was refused over TLS.
 */
function otherEncryption(
  tls: ServerTls | undefined,
  socket: Socket,
  error: unknown,
): Encryption | undefined {
  const state = error instanceof ServerLoginError ? error.serverSqlState : undefined
  if (state !== SqlState.invalidAuthorizationSpecification) return undefined
  if (socket instanceof TLSSocket) return tls?.mode === 'prefer' ? 'none' : undefined
  return tls?.mode === 'allow' ? 'required' : undefined
}

interface Login {
  readonly target: ServerTarget
  readonly startup: Buffer
  readonly signal: AbortSignal
}

/** Owns the socket: one that does not get as far as ReadyForQuery is destroyed. */
async function logIn(socket: Socket, { target, startup, signal }: Login): Promise<OpenedServer> {
  const reader = new MessageReader(socket, target, signal)
  const exchange = { address: target, reader, target, socket, notices: [] }
  try {
    socket.write(startup)
    await proveLogin(exchange)
    const greeting = await readGreeting(exchange)
    const isEncrypted = socket instanceof TLSSocket
    return { socket, isEncrypted, ...greeting, rest: reader.release() }
  } catch (error) {
    reader.release()
    destroyQuietly(socket)
    throw loginErrorOf(target, error)
  }
}

async function readGreeting(exchange: LoginExchange): Promise<ServerGreeting> {
  const parameters = new Map<string, string>()
  let key = { processId: 0, secretKey: Buffer.alloc(0) }
  let early = 0
  for (;;) {
    const { code, body } = await nextReply(exchange)
    if (code === BackendCode.parameterStatus) {
      const { name, value } = readParameterStatus(body)
      parameters.set(name, value)
      if (parameters.size === 1) early = exchange.notices.length
    } else if (code === BackendCode.backendKeyData) {
      const { processId, secretKey } = readBackendKeyData(body)
      // Copied, as a view would keep the whole chunk alive for the life of the connection.
      key = { processId, secretKey: Buffer.from(secretKey) }
    } else if (code === BackendCode.readyForQuery && body[0] === STATUS_IDLE) {
      const { notices } = exchange
      const told = { early: notices.slice(0, early), late: notices.slice(early) }
      return { ...key, parameters, notices: told }
    } else {
      throw unexpectedMessage(exchange.address, code)
    }
  }
}

/** Turns what `wire/` says of malformed bytes into a failure of the server. */
function loginErrorOf(target: ServerTarget, error: unknown): unknown {
  if (error instanceof ServerUnreachableError || error instanceof ServerLoginError) return error
  if (!(error instanceof ProxyError)) return error
  return new ServerLoginError(target, { reason: error.message, isPermanent: false, cause: error })
}
