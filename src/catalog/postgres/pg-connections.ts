import pg from 'pg'
import type { Clock, ClockTimer } from '../../base/clock.ts'
import { withDeadline } from '../../base/deadline.ts'
import { ProxyError } from '../../base/proxy-error.ts'
import { connectPg, type PgLogin } from './connect-pg.ts'

/** An unused connection is closed after so long. */
const IDLE_MS = 60_000

/** A server that does not take our leave within that time is left without. */
const LEAVE_MS = 2000

/** Class of the SQLSTATEs with which a server ends connections. */
const OPERATOR_INTERVENTION = '57P'

/** The connections and what they are for. */
export interface PgConnectionsOptions {
  readonly login: PgLogin
  readonly maxConnections: number
  /** Longest wait for an answer, with the time for a turn and for connecting, in ms. */
  readonly timeoutMs: number
}

/** What stands around the connections. */
export interface PgConnectionsParts {
  readonly clock: Clock
  /** Told when the last connection is closed and nobody asks. */
  emptied(): void
}

/**
 * Connections of the proxy itself to one database, opened as they are needed and apart from all
 * pools: no client's bytes run on them.
 */
export class PgConnections {
  readonly #options: PgConnectionsOptions
  readonly #parts: PgConnectionsParts
  readonly #idle: pg.Client[] = []
  readonly #waiting = new Set<() => void>()
  #busy = 0
  #idleTimer: ClockTimer | undefined
  #isClosed = false

  constructor(options: PgConnectionsOptions, parts: PgConnectionsParts) {
    this.#options = options
    this.#parts = parts
  }

  /**
   * Asks over a connection that nobody else uses meanwhile. Its work may run twice: again over a
   * new connection when a kept one turns out to be dead. A connection on which it fails is closed.
   *
   * @throws Error - no answer in time, or whatever else went wrong.
   */
  run<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    return withDeadline({ timeoutMs }, (signal) => this.#runInTurn(work, signal))
  }

  /** Closes what is idle now, and what is busy as soon as it has its answer. */
  close(): void {
    this.#isClosed = true
    this.#closeIdle()
  }

  async #runInTurn<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#enter(signal)
    try {
      return await this.#runOverAny(work, signal)
    } finally {
      this.#leave()
    }
  }

  async #runOverAny<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    const kept = this.#idle.pop()
    if (kept === undefined) return this.#runOver(await this.#open(signal), work, signal)
    try {
      return await this.#runOver(kept, work, signal)
    } catch (error) {
      if (!isLoss(error) || signal.aborted) throw error
      // It may have died while nobody looked; that says nothing about the server.
      return this.#runOver(await this.#open(signal), work, signal)
    }
  }

  async #runOver<T>(
    client: pg.Client,
    work: (client: pg.Client) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const giveUp = () => void client.connection.stream.destroy(signal.reason)
    signal.addEventListener('abort', giveUp)
    try {
      const answer = await work(client)
      this.#keep(client)
      return answer
    } catch (error) {
      this.#end(client)
      throw signal.aborted ? signal.reason : error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #open(signal: AbortSignal): Promise<pg.Client> {
    const client = await connectPg(this.#options.login, signal)
    client.on('error', () => this.#drop(client))
    client.on('end', () => this.#drop(client))
    return client
  }

  #keep(client: pg.Client): void {
    if (this.#isClosed) {
      this.#end(client)
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
    for (const client of this.#idle.splice(0)) this.#end(client)
    if (this.#busy === 0) this.#parts.emptied()
  }

  #end(client: pg.Client): void {
    const patience = this.#parts.clock.after(LEAVE_MS, () => client.connection.stream.destroy())
    void client
      .end()
      .catch(() => {})
      .finally(() => patience.cancel())
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (this.#busy < this.#options.maxConnections) {
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

/** Whether the connection came to its end, rather than that its answer was no good. */
function isLoss(error: unknown): boolean {
  if (error instanceof ProxyError) return false
  if (!(error instanceof pg.DatabaseError)) return true
  return error.code?.startsWith(OPERATOR_INTERVENTION) === true
}
