import type { Clock } from '../base/clock.ts'
import { reasonOf } from '../base/deadline.ts'
import { PgConnections } from '../catalog/postgres/pg-connections.ts'
import type { AuthQuery } from '../catalog/route.ts'
import { openSocket } from '../server/open/open-socket.ts'
import { AuthQueryFailedError } from './auth-errors.ts'

type Rows = readonly (readonly unknown[])[]

/** What stands around the connections of one `authQuery`. */
export interface AuthConnectionsParts {
  readonly clock: Clock
  /** Told when the last connection is closed and nobody asks. */
  emptied(): void
}

/** The connections of one `authQuery`. The login alone goes over them, as a bound parameter. */
export class AuthConnections {
  readonly #authQuery: AuthQuery
  readonly #connections: PgConnections

  constructor(authQuery: AuthQuery, parts: AuthConnectionsParts) {
    const { target, timeoutMs, maxConnections } = authQuery
    const login = {
      target,
      openSocket,
      applicationName: 'pgusher authQuery',
      statementTimeoutMs: timeoutMs,
      isReadOnly: false,
    }
    this.#authQuery = authQuery
    this.#connections = new PgConnections({ login, maxConnections, timeoutMs }, parts)
  }

  /** @throws AuthQueryFailedError - no answer within `timeoutMs`, or none at all. */
  async ask(login: string): Promise<Rows> {
    const { target, query: text } = this.#authQuery
    try {
      const { rows } = await this.#connections.run((client) =>
        client.query<unknown[]>({ text, values: [login], rowMode: 'array' }),
      )
      return rows
    } catch (cause) {
      throw new AuthQueryFailedError(target, { reason: reasonOf(cause), cause })
    }
  }

  /** Closes what is idle now, and what is busy as soon as it has its answer. */
  close(): void {
    this.#connections.close()
  }
}
