import type { Pauses } from '../../limits/pauses.ts'
import { awaitLease } from '../../pool/await-lease.ts'
import type { Lease } from '../../pool/lease.ts'
import type { Pool } from '../../pool/pool.ts'
import { proveLink } from '../../pool/prove-link.ts'
import { LinkFailedError, ServerLoginError } from '../../server/server-errors.ts'
import { foldCase } from '../../sql/fold-case.ts'
import type { Link } from '../../tenancy/link.ts'
import { ClientSettingError, type SettingRefusal } from '../session-errors.ts'
import type { Admitted } from './admit.ts'

/** SQLSTATE class "data exception": a value that the server did not take. */
const DATA_EXCEPTION = '22'

/** What a session begins with. */
export interface Seat {
  readonly link: Link
  /** ParameterStatus values for the greeting. */
  readonly parameters: ReadonlyMap<string, string>
  /** Values of the session, in the server's own spelling; see `ProvenLink`. */
  readonly settings: ReadonlyMap<string, string>
  /** In session mode, the server connection that the client keeps until it leaves. */
  readonly lease: Lease | undefined
}

/**
 * Takes a server connection for the session, in session mode; in transaction mode makes sure that
 * the link works. Both tell what to greet the client with.
 *
 * @throws ClientSettingError - the server refuses a value that the client asked for.
 * @throws LinkFailedError - the link fails for another reason.
 * @throws the errors of a checkout.
 */
export async function takeSeat(
  pool: Pool,
  { route, link }: Pick<Admitted, 'route' | 'link'>,
  signal: AbortSignal,
): Promise<Seat> {
  const { waitMs } = route.timeouts
  try {
    if (route.pool.mode === 'transaction') {
      return { ...(await proveLink(pool, link, { waitMs, signal })), lease: undefined }
    }
    // What the server itself keeps apart is asked once for all sessions of the link.
    if (link.proof !== undefined) await proveLink(pool, link, { waitMs, signal })
    const lease = await awaitLease(pool, { link, mode: 'session', waitMs, signal })
    return { link, parameters: lease.server.parameters, settings: new Map(), lease }
  } catch (error) {
    const isRefusal = error instanceof LinkFailedError || error instanceof ServerLoginError
    if (!isRefusal || !isOfClient(error, link)) throw error
    throw new ClientSettingError(error, { cause: error })
  }
}

/**
 * The same for a tenant that an operator may have paused: waits until it goes on.
 *
 * @throws the errors of `takeSeat`, or the reason of the signal.
 */
export async function takeOpenSeat(
  { pool, pauses }: { readonly pool: Pool; readonly pauses: Pauses },
  admitted: Pick<Admitted, 'route' | 'link'>,
  signal: AbortSignal,
): Promise<Seat> {
  const { tenant } = admitted.route
  for (;;) {
    await pauses.passed(tenant, signal)
    const seat = await takeSeat(pool, admitted, signal)
    // What was paused meanwhile must not go on over a connection that was got before.
    if (seat.lease === undefined || !pauses.isPaused(tenant)) return seat
    seat.lease.release()
  }
}

/** Tenant's and client's settings travel together: the server names the one it refused. */
export function isOfClient(
  { serverSqlState = '', serverMessage = '' }: SettingRefusal,
  { clientSettings }: Link,
): boolean {
  if (serverSqlState.startsWith(DATA_EXCEPTION) && clientSettings.length > 0) return true
  return clientSettings.some(({ name }) => foldCase(serverMessage).includes(`"${name}"`))
}
