import type { Socket } from 'node:net'
import { AuthenticationFailedError } from '../../auth/auth-errors.ts'
import type { CancelKey } from '../../cancel/cancel-keys.ts'
import { TenantFullError, type TooManyClientsError } from '../../limits/limits-errors.ts'
import type { Pool } from '../../pool/pool.ts'
import { CERTIFICATE_SOURCE } from '../../tenancy/tag.ts'
import { authenticationOk } from '../../wire/backend-messages.ts'
import { endClient } from '../end-client.ts'
import { weightOf } from '../error-weight.ts'
import { startReplication } from '../replication/replication.ts'
import { Session } from '../session.ts'
import {
  ClientGoneError,
  ClientSettingError,
  foreseen,
  ShutdownError,
  StartupTimeoutError,
  TlsHandshakeError,
} from '../session-errors.ts'
import type { SessionOptions, SessionParts } from '../session-parts.ts'
import { type Admitted, admit, hearClaim } from './admit.ts'
import { admitOperator } from './admit-operator.ts'
import { ClientChannel } from './client-channel.ts'
import { readFirstRequest } from './first-request.ts'
import { greeting } from './greeting.ts'
import { cancelKeyBytes } from './protocol-version.ts'
import { type Seat, takeOpenSeat } from './take-seat.ts'

/** How a connection came in. */
export interface Entrance {
  readonly isUnix: boolean
  /** Set when there is no room for a session: the client may cancel a query, and hears this else. */
  readonly refusal: TooManyClientsError | undefined
  /** Gives the place back that it took among the clients: it is counted elsewhere from now on. */
  leave(): void
}

let lastSessionId = 0

/** Who a client says it is, noted for the log as it becomes known. Nothing of it is proven. */
interface Claimant {
  login: string | undefined
  tenant: string | undefined
}

/** A login under way. */
interface Arrival {
  readonly id: number
  readonly claimant: Claimant
  readonly channel: ClientChannel
  readonly entrance: Entrance
  readonly options: SessionOptions
  readonly signal: AbortSignal
  readonly acceptedMs: number
}

/**
 * Serves one accepted connection: takes it through its login and starts its session, or forwards
 * its cancel request, or sends it away. Never rejects: this is where every failure of a login is
 * caught, logged once, and told to the client.
 */
export async function acceptClient(
  socket: Socket,
  entrance: Entrance,
  parts: SessionParts,
): Promise<void> {
  lastSessionId += 1
  const id = lastSessionId
  const options = parts.options()
  const controller = new AbortController()
  const { signal } = controller
  const timer = parts.clock.after(options.startupMs, () =>
    controller.abort(new StartupTimeoutError(options.startupMs)),
  )
  const channel = new ClientChannel(socket, { isUnix: entrance.isUnix, signal })
  const acceptedMs = parts.clock.nowMs()
  const claimant: Claimant = { login: undefined, tenant: undefined }
  try {
    await letIn({ id, claimant, channel, entrance, options, signal, acceptedMs }, parts)
  } catch (error) {
    sendAway({ id, claimant, channel }, error, parts)
  } finally {
    timer.cancel()
  }
}

async function letIn(arrival: Arrival, parts: SessionParts): Promise<void> {
  const { claimant, channel, entrance, options, signal } = arrival
  const packet = await readFirstRequest(channel, options.tls)
  if (packet.kind === 'cancel') {
    await cancel(packet, parts)
    endClient(channel.socket, undefined)
    return
  }
  claimant.login = packet.parameters.get('user')
  if (parts.console?.isMeant(packet.parameters) === true) {
    await admitOperator({ id: arrival.id, channel, packet, signal }, parts.console, parts)
    entrance.leave()
    return
  }
  if (entrance.refusal !== undefined) throw entrance.refusal
  if (parts.sessions.isDraining) throw new ShutdownError()
  const claim = hearClaim(packet, channel, options)
  Object.assign(claimant, { login: claim.login, tenant: claim.tenant })
  const admitted = await admit({ channel, claim, options, signal }, parts)
  try {
    await enterTenant(arrival, { ...admitted, keyBytes: cancelKeyBytes(packet) }, parts)
  } catch (error) {
    parts.observer.turnedAway(admitted.route.tenant, foreseen(error))
    throw error
  }
}

