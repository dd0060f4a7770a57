import pg from 'pg'
import type { Clock, ClockTimer } from '../base/clock.ts'
import type { AuthQuery } from '../catalog/route.ts'
import { reasonOf, withDeadline } from '../server/open/deadline.ts'
import { AuthQueryFailedError } from './auth-errors.ts'
import { logInToAsk } from './auth-login.ts'

/** An unused connection is closed after so long. */
const IDLE_MS = 60_000

/** Class of the SQLSTATEs with which a server ends connections. */
const OPERATOR_INTERVENTION = '57P'

type Rows = readonly (readonly unknown[])[]

/** What stands around the connections of one `authQuery`. */
export interface AuthConnectionsParts {
  readonly clock: Clock
  /** Told when the last connection is closed and nobody asks. */
  emptied(): void
}

/**
 * The connections of one `authQuery`, apart from all pools: no client's bytes run on them, and of
 * what a client sent they see the login alone, as a bound parameter.
 */
export class AuthConnections {
  readonly #authQuery: AuthQuery
  readonly #parts: AuthConnectionsParts
  readonly #idle: pg.Client[] = []
  readonly #waiting = new Set<() => void>()
  #busy = 0
  #idleTimer: ClockTimer | undefined
  #isClosed = false

  constructor(authQuery: AuthQuery, parts: AuthConnectionsParts) {
    this.#authQuery = authQuery
    this.#parts = parts
  }

  /** @throws AuthQueryFailedError - no answer within `timeoutMs`, or none at all. */
  async ask(login: string): Promise<Rows> {
    const { target, timeoutMs } = this.#authQuery
    try {
      return await withDeadline({ timeoutMs }, (signal) => this.#askInTurn(login, signal))
    } catch (cause) {
      throw new AuthQueryFailedError(target, { reason: reasonOf(cause), cause })
    }
  }

  /** Closes what is idle now, and what is busy as soon as it has its answer. */
  close(): void {
    this.#isClosed = true
    this.#closeIdle()
  }

  async #askInTurn(login: string, signal: AbortSignal): Promise<Rows> {
    await this.#enter(signal)
    try {
      return await this.#askOverAny(login, signal)
    } finally {
      this.#leave()
    }
  }

  async #askOverAny(login: string, signal: AbortSignal): Promise<Rows> {
    const kept = this.#idle.pop()
    if (kept === undefined) return this.#askOver(await this.#open(signal), login, signal)
    try {
      return await this.#askOver(kept, login, signal)
    } catch (error) {
      if (isAnswer(error) || signal.aborted) throw error
      // It may have died while nobody looked; that says nothing about the server.
      return this.#askOver(await this.#open(signal), login, signal)
    }
  }

  async #askOver(client: pg.Client, login: string, signal: AbortSignal): Promise<Rows> {
    const giveUp = () => void client.connection.stream.destroy(signal.reason)
    signal.addEventListener('abort', giveUp)
    try {
      const text = this.#authQuery.query
      const { rows } = await client.query<unknown[]>({ text, values: [login], rowMode: 'array' })
      this.#keep(client)
      return rows
    } catch (error) {
      end(client)
      throw signal.aborted ? signal.reason : error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #open(signal: AbortSignal): Promise<pg.Client> {
    const client = await logInToAsk(this.#authQuery, signal)
    client.on('error', () => this.#drop(client))
    client.on('end', () => this.#drop(client))
    return client
  }

  #keep(client: pg.Client): void {
    if (this.#isClosed) {
      end(client)
      return
    }
    this.#idle.push(client)
    this.#idleTimer?.cancel()
    this.#idleTimer = this.#parts.clock.after(IDLE_MS, () => this.#closeIdle())
  }

  #drop(client: pg.Client): void {
    const at = this.#idle.indexOf(client)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  #closeIdle(): void {
    this.#idleTimer?.cancel()
    for (const client of this.#idle.splice(0)) end(client)
    if (this.#busy === 0) this.#parts.emptied()
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (this.#busy < this.#authQuery.maxConnections) {
      this.#busy += 1
      return
    }
    // Its turn is handed over by the one who leaves: `#busy` stays as it is.
    await new Promise<void>((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = () => {
        this.#waiting.delete(turn)
        reject(signal.reason)
      }
      this.#waiting.add(turn)
      signal.addEventListener('abort', giveUp)
    })
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next !== undefined) {
      this.#waiting.delete(next)
      next()
      return
    }
    this.#busy -= 1
    if (this.#busy === 0 && this.#idle.length === 0) this.#parts.emptied()
  }
}

/** Whether the server refused the query, rather than ended the connection. */
function isAnswer(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code?.startsWith(OPERATOR_INTERVENTION) !== true
}

function end(client: pg.Client): void {
  void client.end().catch(() => {})
}
