import { SqlState } from '../../base/sql-state.ts'
import { ReplicationFullError } from '../../limits/limits-errors.ts'
import { destroyQuietly } from '../../server/open/dial.ts'
import { type OpenedServer, openServer } from '../../server/open/login.ts'
import { ServerLoginError } from '../../server/server-errors.ts'
import { homeSettings } from '../../tenancy/link.ts'
import type { ReplicationMode } from '../../tenancy/replication.ts'
import { ReplicationRefusedError } from '../../tenancy/tenancy-errors.ts'
import type { Admitted } from '../login/admit.ts'
import type { ClientChannel } from '../login/client-channel.ts'
import { greeting } from '../login/greeting.ts'
import { isOfClient } from '../login/take-seat.ts'
import { ClientGoneError, ClientSettingError, ShutdownError } from '../session-errors.ts'
import type { SessionOptions, SessionParts } from '../session-parts.ts'
import { type ReplicationAdmission, ReplicationSession, rightsOf } from './replication-session.ts'

/** What Postgres calls each mode in a startup packet. */
const PARAMETER = { database: 'database', physical: 'true' } as const

/** A client that has been admitted, and wants to replicate. */
export interface ReplicationArrival {
  readonly id: number
  readonly channel: ClientChannel
  readonly options: SessionOptions
  readonly signal: AbortSignal
  readonly acceptedMs: number
  /** Length of the secret in its cancel key, in bytes. */
  readonly keyBytes: 4 | 32
  readonly mode: ReplicationMode
}

/**
 * Opens a server connection for this client alone and joins the two.
 *
 * @throws ReplicationFullError - the tenant has as many as it may.
 * @throws ReplicationRefusedError - the server login may not replicate.
 * @throws ClientSettingError - the server refuses a value that the client asked for.
 * @throws the errors of `openServer`.
 */
export async function startReplication(
  arrival: ReplicationArrival,
  admitted: Admitted,
  parts: SessionParts,
): Promise<void> {
  const { tenant, replication } = admitted.route
  if (!parts.replicationGate.tryEnter(tenant, replication.maxSessions)) {
    throw new ReplicationFullError(tenant, replication.maxSessions)
  }
  try {
    const opened = await open(arrival, admitted)
    join({ ...arrival, opened }, admitted, parts)
  } catch (error) {
    parts.replicationGate.leave(tenant)
    throw error
  }
}

async function open(arrival: ReplicationArrival, admitted: Admitted): Promise<OpenedServer> {
  const { mode, options, signal } = arrival
  const { route, link } = admitted
  const settings = homeSettings(route, link).map(({ name, value }) => [name, value] as const)
  try {
    return await openServer(route.target, {
      startupParameters: [...settings, ['replication', PARAMETER[mode]]],
      timeoutMs: options.connectMs,
      signal,
    })
  } catch (error) {
    throw refusalOf(error, admitted)
  }
}

/** What the client can be told of a login that the server refused. */
function refusalOf(error: unknown, { link }: Admitted): unknown {
  if (!(error instanceof ServerLoginError)) return error
  if (isOfClient(error, link)) return new ClientSettingError(error, { cause: error })
  if (error.serverSqlState !== SqlState.insufficientPrivilege) return error
  const text = 'the server login of this tenant may not replicate'
  const hint = 'It needs the attribute REPLICATION, and the right to connect.'
  return new ReplicationRefusedError({ text, hint }, { cause: error })
}

function join(
  arrival: ReplicationArrival & { readonly opened: OpenedServer },
  { route, link, credential, since }: Admitted,
  parts: SessionParts,
): void {
  const { id, channel, mode, opened, options } = arrival
  const { socket } = channel
  if (socket.destroyed || parts.sessions.isDraining) {
    destroyQuietly(opened.socket)
    throw socket.destroyed ? new ClientGoneError() : new ShutdownError()
  }
  const admission: ReplicationAdmission = {
    ...{ id, route, link, mode, credential, since, opened },
    allowed: rightsOf(route.replication),
    cancelMs: options.cancelMs,
  }
  const session = new ReplicationSession(socket, admission, parts)
  const { processId, parameters, notices } = opened
  const key = parts.cancelKeys.issue(session, { processId, keyBytes: arrival.keyBytes })
  socket.write(greeting({ parameters, key, notices }))
  parts.observer.opened(route.tenant, parts.clock.nowMs() - arrival.acceptedMs)
  const { tenant, login } = route
  parts.logger.info('replication started', { session: id, tenant, login, mode })
  session.start(key.id, channel.release())
}
