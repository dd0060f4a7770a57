import { LRUCache } from 'lru-cache'
import { Backoff } from '../base/backoff.ts'
import type { ClockTimer } from '../base/clock.ts'
import { ProxyError } from '../base/proxy-error.ts'
import type { OpenedServer } from '../server/open/login.ts'
import type { ReplySink } from '../server/reply-sink.ts'
import { ReportedSets } from '../server/reported-sets.ts'
import { ServerConnection } from '../server/server-connection.ts'
import { ServerLoginError, ServerUnreachableError } from '../server/server-errors.ts'
import type { Link } from '../tenancy/link.ts'
import { endSink } from './end-sink.ts'
import { fits, IdleServers } from './idle-servers.ts'
import { Lease } from './lease.ts'
import { CheckoutTimeoutError, PoolDrainedError, WaitQueueFullError } from './pool-errors.ts'
import type { CloseReason } from './pool-observer.ts'
import type { PoolCounts, PoolParts } from './pool-parts.ts'
import type { ProvenLink } from './proven-link.ts'
import { homeKey, WaitQueue } from './wait-queue.ts'
import type { Waiter } from './waiter.ts'

/** Links that are remembered as proven; one more forgets the least used. */
const MAX_PROVEN = 1000

/** Where a server connection stands. Every move goes through `Pool.#move`. */
type Place = 'idle' | 'leased' | 'canceling' | 'resetting'

/** A server connection of the pool, and who listens to it while nobody uses it. */
interface Held {
  place: Place
  readonly idleSink: ReplySink
}

/**
 * Server connections of one identity, lent out one client at a time. A checkout takes an idle
 * connection that is linked to the same tenant, else the longest idle one, else opens one while
 * there is room, else waits its turn.
 */
