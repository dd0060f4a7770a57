import type { Redis } from 'ioredis'
import { Backoff } from '../../base/backoff.ts'
import type { ClockTimer } from '../../base/clock.ts'
import { reasonOf } from '../../base/deadline.ts'
import { LayerFailedError } from '../catalog-errors.ts'
import { type ClusterMaster, mastersOf, SLOTS, slotOf } from './cluster-slots.ts'
import { newConnection } from './redis-connection.ts'
import { RedisLink, type RedisParts } from './redis-link.ts'
import type { RedisNodes } from './redis-nodes.ts'
import {
  endpointOf,
  type RedisCacheOptions,
  type RedisEndpoint,
  siblingOf,
} from './redis-options.ts'
import { within } from './within.ts'

/** So often the cluster is asked who serves what. */
const REFRESH_MS = 2000
/** After a hint that this has changed, which comes with every command that went astray. */
const SOON_MS = 100
const BACKOFF = { minMs: 100, maxMs: 5000 }

/**
 * A link to each master of a cluster. Replicas are not asked: they may be behind. Keys are routed
 * here and not by the cluster client of ioredis, because each node's commands and the messages
 * about its keys have to go over one pair of connections.
 */
export class ClusterNodes implements RedisNodes {
  readonly #options: RedisCacheOptions
  readonly #seeds: readonly RedisEndpoint[]
  readonly #parts: RedisParts
  readonly #backoff = new Backoff(BACKOFF)
  #links: ReadonlyMap<string, RedisLink> = new Map()
  #owners: readonly (RedisLink | undefined)[] = []
  #timer: ClockTimer | undefined
  #isAsking = false
  #isSoon = false
  #isClosed = false
  #outage: string | undefined

  constructor(options: RedisCacheOptions, urls: readonly string[], parts: RedisParts) {
    this.#options = options
    this.#seeds = urls.map((url) => endpointOf(options, url))
    this.#parts = {
      ...parts,
      told: (change) => parts.told(change),
      observer: {
        nodeUp: (address) => parts.observer.nodeUp(address),
        valueUnreadable: (key, reason) => parts.observer.valueUnreadable(key, reason),
        nodeLost: (address, reason) => {
          parts.observer.nodeLost(address, reason)
          this.moved()
        },
      },
    }
    void this.#refresh()
  }

  get isUp(): boolean {
    return this.#links.size > 0 && [...this.#links.values()].every(({ isUp }) => isUp)
  }

  linkOf(key: string): RedisLink {
    const link = this.#owners[slotOf(key)]
    if (link !== undefined) return link
    throw new LayerFailedError('redis', this.#outage ?? 'no node of the cluster has the key')
  }

  moved(): void {
    if (this.#isSoon || this.#isAsking) return
    this.#isSoon = true
    this.#refreshAfter(SOON_MS)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    for (const link of this.#links.values()) link.close()
  }

  #refreshAfter(delayMs: number): void {
    this.#timer?.cancel()
    if (this.#isClosed) return
    this.#timer = this.#parts.clock.after(delayMs, () => void this.#refresh())
  }

  async #refresh(): Promise<void> {
    this.#isSoon = false
    this.#isAsking = true
    const masters = await this.#askAll()
    this.#isAsking = false
    if (this.#isClosed) return
    if (masters !== undefined) this.#take(masters)
    if (masters !== undefined) this.#backoff.succeeded()
    this.#refreshAfter(masters === undefined ? this.#backoff.failed() : REFRESH_MS)
  }

  /** Those that we know first, then those that the configuration names. */
  async #askAll(): Promise<ClusterMaster[] | undefined> {
    for (const [address, link] of this.#links) {
      if (!link.isUp) continue
      const masters = await this.#ask(link.commands, address.slice(0, address.lastIndexOf(':')))
      if (masters !== undefined) return masters
    }
    for (const seed of this.#seeds) {
      const masters = this.#isClosed ? undefined : await this.#askSeed(seed)
      if (masters !== undefined) return masters
    }
    return undefined
  }

  async #askSeed({ redis, openMs }: RedisEndpoint): Promise<ClusterMaster[] | undefined> {
    let failure: Error | undefined
    const connection = newConnection(redis, (error) => {
      failure ??= error
    })
    try {
      await within({ clock: this.#parts.clock, timeoutMs: openMs }, connection.connect())
      return await this.#ask(connection, redis.host ?? '')
    } catch (error) {
      return this.#failed(failure ?? error)
    } finally {
      connection.disconnect()
    }
  }

  async #ask(redis: Redis, host: string): Promise<ClusterMaster[] | undefined> {
    const limit = { clock: this.#parts.clock, timeoutMs: this.#options.timeoutMs }
    try {
      return mastersOf(await within(limit, redis.cluster('SLOTS')), host)
    } catch (error) {
      return this.#failed(error)
    }
  }

  #failed(error: unknown): undefined {
    if (this.#outage === undefined && this.#links.size === 0) {
      this.#parts.observer.nodeLost('cluster', reasonOf(error))
    }
    this.#outage = reasonOf(error)
    return undefined
  }

  #take(masters: readonly ClusterMaster[]): void {
    const old = this.#links
    const links = new Map<string, RedisLink>()
    const owners: (RedisLink | undefined)[] = Array.from({ length: SLOTS })
    for (const { host, port, ranges } of masters) {
      const address = `${host}:${port}`
      const link = old.get(address) ?? this.#linkTo({ host, port })
      if (link === undefined) continue
      links.set(address, link)
      for (const [first, last] of ranges) owners.fill(link, first, last + 1)
    }
    // What was read from a slot's former owner can't be followed any more.
    const hasMoved = this.#owners.some((owner, slot) => owner !== owners[slot])
    this.#links = links
    this.#owners = owners
    this.#outage = undefined
    for (const [address, link] of old) if (!links.has(address)) link.close()
    if (hasMoved) this.#parts.told({ kind: 'all', version: undefined })
  }

  #linkTo(node: { readonly host: string; readonly port: number }): RedisLink | undefined {
    const [seed] = this.#seeds
    if (seed === undefined) return undefined
    return new RedisLink(this.#options, siblingOf(this.#options, seed, node), this.#parts)
  }
}
