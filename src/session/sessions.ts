import type { ProxyError } from '../base/proxy-error.ts'
import type { Route } from '../catalog/route.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import type { Credential } from './follow/credential.ts'
import { SessionPairs } from './follow/session-pairs.ts'

/** A logged-in session, as far as others decide over it. */
export interface OpenSession {
  readonly tenant: TenantName
  readonly login: string
  readonly credential: Credential
  /** The catalog leads it there now; it need not be a change. */
  follow(route: Route): void
  /** The catalog does not let it go on: it goes now if idle, else within the grace. */
  dismiss(error: ProxyError): void
  /** The proxy shuts down: it goes as soon as that breaks nothing. */
  drain(): void
  /** Goes now, whatever it is doing. */
  kill(): void
}

/** The logged-in sessions of this process. */
export class Sessions {
  /** By login and tenant. */
  readonly pairs = new SessionPairs()
  readonly #open = new Set<OpenSession>()
  #emptied: (() => void) | undefined
  #isDraining = false

  get count(): number {
    return this.#open.size
  }

  /** No new session is let in. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  add(session: OpenSession): void {
    this.#open.add(session)
    this.pairs.add(session)
    if (this.#isDraining) session.drain()
  }

  remove(session: OpenSession): void {
    this.#open.delete(session)
    this.pairs.remove(session)
    if (this.#open.size === 0) this.#emptied?.()
  }

  /** `move` makes an open session one of another tenant. */
  moved(session: OpenSession, move: () => void): void {
    this.pairs.remove(session)
    move()
    this.pairs.add(session)
  }

  /** Sends idle clients away now, the others at the end of their transaction. */
  drain(): Promise<void> {
    this.#isDraining = true
    const empty = new Promise<void>((resolve) => {
      this.#emptied = resolve
    })
    for (const session of [...this.#open]) session.drain()
    return this.#open.size === 0 ? Promise.resolve() : empty
  }

  /** Sends everybody away at once. */
  kill(): void {
    for (const session of [...this.#open]) session.kill()
  }
}