export class Pool {
  readonly name: string
  readonly #parts: PoolParts
  readonly #held = new Map<ServerConnection, Held>()
  readonly #idle = new IdleServers()
  readonly #waiters: WaitQueue
  readonly #cancels = new Map<ServerConnection, number>()
  readonly #proven = new LRUCache<string, ProvenLink>({ max: MAX_PROVEN })
  readonly #reportedSets = new ReportedSets()
  readonly #backoff: Backoff
  readonly #lender = {
    takeBack: (server: ServerConnection) => this.#takeBack(server),
    giveUp: (server: ServerConnection, reason: CloseReason) => this.#giveUp(server, reason),
  }
  #size: number
  /** Connections under way, by the key of the waiters whom they can serve. */
  readonly #connecting = new Map<string, number>()
  #retryTimer: ClockTimer | undefined
  /** Why it lends no more, and closes what comes back. */
  #closing: 'drain' | 'changed' | undefined

  constructor(parts: PoolParts) {
    this.name = parts.name
    this.#parts = parts
    this.#size = parts.options.size
    this.#waiters = new WaitQueue(parts.clock, (waiter) =>
      this.#refuse(waiter, new CheckoutTimeoutError(waiter.waitMs)),
    )
    const { backoffMinMs, backoffMaxMs } = parts.options
    const random = parts.random ?? Math.random
    this.#backoff = new Backoff({ minMs: backoffMinMs, maxMs: backoffMaxMs, random })
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
    this.#cancels.set(server, (this.#cancels.get(server) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#cancelEnded(server)
    }
  }

  /** What is known of a link that has worked here before. */
  proven(link: Link): ProvenLink | undefined {
    return this.#proven.get(link.key)
  }

  /** Remembers a link that works. */
  prove(proven: ProvenLink): ProvenLink {
    this.#proven.set(proven.link.key, proven)
    return proven
  }

  counts(): PoolCounts {
    const places = { idle: 0, leased: 0, canceling: 0, resetting: 0 }
    for (const { place } of this.#held.values()) places[place] += 1
    return {
      ...places,
      connecting: this.#connectingCount,
      waiting: this.#waiters.count,
      oldestWaitMs: this.#waiters.oldestWaitMs,
    }
  }

  /** Most server connections from now on; those beyond it are closed as they come back. */
  set size(size: number) {
    this.#size = size
  }

  /** Nothing is held, opened or waited for. */
  get isEmpty(): boolean {
    return this.#held.size === 0 && this.#connecting.size === 0 && this.#waiters.count === 0
  }

  /** Closes the connections that have been idle, or have lived, for too long. */
  closeExpired(): void {
    const nowMs = this.#parts.clock.nowMs()
    for (const { server, reason } of this.#idle.expired(nowMs, this.#parts.options.idleServerMs)) {
      this.#giveUp(server, reason)
    }
  }

  /**
   * Lends no more: idle connections close now, lent ones when they come back.
   *
   * @param reason - `changed` when the catalog leads nobody here any more.
   */
  drain(reason: 'drain' | 'changed' = 'drain'): void {
    this.#closing = reason
    this.#retryTimer?.cancel()
    for (const server of this.#idle.all()) this.#giveUp(server, reason)
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
    this.#move(server, 'leased')
    return new Lease(server, this.#lender)
  }

  #takeBack(server: ServerConnection): void {
    if (!server.isClean) {
      this.#giveUp(server, faultOf(server, 'busy'))
      return
    }
    server.detach(this.#held.get(server)?.idleSink)
    if (this.#cancels.has(server)) this.#move(server, 'canceling')
    else this.#recycle(server)
  }

  /** What a session made is undone at once: locks and channels must not outlive its hold. */
  #recycle(server: ServerConnection): void {
    if (!server.isDirty) {
      this.#offer(server)
      return
    }
    this.#move(server, 'resetting')
    const timer = this.#parts.clock.after(this.#parts.options.connectTimeoutMs, () =>
      this.#giveUp(server, 'timeout'),
    )
    const sink = endSink((reason) => {
      timer.cancel()
      if (reason !== undefined || server.isViolated || !this.#held.has(server)) {
        this.#giveUp(server, faultOf(server, 'lost'))
        return
      }
      server.detach(this.#held.get(server)?.idleSink)
      this.#offer(server)
    })
    server.attach(sink)
    server.write(server.beginReset())
  }

  #cancelEnded(server: ServerConnection): void {
    const left = (this.#cancels.get(server) ?? 1) - 1
    if (left > 0) {
      this.#cancels.set(server, left)
      return
    }
    this.#cancels.delete(server)
    if (this.#held.get(server)?.place === 'canceling') this.#recycle(server)
  }

  /** Gives a clean connection to whoever waits longest, else lays it by. */
  #offer(server: ServerConnection): void {
    const nowMs = this.#parts.clock.nowMs()
    if (this.#closing !== undefined) {
      this.#giveUp(server, this.#closing)
      return
    }
    if (nowMs >= server.expiresAtMs || this.#held.size > this.#size) {
      this.#giveUp(server, 'lifetime')
      return
    }
    const next = this.#nextFor(server)
    if (next === undefined) {
      this.#move(server, 'idle')
      server.idleSinceMs = nowMs
      this.#idle.add(server)
      this.#grow()
      return
    }
    const { waiter, waitedMs } = this.#waiters.take(next)
    this.#parts.observer.checkedOut(this.name, waitedMs)
    waiter.granted(this.#lend(server))
  }

  /** Nobody is passed over but those for whom a connection is under way. */
  #nextFor(server: ServerConnection): Waiter | undefined {
    const { first } = this.#waiters
    if (first === undefined || fits(server, first)) return first
    if (this.#waiters.firstUnserved(this.#connecting) === first) return undefined
    return this.#waiters.find((waiter) => fits(server, waiter))
  }

  #giveUp(server: ServerConnection, reason: CloseReason): void {
    if (!this.#held.delete(server)) return
    this.#idle.remove(server)
    this.#cancels.delete(server)
    server.close()
    this.#parts.observer.serverClosed(this.name, reason)
    this.#grow()
  }

  #move(server: ServerConnection, place: Place): void {
    const held = this.#held.get(server)
    if (held !== undefined) held.place = place
  }

  get #connectingCount(): number {
    let count = 0
    for (const ofKey of this.#connecting.values()) count += ofKey
    return count
  }

  /**
   * Opens connections for those who wait, as far as there is room. Idle connections that none of
   * them can use make room.
   */
  #grow(): void {
    for (;;) {
      if (this.#waiters.count === 0 || this.#closing !== undefined || this.#retryTimer) return
      const connecting = this.#connectingCount
      const waiter = this.#waiters.firstUnserved(this.#connecting)
      if (waiter === undefined || connecting >= this.#parts.options.maxConnecting) return
      if (this.#held.size + connecting < this.#size) {
        void this.#connect(waiter)
        continue
      }
      const { oldest } = this.#idle
      if (oldest === undefined) return
      this.#giveUp(oldest, 'evicted')
    }
  }

  async #connect(waiter: Waiter): Promise<void> {
    const { clock, open, observer } = this.#parts
    const home = waiter.mode === 'session' ? waiter.link : undefined
    const key = homeKey(waiter)
    this.#connecting.set(key, (this.#connecting.get(key) ?? 0) + 1)
    const startedMs = clock.nowMs()
    try {
      const opened = await open(home).finally(() => this.#connectEnded(key))
      this.#backoff.succeeded()
      observer.serverOpened(this.name, clock.nowMs() - startedMs)
      this.#adopt(opened, home)
      this.#grow()
    } catch (error) {
      this.#connectFailed(error, key)
    }
  }

  #connectEnded(key: string): void {
    const left = (this.#connecting.get(key) ?? 1) - 1
    if (left === 0) this.#connecting.delete(key)
    else this.#connecting.set(key, left)
  }

  #adopt(opened: OpenedServer, home: Link | undefined): void {
    const { options, address, clock, observer, signer, random = Math.random } = this.#parts
    const { serverLifetimeMs, lifetimeJitter } = options
    const lifetimeMs = serverLifetimeMs * (1 - random() * lifetimeJitter)
    const expiresAtMs =
      serverLifetimeMs === 0 ? Number.POSITIVE_INFINITY : clock.nowMs() + lifetimeMs
    const server = new ServerConnection(opened, {
      ...options,
      address,
      home,
      signer,
      violated: observer.violated,
      reportedSets: this.#reportedSets,
      expiresAtMs,
    })
    // A server that shuts down may say so right behind its greeting.
    if (server.isClosed) throw new ServerUnreachableError(address, { reason: 'it hung up at once' })
    const idleSink = endSink((reason) => {
      if (reason !== undefined) this.#giveUp(server, 'lost')
    })
    this.#held.set(server, { place: 'leased', idleSink })
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
      this.#grow()
      return
    }
    const isPermanent = failure instanceof ServerLoginError && failure.isPermanent
    // While other connections live, those who wait may still get one of them.
    if (isPermanent || this.#held.size === 0) this.#refuseAll(failure)
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
