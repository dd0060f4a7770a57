import { cancelQuery } from '../cancel/cancel-query.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { Admission } from './admission.ts'

/** The cancel requests of one session that are on their way to a server. */
export class QueryCancels {
  #underWay = 0

  get isUnderWay(): boolean {
    return this.#underWay > 0
  }

  /**
   * Asks the server to give up the query that runs there.
   *
   * @throws ServerUnreachableError - see `cancelQuery`.
   */
  async send(server: ServerConnection, { pool, route, options }: Admission): Promise<void> {
    this.#underWay += 1
    try {
      await cancelQuery(server, { target: route.target, pool, timeoutMs: options.cancelMs })
    } finally {
      this.#underWay -= 1
    }
  }
}
