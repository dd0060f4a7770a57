import type { ServerTarget } from '../catalog/route.ts'
import type { Pool } from '../pool/pool.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import { forwardCancel } from './forward-cancel.ts'

/** Where a session's queries run. */
export interface QueryCancelerParts {
  readonly target: ServerTarget
  readonly pool: Pool
  /** Longest wait for a cancel request to get through, in ms. */
  readonly timeoutMs: number
}

/** Hands on the cancel requests for one session's queries, one at a time. */
export class QueryCanceler {
  readonly #parts: QueryCancelerParts
  #isUnderWay = false

  constructor(parts: QueryCancelerParts) {
    this.#parts = parts
  }

  /**
   * Asks the server to give up the client's query that runs there, if one does. Until the request
   * has reached its end, the connection is not lent to anybody else.
   *
   * @throws ServerUnreachableError - the request may or may not have got through: the connection is
   * not used again.
   */
  async cancel(server: ServerConnection): Promise<void> {
    // A server that gave no cancel key can't be asked.
    if (server.processId === 0 || this.#isUnderWay) return
    if (server.isSettled || server.isOccupied) return
    const { target, pool, timeoutMs } = this.#parts
    this.#isUnderWay = true
    const endHold = pool.holdForCancel(server)
    try {
      await forwardCancel(target, server, { timeoutMs })
    } catch (error) {
      // It may still be on its way: whatever runs there next must not be hit by it.
      server.distrust()
      throw error
    } finally {
      this.#isUnderWay = false
      endHold()
    }
  }
}