async function enterTenant(
  arrival: Arrival,
  admitted: Admitted & Pick<Login, 'keyBytes'>,
  parts: SessionParts,
): Promise<void> {
  const { tenant, maxClients } = admitted.route
  if (!parts.tenantGate.tryEnter(tenant, maxClients)) throw new TenantFullError(tenant, maxClients)
  const { keyBytes } = admitted
  const mode = admitted.claim.replication
  try {
    if (mode === 'none') await startPooled(arrival, admitted, parts)
    else await startReplication({ ...arrival, keyBytes, mode }, admitted, parts)
  } catch (error) {
    parts.tenantGate.leave(tenant)
    throw error
  }
}

async function startPooled(
  arrival: Arrival,
  admitted: Admitted & Pick<Login, 'keyBytes'>,
  parts: SessionParts,
): Promise<void> {
  const pool = parts.pools.enter(admitted.route)
  try {
    const { pauses } = parts
    const seat = await takeOpenSeat({ pool, pauses }, admitted, arrival.signal)
    try {
      startSession(arrival, { ...admitted, ...seat, pool }, parts)
    } catch (error) {
      seat.lease?.release()
      throw error
    }
  } catch (error) {
    parts.pools.leave(pool)
    throw error
  }
}

async function cancel(key: CancelKey, parts: SessionParts): Promise<void> {
  const target = parts.cancelKeys.find(key)
  parts.observer.cancelRequested(target !== undefined)
  await target?.cancel()
}

/** All that a session begins with. */
interface Login extends Admitted, Seat {
  readonly pool: Pool
  readonly keyBytes: 4 | 32
}

function startSession(arrival: Arrival, login: Login, parts: SessionParts): void {
  const { id, channel, options, acceptedMs } = arrival
  const { socket } = channel
  if (socket.destroyed) throw new ClientGoneError()
  if (parts.sessions.isDraining) throw new ShutdownError()
  const { route, lease, keyBytes } = login
  const isTenantCertified = login.claim.sources.includes(CERTIFICATE_SOURCE)
  const session = new Session(socket, { ...login, id, options, isTenantCertified }, parts)
  // Where the client keeps one server connection, it may know that by its process id.
  const { processId, notices } = lease?.server ?? {}
  const key = parts.cancelKeys.issue(session, { keyBytes, processId })
  socket.write(greeting({ parameters: login.parameters, key, notices }))
  parts.observer.opened(route.tenant, parts.clock.nowMs() - acceptedMs)
  logOpened(arrival, login, parts)
  session.start(key.id, channel.release())
}

function logOpened({ id, channel, acceptedMs }: Arrival, login: Login, parts: SessionParts): void {
  const { tenant, login: user, tenancy, pool } = login.route
  if (!parts.logger.isDebugging(tenant)) return
  parts.logger.debug('session opened', {
    session: id,
    tenant,
    login: user,
    client: channel.address,
    application: login.claim.settings.find(({ name }) => name === 'application_name')?.value,
    encrypted: channel.isEncrypted,
    strategy: tenancy.strategy,
    mode: pool.mode,
    loginMs: Math.round(parts.clock.nowMs() - acceptedMs),
  })
}

function sendAway(
  { id, claimant, channel }: Pick<Arrival, 'id' | 'claimant' | 'channel'>,
  thrown: unknown,
  { observer, logger }: SessionParts,
): void {
  const error = foreseen(thrown)
  channel.release()
  observer.refused(error)
  const who = { session: id, ...claimant, client: channel.address }
  if (error instanceof ClientGoneError) {
    logger.debug('client left before its login', who)
    channel.socket.destroy()
    return
  }
  const reason = error instanceof AuthenticationFailedError ? error.reason : undefined
  const { code, sqlState, message: detail } = error
  logger[weightOf(error)]('session refused', { ...who, code, sqlState, detail, reason })
  // Postgres, too, looks at settings when it knows whose they are.
  if (error instanceof ClientSettingError) channel.send(authenticationOk())
  if (error instanceof TlsHandshakeError) channel.socket.destroy()
  else endClient(channel.socket, error)
}
