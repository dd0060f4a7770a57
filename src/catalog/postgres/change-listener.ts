import type pg from 'pg'
import { Backoff } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { reasonOf, withDeadline } from '../../base/deadline.ts'
import type { Logger } from '../../base/logger.ts'
import type { CatalogChange } from '../change.ts'
import type { ServerTarget } from '../route.ts'
import { parseChange } from './change-payload.ts'
import { connectPg, type OpenSocket } from './connect-pg.ts'

const BACKOFF = { minMs: 100, maxMs: 5000 }
const HEARTBEAT_MS = 3000

/** Where changes are told of. */
export interface ChangeListenerOptions {
  readonly target: ServerTarget
  /** Longest wait for an answer, with the time for connecting, in ms. */
  readonly timeoutMs: number
  /** How often the server is asked whether it is still there, in ms. @defaultValue `3000` */
  readonly heartbeatMs?: number
}

/** What stands around the listener. */
export interface ChangeListenerParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly openSocket: OpenSocket
  told(change: CatalogChange): void
}

/**
 * Hears of the catalog's changes by LISTEN, over a connection of its own that comes back when it
 * was lost. What was told in the meantime is lost: then everything may have changed.
 */
export class ChangeListener {
  readonly #options: ChangeListenerOptions
  readonly #parts: ChangeListenerParts
  readonly #backoff = new Backoff(BACKOFF)
  readonly #ended = new AbortController()
  #isUp = false
  /** The outage was logged. */
  #isTold = false
  #tries = 0

  constructor(options: ChangeListenerOptions, parts: ChangeListenerParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Whether changes are heard of at this moment. */
  get isUp(): boolean {
    return this.#isUp
  }

  /**
   * Listens until `close`. Resolves, and never rejects, after the first try: what is read from
   * then on is told of when it changes, or as soon as a later try succeeds.
   */
  start(): Promise<void> {
    return new Promise((resolve) => {
      void this.#listenOnAndOn(resolve)
    })
  }

  close(): void {
    this.#ended.abort(new Error('the listener was closed'))
  }

  async #listenOnAndOn(tried: () => void): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      const reason = await this.#listenOnce(tried)
      tried()
      if (signal.aborted) return
      this.#lost(reason)
      await this.#pause(this.#backoff.failed())
    }
  }

  /** Returns why it ended. */
  async #listenOnce(tried: () => void): Promise<string> {
    this.#tries += 1
    let client: pg.Client | undefined
    try {
      client = await this.#open()
      this.#found()
      this.#backoff.succeeded()
      if (this.#tries > 1) this.#parts.told({ kind: 'all', version: undefined })
      tried()
      return await this.#beat(client)
    } catch (error) {
      return reasonOf(error)
    } finally {
      this.#isUp = false
      client?.connection.stream.destroy()
    }
  }

  /** Said once an outage, however often it is tried again. */
  #lost(reason: string): void {
    if (!this.#isTold) {
      this.#parts.logger.warn('catalog changes not heard', { layer: 'postgres', detail: reason })
    }
    this.#isTold = true
  }

  #found(): void {
    this.#isUp = true
    if (this.#isTold) this.#parts.logger.info('catalog changes heard', { layer: 'postgres' })
    this.#isTold = false
  }

  #open(): Promise<pg.Client> {
    const { target, timeoutMs } = this.#options
    const { openSocket, told } = this.#parts
    const login = {
      target,
      openSocket,
      applicationName: 'pgusher-catalog',
      statementTimeoutMs: timeoutMs,
      isReadOnly: true,
    }
    return withDeadline({ timeoutMs, signal: this.#ended.signal }, async (signal) => {
      const client = await connectPg(login, signal)
      client.on('notification', ({ payload = '' }) => told(parseChange(payload)))
      await inTime(client, signal, 'LISTEN pgusher')
      return client
    })
  }

  /** Asks from time to time, until there is no answer. */
  async #beat(client: pg.Client): Promise<string> {
    const { timeoutMs, heartbeatMs = HEARTBEAT_MS } = this.#options
    const { signal } = this.#ended
    const ended = new AbortController()
    const end = () => ended.abort()
    client.once('end', end)
    signal.addEventListener('abort', end)
    try {
      for (;;) {
        await this.#pause(heartbeatMs, ended.signal)
        if (ended.signal.aborted) return 'the connection was closed'
        await withDeadline({ timeoutMs, signal }, (beat) => inTime(client, beat, 'SELECT 1'))
      }
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  #pause(delayMs: number, signal: AbortSignal = this.#ended.signal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel()
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = this.#parts.clock.after(delayMs, wake)
      signal.addEventListener('abort', wake)
      if (signal.aborted) wake()
    })
  }
}

/** @throws Error - the reason of the signal, or what the server said. */
async function inTime(client: pg.Client, signal: AbortSignal, text: string): Promise<void> {
  const giveUp = () => void client.connection.stream.destroy(signal.reason)
  signal.addEventListener('abort', giveUp)
  try {
    await client.query(text)
  } catch (error) {
    client.connection.stream.destroy()
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
