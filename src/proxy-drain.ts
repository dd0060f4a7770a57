import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import type { Listener } from './listener/listener.ts'
import type { Sessions } from './session/sessions.ts'

/** A client that was answered so lately may have asked again: that is on its way. In ms. */
const QUIET_MS = 500

/** What everybody who is still there after `drainMs` is given to give up and to hear of it, in ms. */
export const FAREWELL_MS = 1000

/**
 * Where the process stands on its way out.
 *
 * - `leaving`: not ready any more, but open to everybody until those who lead clients here notice.
 * - `emptying`: nobody new is let in, nobody is sent away.
 * - `draining`: transactions finish, and clients are sent away between them.
 * - `drained`: over.
 */
export type DrainState = 'serving' | 'leaving' | 'emptying' | 'draining' | 'drained'

/** How a drain ended: `timeout` when somebody had to be cut off; a metric label. */
export type DrainOutcome = 'complete' | 'timeout' | 'killed'

/** Clients that were told 57P01 in time, and those who had to be cut off. */
interface Partings {
  readonly sentAway: number
  readonly forced: number
}

/** What a drain is about. */
export interface DrainParts {
  readonly listener: Pick<Listener, 'stop'>
  readonly sessions: Sessions
  readonly clock: Clock
  readonly logger: Logger
  options(): { readonly drainDelayMs: number; readonly drainMs: number }
  /** Called once, with the outcome of a drain that was begun. */
  counted(outcome: DrainOutcome): void
  /** Nobody is left: lets go of what only sessions need. */
  release(): void
}

/** The way out of one process. It is gone once, however many ask for it. */
export class Drain {
  readonly #parts: DrainParts
  readonly #hurry = new AbortController()
  readonly #kill = new AbortController()
  #state: DrainState = 'serving'
  #outcome: DrainOutcome | undefined
  #over: Promise<DrainOutcome> | undefined

  constructor(parts: DrainParts) {
    this.#parts = parts
  }

  get state(): DrainState {
    return this.#state
  }

  /** How it ended; `undefined` before. */
  get outcome(): DrainOutcome | undefined {
    return this.#outcome
  }

  /**
   * Lets transactions finish and sends the clients away. A drain that is under way goes on.
   *
   * @param cause - Who asks for it, for the log.
   */
  begin(cause: string): Promise<DrainOutcome> {
    this.#hurry.abort()
    this.#over ??= this.#goOut(cause, () => this.#leave())
    return this.#over
  }

  /** Lets nobody in and waits for the clients to leave by themselves, unless a drain is begun. */
  empty(cause: string): Promise<DrainOutcome> {
    this.#over ??= this.#goOut(cause, () => this.#empty())
    return this.#over
  }

  /** Ends everything at once. */
  cut(): Promise<DrainOutcome> {
    this.#kill.abort()
    if (this.#over === undefined) {
      this.#end('killed')
      this.#over = Promise.resolve('killed')
    }
    return this.#over
  }

  async #goOut(cause: string, before: () => Promise<void>): Promise<DrainOutcome> {
    const { sessions, clock, logger, options, counted } = this.#parts
    const startedMs = clock.nowMs()
    const { drainDelayMs, drainMs } = options()
    logger.info('draining', { cause, sessions: sessions.count, drainDelayMs, drainMs })
    await before()
    const partings = await this.#drain()
    const outcome = this.#outcomeOf(partings)
    this.#end(outcome)
    counted(outcome)
    const durationMs = Math.round(clock.nowMs() - startedMs)
    const weight = outcome === 'complete' ? 'info' : 'warn'
    logger[weight]('drained', { outcome, ...partings, durationMs })
    return outcome
  }

  /** Not ready, but open: as long as somebody may still be led here. */
  async #leave(): Promise<void> {
    const { drainDelayMs } = this.#parts.options()
    this.#state = 'leaving'
    if (drainDelayMs > 0) await this.#wait(new Promise(() => {}), drainDelayMs)
  }

  async #empty(): Promise<void> {
    const { listener, sessions } = this.#parts
    this.#state = 'emptying'
    void listener.stop()
    const hurry = new Promise<void>((resolve) => {
      this.#hurry.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await this.#wait(Promise.race([sessions.emptied(), hurry]))
  }

  async #drain(): Promise<Partings> {
    const { sessions, listener, clock, options } = this.#parts
    const { drainMs } = options()
    this.#state = 'draining'
    sessions.drain()
    await oneRound()
    const hungUp = listener.stop()
    const quietMs = Math.min(QUIET_MS, drainMs / 2)
    sessions.dismissQuiet(quietMs)
    // Whoever is idle then has asked for nothing since, or would be gone.
    const later = clock.after(quietMs, () => sessions.dismissQuiet(0))
    await this.#wait(sessions.emptied(), drainMs)
    later.cancel()
    const { sentAway, count: forced } = sessions
    if (forced > 0) await this.#force()
    await this.#wait(hungUp, FAREWELL_MS / 2)
    return { sentAway, forced }
  }

  /** A query whose client is gone would run on, and could still commit. */
  async #force(): Promise<void> {
    const { sessions } = this.#parts
    sessions.cancelAll()
    await this.#wait(sessions.emptied(), FAREWELL_MS / 2)
    sessions.kill()
  }

  #end(outcome: DrainOutcome): void {
    const { listener, sessions, release } = this.#parts
    this.#state = 'drained'
    this.#outcome = outcome
    void listener.stop()
    sessions.kill()
    release()
  }

  #outcomeOf({ forced }: Partings): DrainOutcome {
    if (this.#kill.signal.aborted) return 'killed'
    return forced > 0 ? 'timeout' : 'complete'
  }

  /** Waits for the work, but not beyond its time, and not when all is to end at once. */
  #wait(work: Promise<void>, limitMs?: number): Promise<void> {
    const { signal } = this.#kill
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = limitMs === undefined ? undefined : this.#parts.clock.after(limitMs, resolve)
      const end = () => {
        timer?.cancel()
        resolve()
      }
      signal.addEventListener('abort', end, { once: true })
      void work.then(end)
    })
  }
}

/** Lets the event loop go round: what clients had sent is read, who had connected is accepted. */
async function oneRound(): Promise<void> {
  // The first turn may end a round whose sockets have been looked at already.
  await turn()
  await turn()
}
