import type { ServerTarget } from '../catalog/route.ts'
import type { Pool } from '../pool/pool.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import { forwardCancel } from './forward-cancel.ts'

/** Where a session's queries run. */
export interface QueryPlace {
  readonly target: ServerTarget
  readonly pool: Pool
  /** Longest wait for a cancel request to get through, in ms. */
  readonly timeoutMs: number
}

/**
 * Asks the server to give up the client's query that runs on a leased connection, if one does.
 * Until the request has reached its end, the connection is not lent to anybody else. Several may
 * be on their way: each is meant for the query that ran when it came.
 *
 * @throws ServerUnreachableError - the request may or may not have got through: the connection is
 * not used again.
 */
export async function cancelQuery(server: ServerConnection, place: QueryPlace): Promise<void> {
  // A server that gave no cancel key can't be asked.
  if (server.processId === 0 || server.isSettled || server.isOccupied) return
  const { target, pool, timeoutMs } = place
  const endHold = pool.holdForCancel(server)
  try {
    await forwardCancel(target, server, { timeoutMs })
  } catch (error) {
    // It may still be on its way: whatever runs there next must not be hit by it.
    server.distrust()
    throw error
  } finally {
    endHold()
  }
}
