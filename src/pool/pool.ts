import { Backoff } from '../base/backoff.ts'
import type { ClockTimer } from '../base/clock.ts'
import { ProxyError } from '../base/proxy-error.ts'
import {
  type BudgetMember,
  type BudgetPlace,
  type BudgetShare,
  NO_BUDGET,
} from '../limits/server-budget.ts'
import { ReportedSets } from '../server/reported-sets.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import { ServerLoginError, ServerUnreachableError } from '../server/server-errors.ts'
import type { Link } from '../tenancy/link.ts'
import { CancelHolds } from './cancel-holds.ts'
import { endSink } from './end-sink.ts'
import { HeldServers } from './held-servers.ts'
import { IdleServers } from './idle-servers.ts'
import { Lease } from './lease.ts'
import { newServer } from './new-server.ts'
import { CheckoutTimeoutError, PoolDrainedError, WaitQueueFullError } from './pool-errors.ts'
import type { CloseReason } from './pool-observer.ts'
import type { PoolCounts, PoolParts } from './pool-parts.ts'
import { type ProvenLink, ProvenLinks } from './proven-links.ts'
import type { ServerView } from './server-view.ts'
import { homeKey, type Opening, WaitQueue } from './wait-queue.ts'
import type { Waiter } from './waiter.ts'

/**
 * Server connections of one identity, lent out one client at a time. A checkout takes an idle
 * connection that is linked to the same tenant, else the longest idle one, else opens one while
 * there is room, else waits its turn.
 */
