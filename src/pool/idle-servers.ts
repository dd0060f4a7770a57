import type { ServerConnection } from '../server/server-connection.ts'
import type { Waiter } from './waiter.ts'

/** What a client needs of a connection. */
export type Wanted = Pick<Waiter, 'link' | 'mode'>

/** A server connection that has been kept for too long, and which limit it met. */
export interface ExpiredServer {
  readonly server: ServerConnection
  readonly reason: 'idle' | 'lifetime'
}

/** The server connections that nobody uses, the longest idle first. */
export class IdleServers {
  readonly #servers: ServerConnection[] = []

  get count(): number {
    return this.#servers.length
  }

  all(): readonly ServerConnection[] {
    return [...this.#servers]
  }

  add(server: ServerConnection): void {
    this.#servers.push(server)
  }

  remove(server: ServerConnection): void {
    const index = this.#servers.indexOf(server)
    if (index !== -1) this.#servers.splice(index, 1)
  }

  /** The best one for `wanted`: its own state, then its own tenant's, then the longest idle. */
  take(wanted: Wanted, nowMs: number): ServerConnection | undefined {
    const index = this.#best(wanted, nowMs)
    return index === -1 ? undefined : this.#servers.splice(index, 1)[0]
  }

  /** The one that has been idle the longest. */
  get oldest(): ServerConnection | undefined {
    return this.#servers[0]
  }

  /** Those past their lifetime, or idle for longer than `idleServerMs` (`0`: no limit). */
  expired(nowMs: number, idleServerMs: number): readonly ExpiredServer[] {
    const found: ExpiredServer[] = []
    for (const server of this.#servers) {
      if (nowMs >= server.expiresAtMs) found.push({ server, reason: 'lifetime' })
      else if (idleServerMs > 0 && nowMs - server.idleSinceMs >= idleServerMs) {
        found.push({ server, reason: 'idle' })
      }
    }
    return found
  }

  #best(wanted: Wanted, nowMs: number): number {
    let best = -1
    let bestRank = 0
    for (let index = this.#servers.length - 1; index >= 0; index -= 1) {
      const server = this.#servers[index] as ServerConnection
      const rank = nowMs >= server.expiresAtMs ? 0 : rankOf(server, wanted)
      if (rank === EXACT) return index
      // Among equals the lower index, which has been idle longer, wins.
      if (rank > 0 && rank >= bestRank) {
        best = index
        bestRank = rank
      }
    }
    return best
  }
}

const EXACT = 3
const SAME_TENANT = 2
const OTHER = 1

const UNFIT = 0

function rankOf(server: ServerConnection, wanted: Wanted): number {
  if (!fits(server, wanted)) return UNFIT
  const { link } = wanted
  if (server.link === undefined) return OTHER
  if (server.link.key === link.key && !server.isDirty) return EXACT
  return server.link.tenantKey === link.tenantKey ? SAME_TENANT : OTHER
}

/** Whether a connection can serve a client: one that was opened for a link serves that alone. */
export function fits({ home }: ServerConnection, { link, mode }: Wanted): boolean {
  return mode === 'session' ? home?.key === link.key : home === undefined
}
