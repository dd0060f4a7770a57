import type { PoolView } from '../pool/server-view.ts'
import type { SessionView } from '../session/session-view.ts'

/** Whom a command of an operator is about: one tenant, or (`undefined`) all. */
export type Scope = string | undefined

/** What an operator can have the proxy do. The rooms below do it; here is what may be asked. */
export interface Operations {
  /**
   * No request of the tenant reaches a server until `resume`: those that come wait, as long as for
   * a server connection. Resolves when nothing of it runs any more; its server connections are
   * closed as they come free. Rejects with the reason of the signal, and the pause stays.
   */
  pause(scope: Scope, signal: AbortSignal): Promise<void>
  /** @returns whether anything was paused. */
  resume(scope: Scope): boolean
  /** Ends the sessions with 57P01 at once, and pauses. @returns how many there were. */
  kill(scope: Scope): number
  /** Ends one session with 57P01. @returns whether there was one. */
  killSession(id: number): boolean
  /** Server connections open now are closed as soon as they are free. @returns how many. */
  reconnect(scope: Scope): number
  /** @throws ConfigError - nothing has changed then. */
  reload(): void
  /**
   * The process ends: `drain` after its transactions, `clients` when the last client has left by
   * itself, `now` at once.
   */
  shutdown(mode: 'drain' | 'clients' | 'now'): void
}

/** What an operator can see of the rooms below. */
export interface Views {
  sessions(): SessionView[]
  pools(): PoolView[]
  /** What `pause` and `kill` have paused. */
  paused(): { readonly isAll: boolean; readonly tenants: readonly string[] }
}