export class Pool {
  readonly name: string
  readonly #parts: PoolParts
  readonly #held: HeldServers
  readonly #idle = new IdleServers()
  readonly #waiters: WaitQueue
  readonly #cancels = new CancelHolds()
  readonly #proven = new ProvenLinks()
  readonly #reportedSets = new ReportedSets()
  readonly #backoff: Backoff
  readonly #lender = {
    takeBack: (server: ServerConnection) => this.#takeBack(server),
    giveUp: (server: ServerConnection, reason: CloseReason) => this.#giveUp(server, reason),
  }
  #size: number
  /** Connections under way. */
  readonly #connecting = new Set<Opening>()
  readonly #budget: BudgetShare
  #retryTimer: ClockTimer | undefined
  /** Why it lends no more, and closes what comes back. */
  #closing: 'drain' | 'changed' | undefined

  constructor(parts: PoolParts) {
    this.name = parts.name
    this.#parts = parts
    this.#size = parts.options.size
    this.#held = new HeldServers(parts.clock)
    this.#waiters = new WaitQueue(parts.clock, (waiter) =>
      this.#refuse(waiter, new CheckoutTimeoutError(waiter.waitMs)),
    )
    const { backoffMinMs, backoffMaxMs } = parts.options
    const random = parts.random ?? Math.random
    this.#backoff = new Backoff({ minMs: backoffMinMs, maxMs: backoffMaxMs, random })
    this.#budget = parts.budget?.join(this.#asMember()) ?? NO_BUDGET
  }

  /**
   * Lends a server connection at once if one is free. Otherwise returns `undefined` and the
   * waiter hears of its lease, or of its refusal, later.
   */
  checkout(waiter: Waiter): Lease | undefined {
    if (this.#waiters.count === 0 && this.#closing === undefined) {
      const server = this.#idle.take(waiter, this.#parts.clock.nowMs())
      if (server !== undefined) {
        this.#parts.observer.checkedOut(this.name, 0)
        return this.#lend(server)
      }
      // Those that were passed over are past their lifetime: they would take up room.
      if (this.#idle.count > 0) this.closeExpired()
    }
    this.#enqueue(waiter)
    return undefined
  }

  /** Ends a wait without an answer: the client is gone. */
  abandon(waiter: Waiter): void {
    this.#waiters.remove(waiter)
  }

  /**
   * Keeps a leased server connection from being lent again until the returned function is called:
   * a cancel request is on its way to it.
   */
  holdForCancel(server: ServerConnection): () => void {
    return this.#cancels.hold(server, () => {
      if (this.#held.placeOf(server) === 'canceling') this.#recycle(server)
    })
  }

  /** What is known of a link that has worked here before. */
  proven(link: Link): ProvenLink | undefined {
    return this.#proven.of(link)
  }

  /** Remembers a link that works. */
  prove(proven: ProvenLink): ProvenLink {
    return this.#proven.add(proven)
  }

  counts(): PoolCounts {
    const { count: waiting, oldestWaitMs } = this.#waiters
    const { size: connecting } = this.#connecting
    return { ...this.#held.counts(), size: this.#size, connecting, waiting, oldestWaitMs }
  }

  /** For each session that waits, its tenant. */
  waitingTenants(): Iterable<string> {
    return this.#waiters.tenants()
  }

  /** Most server connections from now on; those beyond it are closed as they come back. */
  set size(size: number) {
    this.#size = size
  }

  /** Nothing is held, opened or waited for. */
  get isEmpty(): boolean {
    return this.#held.count === 0 && this.#connecting.size === 0 && this.#waiters.count === 0
  }

  /** Closes the connections that have been idle, or have lived, for too long. */
  closeExpired(): void {
    const nowMs = this.#parts.clock.nowMs()
    for (const { server, reason } of this.#idle.expired(nowMs, this.#parts.options.idleServerMs)) {
      this.#giveUp(server, reason)
    }
  }

  /**
   * What is open now is not lent again: idle connections close now, others when they come back.
   *
   * @param tenant - Only those linked to it; `undefined`: all.
   * @returns How many there are.
   */
  reconnect(tenant: string | undefined): number {
    const count = this.#held.retire(tenant)
    this.#closeIdle(tenant, 'reconnect')
    return count
  }

  /** Closes idle connections: those of one tenant, or (`undefined`) all. */
  #closeIdle(tenant: string | undefined, reason: CloseReason): void {
    for (const server of this.#idle.all()) {
      if (tenant === undefined || server.link?.tenant === tenant) this.#giveUp(server, reason)
    }
  }

  /** Each server connection, for operators. */
  servers(): ServerView[] {
    return this.#held.views()
  }

  /**
   * Lends no more: idle connections close now, lent ones when they come back.
   *
   * @param reason - `changed` when the catalog leads nobody here any more.
   */
  drain(reason: 'drain' | 'changed' = 'drain'): void {
    this.#closing = reason
    this.#retryTimer?.cancel()
    this.#closeIdle(undefined, reason)
    this.#refuseAll(new PoolDrainedError())
  }

  #enqueue(waiter: Waiter): void {
    const { maxWaiting } = this.#parts.options
    if (this.#closing !== undefined) {
      this.#refuse(waiter, new PoolDrainedError())
    } else if (this.#waiters.count >= maxWaiting) {
      this.#refuse(waiter, new WaitQueueFullError(maxWaiting))
    } else {
      this.#waiters.add(waiter)
      this.#grow()
    }
  }

  #lend(server: ServerConnection): Lease {
    this.#held.move(server, 'leased')
    return new Lease(server, this.#lender)
  }

  #takeBack(server: ServerConnection): void {
    if (!server.isClean) {
      this.#giveUp(server, faultOf(server, 'busy'))
      return
    }
    server.detach(this.#held.idleSinkOf(server))
    if (this.#cancels.has(server)) this.#held.move(server, 'canceling')
    else this.#recycle(server)
  }

  /** What a session made is undone at once: locks and channels must not outlive its hold. */
  #recycle(server: ServerConnection): void {
    if (!server.isDirty) {
      this.#offer(server)
      return
    }
    this.#held.move(server, 'resetting')
    this.#parts.observer.wasReset('session')
    const timer = this.#parts.clock.after(this.#parts.options.connectTimeoutMs, () =>
      this.#giveUp(server, 'timeout'),
    )
    const sink = endSink((reason) => {
      timer.cancel()
      if (reason !== undefined || server.isViolated || !this.#held.has(server)) {
        this.#giveUp(server, faultOf(server, 'lost'))
        return
      }
      server.detach(this.#held.idleSinkOf(server))
      this.#offer(server)
    })
    server.attach(sink)
    server.write(server.beginReset())
  }

  /** Gives a clean connection to whoever waits longest, else lays it by. */
  #offer(server: ServerConnection): void {
    const nowMs = this.#parts.clock.nowMs()
    if (this.#closing !== undefined) {
      this.#giveUp(server, this.#closing)
      return
    }
    if (this.#held.isLeaving(server)) {
      this.#giveUp(server, 'reconnect')
      return
    }
    if (nowMs >= server.expiresAtMs || this.#held.count > this.#size) {
      this.#giveUp(server, 'lifetime')
      return
    }
    const next = this.#waiters.nextFor(server, this.#connecting)
    if (this.#budget.mustYield(this.#waiters.arrivalOf(next))) {
      this.#giveUp(server, 'evicted')
      return
    }
    if (next === undefined) {
      this.#held.move(server, 'idle')
      server.idleSinceMs = nowMs
      this.#idle.add(server)
      this.#grow()
      return
    }
    const { waiter, waitedMs } = this.#waiters.take(next)
    this.#parts.observer.checkedOut(this.name, waitedMs)
    waiter.granted(this.#lend(server))
  }

  #giveUp(server: ServerConnection, reason: CloseReason): void {
    const seat = this.#held.remove(server)
    if (seat === undefined) return
    this.#idle.remove(server)
    this.#cancels.delete(server)
    this.#parts.observer.serverClosed(this.name, reason)
    server.close(seat.leave())
    this.#grow()
  }

  /**
   * Opens connections for those who wait, as far as there is room. Idle connections that none of
   * them can use make room.
   */
  #grow(): void {
    for (;;) {
      const waiter = this.#wanting()
      if (waiter === undefined) return
      if (this.#isFull) {
        this.#evict()
        continue
      }
      const seat = this.#budget.take(this.#waiters.arrivalOf(waiter) ?? 0)
      if (seat === undefined) return
      void this.#connect(waiter, seat)
    }
  }

  #evict(): void {
    const { oldest } = this.#idle
    if (oldest !== undefined) this.#giveUp(oldest, 'evicted')
  }

  get #isFull(): boolean {
    return this.#held.count + this.#connecting.size >= this.#size
  }

  /** For whom a connection would be opened now, if the budget has a place for it. */
  #wanting(): Waiter | undefined {
    if (this.#waiters.count === 0 || this.#closing !== undefined || this.#retryTimer) return
    if (this.#connecting.size >= this.#parts.options.maxConnecting) return
    if (this.#isFull && this.#idle.count === 0) return
    return this.#waiters.firstUnserved(this.#connecting)
  }

  #asMember(): BudgetMember {
    return {
      nextArrival: () => this.#waiters.arrivalOf(this.#wanting()),
      idleSinceMs: () => this.#idle.oldest?.idleSinceMs,
      evict: () => this.#evict(),
      grow: () => this.#grow(),
    }
  }

  async #connect(waiter: Waiter, seat: BudgetPlace): Promise<void> {
    const { clock, open, observer } = this.#parts
    const home = waiter.mode === 'session' ? waiter.link : undefined
    const opening = { key: homeKey(waiter) }
    this.#connecting.add(opening)
    const startedMs = clock.nowMs()
    try {
      const opened = await open(home)
      this.#connecting.delete(opening)
      this.#backoff.succeeded()
      observer.serverOpened(this.name, clock.nowMs() - startedMs)
      const reportedSets = this.#reportedSets
      this.#adopt(newServer(this.#parts, { opened, home, reportedSets }), seat)
    } catch (error) {
      this.#connecting.delete(opening)
      this.#connectFailed(error, opening.key)
      seat.leave()?.()
    }
    this.#grow()
  }

  #adopt(server: ServerConnection, seat: BudgetPlace): void {
    const idleSink = endSink((reason) => {
      if (reason !== undefined) this.#giveUp(server, 'lost')
    })
    this.#held.add(server, { idleSink, seat })
    server.detach(idleSink)
    this.#offer(server)
  }

  #connectFailed(error: unknown, key: string): void {
    const failure =
      error instanceof ProxyError
        ? error
        : new ServerUnreachableError(this.#parts.address, { reason: String(error), cause: error })
    this.#parts.observer.serverFailed(this.name, failure)
    if (key !== '' && failure instanceof ServerLoginError && failure.isAboutSettings) {
      // What one client asked for is nobody else's fault: the others need not wait.
      for (const waiter of this.#waiters.takeOf(key)) this.#refuse(waiter, failure)
      return
    }
    const isPermanent = failure instanceof ServerLoginError && failure.isPermanent
    // While other connections live, those who wait may still get one of them.
    if (isPermanent || this.#held.count === 0) this.#refuseAll(failure)
    if (this.#retryTimer !== undefined || this.#closing !== undefined) return
    this.#retryTimer = this.#parts.clock.after(this.#backoff.failed(), () => {
      this.#retryTimer = undefined
      this.#grow()
    })
  }

  #refuseAll(error: ProxyError): void {
    for (const waiter of this.#waiters.takeAll()) this.#refuse(waiter, error)
  }

  #refuse(waiter: Waiter, error: ProxyError): void {
    this.#parts.observer.checkoutRefused(this.name, error)
    waiter.refused(error)
  }
}

function faultOf({ isViolated }: ServerConnection, otherwise: CloseReason): CloseReason {
  return isViolated ? 'violated' : otherwise
}
