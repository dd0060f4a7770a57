import type { Clock } from '../base/clock.ts'
import type { BudgetPlace } from '../limits/server-budget.ts'
import type { ReplySink } from '../server/reply-sink.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { ServerView } from './server-view.ts'

/** Where a server connection stands. */
type Place = 'idle' | 'leased' | 'canceling' | 'resetting'

/** A server connection of the pool, and who listens to it while nobody uses it. */
interface Held {
  place: Place
  readonly idleSink: ReplySink
  /** Its place in the budget of the server. */
  readonly seat: BudgetPlace
  readonly openedMs: number
  /** When it was last lent, or opened. */
  lentMs: number
  /** It is closed when it comes back. */
  isLeaving: boolean
}

/** How many stand where. */
export type PlaceCounts = Readonly<Record<Place, number>> & {
  /** How long the longest of the leases of this moment has lasted, in ms. */
  readonly oldestLeaseMs: number
}

/** The server connections of one pool, wherever each of them stands. */
export class HeldServers {
  readonly #clock: Clock
  readonly #held = new Map<ServerConnection, Held>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#held.size
  }

  has(server: ServerConnection): boolean {
    return this.#held.has(server)
  }

  /** A new one, lent until it is moved. */
  add(server: ServerConnection, { idleSink, seat }: Pick<Held, 'idleSink' | 'seat'>): void {
    const openedMs = this.#clock.nowMs()
    const marks = { openedMs, lentMs: openedMs, isLeaving: false }
    this.#held.set(server, { place: 'leased', idleSink, seat, ...marks })
  }

  /** @returns its place in the budget; `undefined` when it was not here. */
  remove(server: ServerConnection): BudgetPlace | undefined {
    const seat = this.#held.get(server)?.seat
    this.#held.delete(server)
    return seat
  }

  placeOf(server: ServerConnection): Place | undefined {
    return this.#held.get(server)?.place
  }

  move(server: ServerConnection, place: Place): void {
    const held = this.#held.get(server)
    if (held === undefined) return
    held.place = place
    if (place === 'leased') held.lentMs = this.#clock.nowMs()
  }

  /** Who listens to it while nobody uses it. */
  idleSinkOf(server: ServerConnection): ReplySink | undefined {
    return this.#held.get(server)?.idleSink
  }

  /** None of those that are here now, or linked to `tenant`, is lent again. @returns how many. */
  retire(tenant: string | undefined): number {
    let count = 0
    for (const [server, held] of this.#held) {
      if (tenant !== undefined && server.link?.tenant !== tenant) continue
      held.isLeaving = true
      count += 1
    }
    return count
  }

  isLeaving(server: ServerConnection): boolean {
    return this.#held.get(server)?.isLeaving === true
  }

  counts(): PlaceCounts {
    const counts = { idle: 0, leased: 0, canceling: 0, resetting: 0, oldestLeaseMs: 0 }
    const nowMs = this.#clock.nowMs()
    for (const { place, lentMs } of this.#held.values()) {
      counts[place] += 1
      if (place === 'leased') counts.oldestLeaseMs = Math.max(counts.oldestLeaseMs, nowMs - lentMs)
    }
    return counts
  }

  views(): ServerView[] {
    const nowMs = this.#clock.nowMs()
    return Array.from(this.#held, ([server, held]) => viewOf(server, held, nowMs))
  }
}

function viewOf(server: ServerConnection, held: Held, nowMs: number): ServerView {
  const { place, openedMs, lentMs, isLeaving } = held
  return {
    id: server.id,
    processId: server.processId,
    state: place === 'leased' ? 'active' : place,
    tenant: server.link?.tenant,
    isEncrypted: server.isEncrypted,
    ageMs: nowMs - openedMs,
    requestAgeMs: nowMs - lentMs,
    isLeaving,
    preparedStatements: server.statements.count,
  }
}
