import type { Redis } from 'ioredis'
import { Backoff } from '../../base/backoff.ts'
import type { Clock, ClockTimer } from '../../base/clock.ts'
import { reasonOf } from '../../base/deadline.ts'
import { LayerFailedError } from '../catalog-errors.ts'
import type { CatalogChange } from '../change.ts'
import { changeOf, trackedPrefixes } from './redis-keys.ts'
import type { RedisObserver } from './redis-observer.ts'
import type { RedisCacheOptions, RedisEndpoint } from './redis-options.ts'
import { TrackedPair } from './tracked-pair.ts'
import { within } from './within.ts'

/** What stands around the links to Redis. */
export interface RedisParts {
  readonly clock: Clock
  readonly observer: RedisObserver
  /**
   * Something may have changed: a key, by whomever, us included; or anything, when a link was lost.
   * Must not throw.
   */
  told(change: CatalogChange): void
}

const HEARTBEAT_MS = 1000
const BACKOFF = { minMs: 100, maxMs: 5000 }
const ALL: CatalogChange = { kind: 'all', version: undefined }

/**
 * The link to one server: opens a pair of connections, listens to their heartbeat, and replaces
 * both when either of them fails. Nothing that was read over a lost link can be followed any more,
 * so everything is told as changed when it is lost, and when it is back.
 */
export class RedisLink {
  readonly #options: RedisCacheOptions
  readonly #endpoint: RedisEndpoint
  readonly #parts: RedisParts
  readonly #backoff = new Backoff(BACKOFF)
  #pair: TrackedPair | undefined
  #timer: ClockTimer | undefined
  #isUp = false
  #isClosed = false
  /** `undefined` while nothing is known to be wrong. */
  #outage: string | undefined

  constructor(options: RedisCacheOptions, endpoint: RedisEndpoint, parts: RedisParts) {
    this.#options = options
    this.#endpoint = endpoint
    this.#parts = parts
    void this.#open()
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /**
   * The connection that takes commands.
   *
   * @throws LayerFailedError - it is down.
   */
  get commands(): Redis {
    if (this.#isUp && this.#pair !== undefined) return this.#pair.commands
    throw new LayerFailedError('redis', this.#outage ?? 'not connected yet')
  }

  /** Replaces both connections: what they lead to is not, or no longer, what is wanted. */
  lose(reason: string): void {
    if (this.#isClosed || this.#pair === undefined) return
    const wasUp = this.#isUp
    this.#drop()
    if (this.#outage === undefined) this.#parts.observer.nodeLost(this.#endpoint.address, reason)
    this.#outage = reason
    this.#timer = this.#parts.clock.after(this.#backoff.failed(), () => void this.#open())
    if (wasUp) this.#parts.told(ALL)
  }

  close(): void {
    this.#isClosed = true
    this.#drop()
  }

  #drop(): void {
    this.#timer?.cancel()
    this.#isUp = false
    this.#pair?.close()
    this.#pair = undefined
  }

  async #open(): Promise<void> {
    const { clock } = this.#parts
    const pair: TrackedPair = new TrackedPair(this.#endpoint, {
      changed: (keys) => this.#changed(keys),
      failed: (error) => this.#lost(pair, error),
    })
    this.#pair = pair
    try {
      const opened = pair.open(trackedPrefixes(this.#options.prefix))
      await within({ clock, timeoutMs: this.#endpoint.openMs }, opened)
    } catch (error) {
      this.#lost(pair, error)
    }
    if (this.#pair === pair) this.#opened(pair)
  }

  #opened(pair: TrackedPair): void {
    const { observer, told } = this.#parts
    this.#isUp = true
    this.#outage = undefined
    this.#beatLater(pair)
    observer.nodeUp(this.#endpoint.address)
    told(ALL)
  }

  #beatLater(pair: TrackedPair): void {
    this.#timer = this.#parts.clock.after(HEARTBEAT_MS, () => void this.#beat(pair))
  }

  async #beat(pair: TrackedPair): Promise<void> {
    const { clock } = this.#parts
    try {
      await within({ clock, timeoutMs: this.#options.timeoutMs }, pair.ping())
    } catch (error) {
      this.#lost(pair, error)
    }
    if (this.#pair !== pair) return
    this.#backoff.succeeded()
    this.#beatLater(pair)
  }

  /** Of an earlier pair, nothing is news. */
  #lost(pair: TrackedPair, error: unknown): void {
    if (this.#pair === pair) this.lose(reasonOf(error))
  }

  #changed(keys: readonly string[] | undefined): void {
    const { prefix } = this.#options
    const changes = keys === undefined ? [ALL] : keys.map((key) => changeOf(prefix, key))
    for (const change of changes) if (change !== undefined) this.#parts.told(change)
  }
}
