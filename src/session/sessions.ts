import type { ProxyError } from '../base/proxy-error.ts'
import type { FollowedSession } from './follow/followed-session.ts'
import { SessionPairs } from './follow/session-pairs.ts'
import { SessionKilledError, ShutdownError } from './session-errors.ts'
import type { SessionView } from './session-view.ts'

/** A logged-in session, as far as others decide over it. */
export interface OpenSession extends FollowedSession {
  readonly id: number
  /** The proxy shuts down: from now on it goes as soon as a transaction of it is over. */
  drain(): void
  /** Goes if nothing of it is under way, and nothing has been for `quietMs`. */
  leaveIfQuiet(quietMs: number): void
  /** Asks the server to give up what it does for it, if anything. Never rejects. */
  cancel(): Promise<void>
  /** Goes now, whatever it is doing; `error` says why. */
  kill(error: ProxyError): void
  /** A server connection is its own at this moment. */
  readonly isHolding: boolean
  /** What operators see of it. */
  view(): SessionView
}

/** The logged-in sessions of this process. */
export class Sessions {
  /** By login and tenant. */
  readonly pairs = new SessionPairs()
  readonly #open = new Set<OpenSession>()
  readonly #watches = new Set<() => void>()
  #emptied: () => void = () => {}
  #isDraining = false
  #sentAway = 0

  get count(): number {
    return this.#open.size
  }

  /** No new session is let in. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** How many were told that the proxy shuts down. */
  get sentAway(): number {
    return this.#sentAway
  }

  add(session: OpenSession): void {
    this.#open.add(session)
    this.pairs.add(session)
  }

  /** @param error - Why it was sent away, if it was. */
  remove(session: OpenSession, error: ProxyError | undefined): void {
    this.#open.delete(session)
    this.pairs.remove(session)
    this.released()
    if (error instanceof ShutdownError) this.#sentAway += 1
    if (this.#open.size === 0) this.#emptied()
  }

  /** `move` makes an open session one of another tenant. */
  moved(session: OpenSession, move: () => void): void {
    this.pairs.remove(session)
    move()
    this.pairs.add(session)
    this.released()
  }

  /** Resolves when there are none. One caller at a time. */
  emptied(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#emptied = resolve
    })
  }

  /** Lets nobody in any more, and sends each client away at the end of its next transaction. */
  drain(): void {
    this.#isDraining = true
    for (const session of [...this.#open]) session.drain()
  }

  /** Sends those away of whom nothing is under way, and nothing has been for `quietMs`. */
  dismissQuiet(quietMs: number): void {
    for (const session of [...this.#open]) session.leaveIfQuiet(quietMs)
  }

  /** Has the servers give up all that runs. */
  cancelAll(): void {
    for (const session of this.#open) void session.cancel()
  }

  /** Sends everybody away at once. */
  kill(): void {
    for (const session of [...this.#open]) session.kill(new ShutdownError())
  }

  /** Each session, for operators. */
  views(): SessionView[] {
    return Array.from(this.#open, (session) => session.view())
  }

  /**
   * An operator ends the sessions of a tenant, or (`undefined`) all.
   *
   * @returns How many there were.
   */
  killOf(tenant: string | undefined): number {
    const meant = this.#of(tenant)
    for (const session of meant) session.kill(new SessionKilledError())
    return meant.length
  }

  /** An operator ends one session. @returns whether there was one. */
  killOne(id: number): boolean {
    const session = [...this.#open].find((open) => open.id === id)
    session?.kill(new SessionKilledError())
    return session !== undefined
  }

  /**
   * Resolves when no session of a tenant, or (`undefined`) none at all, holds a server connection.
   *
   * @throws the reason of the signal.
   */
  async quiet(tenant: string | undefined, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const isQuiet = () => this.#of(tenant).every((session) => !session.isHolding)
    if (isQuiet()) return
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => {
        signal.removeEventListener('abort', aborted)
        this.#watches.delete(watch)
        settle()
      }
      const watch = () => {
        if (isQuiet()) end(resolve)
      }
      const aborted = () => end(() => reject(signal.reason))
      signal.addEventListener('abort', aborted)
      this.#watches.add(watch)
    })
  }

  /** A session has given back its server connection, or is gone. */
  released(): void {
    for (const watch of this.#watches) watch()
  }

  #of(tenant: string | undefined): OpenSession[] {
    return [...this.#open].filter((session) => tenant === undefined || session.tenant === tenant)
  }
}
