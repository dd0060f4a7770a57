import type { Socket } from 'node:net'
import { AuthenticationFailedError } from '../auth/auth-errors.ts'
import type { CancelKey } from '../cancel/cancel-keys.ts'
import { TenantFullError } from '../limits/limits-errors.ts'
import type { Pool, ProvenLink } from '../pool/pool.ts'
import {
  authenticationOk,
  backendKeyData,
  parameterStatus,
  readyForQuery,
} from '../wire/backend-messages.ts'
import type { FirstPacket } from '../wire/startup-packet.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'
import { type Admitted, admit, learnParameters } from './admit.ts'
import { ClientChannel } from './client-channel.ts'
import { endClient } from './end-client.ts'
import { Session } from './session.ts'
import { ClientGoneError, foreseen, ShutdownError, StartupTimeoutError } from './session-errors.ts'
import type { SessionOptions, SessionParts } from './session-parts.ts'

/** Answer to a request to negotiate encryption: not here. */
const NO_ENCRYPTION = Buffer.from('N')

let lastSessionId = 0

/** A login under way. */
interface Arrival {
  readonly id: number
  readonly socket: Socket
  readonly channel: ClientChannel
  readonly options: SessionOptions
  readonly signal: AbortSignal
  readonly acceptedMs: number
}

/**
 * Serves one accepted connection: takes it through its login and starts its session, or forwards
 * its cancel request, or sends it away. Never rejects: this is where every failure of a login is
 * caught, logged once, and told to the client.
 */
export async function acceptClient(socket: Socket, parts: SessionParts): Promise<void> {
  lastSessionId += 1
  const id = lastSessionId
  const options = parts.options()
  const controller = new AbortController()
  const { signal } = controller
  const timer = parts.clock.after(options.startupMs, () =>
    controller.abort(new StartupTimeoutError(options.startupMs)),
  )
  // A reset connection reports an error and then closes: the close is what the session acts on.
  socket.on('error', destroySocket)
  const channel = new ClientChannel(socket, signal)
  const acceptedMs = parts.clock.nowMs()
  try {
    await letIn({ id, socket, channel, options, signal, acceptedMs }, parts)
  } catch (error) {
    sendAway({ id, socket, channel }, error, parts)
  } finally {
    timer.cancel()
  }
}

/** No closure: one would keep the login's signal and timer for as long as the session lasts. */
function destroySocket(this: Socket): void {
  this.destroy()
}

async function letIn(arrival: Arrival, parts: SessionParts): Promise<void> {
  const { channel, options, signal } = arrival
  const packet = await readRequest(channel)
  if (packet.kind === 'cancel') {
    await cancel(packet, parts)
    endClient(arrival.socket, undefined)
    return
  }
  if (parts.sessions.isDraining) throw new ShutdownError()
  const admitted = await admit({ channel, packet, options, signal }, parts)
  const { tenant, maxClients } = admitted.route
  if (!parts.tenantGate.tryEnter(tenant, maxClients)) throw new TenantFullError(tenant, maxClients)
  const pool = parts.pools.enter(admitted.route)
  try {
    const proven = await learnParameters(pool, admitted, signal)
    startSession(arrival, { ...admitted, ...proven, pool }, parts)
  } catch (error) {
    parts.pools.leave(pool)
    parts.tenantGate.leave(tenant)
    throw error
  }
}

/** Encryption is declined, at most once a kind, and then the startup or cancel request comes. */
async function readRequest(
  channel: ClientChannel,
): Promise<Extract<FirstPacket, { kind: 'startup' | 'cancel' }>> {
  const declined = new Set<FirstPacket['kind']>()
  for (;;) {
    const packet = await channel.firstPacket()
    if (packet.kind === 'startup' || packet.kind === 'cancel') return packet
    if (declined.has(packet.kind)) throw new ProtocolViolationError('unexpected startup packet')
    declined.add(packet.kind)
    channel.send(NO_ENCRYPTION)
  }
}

async function cancel(key: CancelKey, parts: SessionParts): Promise<void> {
  const target = parts.cancelKeys.find(key)
  parts.observer.cancelRequested(target !== undefined)
  await target?.cancel()
}

function startSession(
  arrival: Arrival,
  login: Admitted & ProvenLink & { readonly pool: Pool },
  parts: SessionParts,
): void {
  const { id, socket, channel, options, acceptedMs } = arrival
  if (socket.destroyed) throw new ClientGoneError()
  if (parts.sessions.isDraining) throw new ShutdownError()
  const { route, link } = login
  const session = new Session(socket, { id, route, link, pool: login.pool, options }, parts)
  const key = parts.cancelKeys.issue(session)
  socket.write(greeting(login.parameters, key))
  parts.observer.opened(route.tenant, parts.clock.nowMs() - acceptedMs)
  parts.logger.debug('session opened', { session: id, tenant: route.tenant, login: route.login })
  session.start(key.processId, channel.release())
}

/** What ends a login: it is all said in one write. */
function greeting(parameters: ReadonlyMap<string, string>, key: CancelKey): Buffer {
  return Buffer.concat([
    authenticationOk(),
    ...[...parameters].map(([name, value]) => parameterStatus(name, value)),
    backendKeyData(key.processId, key.secretKey),
    readyForQuery('I'),
  ])
}

function sendAway(
  { id, socket, channel }: Pick<Arrival, 'id' | 'socket' | 'channel'>,
  thrown: unknown,
  { observer, logger }: SessionParts,
): void {
  const error = foreseen(thrown)
  channel.release()
  observer.refused(error)
  if (error instanceof ClientGoneError) {
    logger.debug('client left before its login', { session: id, client: channel.address })
    socket.destroy()
    return
  }
  const reason = error instanceof AuthenticationFailedError ? error.reason : undefined
  logger.warn('session refused', {
    session: id,
    client: channel.address,
    code: error.code,
    sqlState: error.sqlState,
    detail: error.message,
    reason,
  })
  endClient(socket, error)
}
