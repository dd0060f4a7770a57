import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { LRUCache } from 'lru-cache'
import { reasonOf } from '../../base/deadline.ts'
import { LayerFailedError } from '../catalog-errors.ts'
import type { CatalogEntry, CatalogName } from '../entry.ts'
import { decodeValue, encodeEntry, encodeVoid, type StoredValue } from './entry-codec.ts'
import { floorKeyOf, keyOf } from './redis-keys.ts'
import type { RedisParts } from './redis-link.ts'
import { nodesOf, type RedisNodes } from './redis-nodes.ts'
import type { RedisCacheOptions } from './redis-options.ts'
import { COMPARE_AND_SET, MAX_VALUE_BYTES, RAISE, runScript } from './redis-scripts.ts'
import { within } from './within.ts'

/** An entry as Redis has it. */
export interface CachedEntry {
  readonly entry: CatalogEntry
  /** Time since it was stored, in ms. */
  readonly ageMs: number
  /** How long it was to be kept when it was stored, in ms. */
  readonly keptMs: number
}

/** Long enough for any reader that began before the change to have ended. */
const TOMBSTONE_MS = 60_000
const TELL_AGAIN_MS = 60_000
const MAX_REMEMBERED = 1000
/** No more digits than a JavaScript number holds exactly. */
const FLOOR = /^\d{1,15}$/
const MAX_FLOOR_BYTES = 16
const WRONG_TYPE: StoredValue = { kind: 'unreadable', reason: 'it is no string' }
const TOO_LONG: StoredValue = { kind: 'unreadable', reason: 'it is too long' }

interface Write {
  readonly value: string
  readonly keptMs: number
  /** The newest `asOf` that gives way. */
  readonly highestOld: number
}

/**
 * Entries of the catalog in Redis, shared by many proxies. Of two entries for a name the newer one
 * stays, whoever comes last. Whatever fails does so within `timeoutMs`, as a `LayerFailedError`.
 *
 * @see docs/catalog.md
 */
export class RedisCache {
  readonly #options: RedisCacheOptions
  readonly #parts: RedisParts
  readonly #nodes: RedisNodes
  readonly #floorKey: string
  /** SHA-1 of values that we could not read and that may be overwritten; '' where there is none. */
  readonly #unreadable = new LRUCache<string, string>({ max: MAX_REMEMBERED, ttl: TELL_AGAIN_MS })

  /** Connects in the background. */
  constructor(options: RedisCacheOptions, parts: RedisParts) {
    this.#options = options
    this.#parts = parts
    this.#floorKey = floorKeyOf(options.prefix)
    this.#nodes = nodesOf(options, parts)
  }

  /** All of Redis serves, and tells of changes that others make. */
  get isUp(): boolean {
    return this.#nodes.isUp
  }

  /**
   * What is known of a name; `undefined`: nothing, nothing any more, or nothing that can be read.
   *
   * @throws LayerFailedError
   */
  read(name: CatalogName): Promise<CachedEntry | undefined> {
    const key = this.#keyOf(name)
    return this.#inTime(async () => {
      const stored = this.#run(key, (redis) => {
        // The age is asked first: an entry that comes in between is taken for older than it is.
        const ttlMs = redis.pttl(key)
        return Promise.all([ttlMs, unlessWrongType(redis.getrangeBuffer(key, 0, MAX_VALUE_BYTES))])
      })
      const [[ttlMs, bytes], floor] = await Promise.all([stored, this.#floor()])
      const value = this.#valueOf(name, bytes)
      if (value?.kind !== 'entry' || value.entry.asOf < floor) return undefined
      const { entry, keptMs } = value
      return { entry, ageMs: ageOf(keptMs, ttlMs), keptMs }
    })
  }

  /**
   * Stores what a source has just said, for `keptMs`. Returns false when Redis knows better.
   *
   * @throws LayerFailedError
   */
  fill(name: CatalogName, entry: CatalogEntry, keptMs: number): Promise<boolean> {
    return this.#inTime(async () => {
      if (entry.asOf < (await this.#floor())) return false
      const value = encodeEntry(entry, keptMs)
      return this.#set(this.#keyOf(name), { value, keptMs, highestOld: entry.asOf })
    })
  }

  /**
   * Makes what is older than `asOf` void, and keeps out those who have read it but not stored it yet.
   *
   * @throws LayerFailedError
   */
  async voidName(name: CatalogName, asOf: number): Promise<void> {
    const tombstone = { value: encodeVoid(asOf), keptMs: TOMBSTONE_MS, highestOld: asOf - 1 }
    await this.#inTime(() => this.#set(this.#keyOf(name), tombstone))
  }

  /**
   * Makes all entries void that are older than `asOf`.
   *
   * @throws LayerFailedError
   */
  async raiseFloor(asOf: number): Promise<void> {
    const key = this.#floorKey
    const call = { key, args: [asOf] }
    await this.#inTime(() => this.#run(key, (redis) => runScript(redis, RAISE, call)))
  }

  close(): void {
    this.#nodes.close()
  }

  #keyOf(name: CatalogName): string {
    return keyOf(this.#options.prefix, name)
  }

  async #inTime<T>(work: () => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    try {
      return await within({ clock: this.#parts.clock, timeoutMs }, work())
    } catch (error) {
      throw asLayerFailed(error)
    }
  }

  async #run<T>(key: string, work: (redis: Redis) => Promise<T>): Promise<T> {
    const link = this.#nodes.linkOf(key)
    try {
      return await work(link.commands)
    } catch (error) {
      const reason = reasonOf(error)
      if (/^(MOVED|ASK|CLUSTERDOWN) /.test(reason)) this.#nodes.moved()
      // A master that was demoted: its name, or the sentinels, lead to another one by now.
      if (reason.startsWith('READONLY ')) link.lose(reason)
      throw error
    }
  }

  #set(key: string, { value, keptMs, highestOld }: Write): Promise<boolean> {
    const args = [value, keptMs, highestOld, this.#unreadable.get(key) ?? '']
    return this.#run(key, (redis) => runScript(redis, COMPARE_AND_SET, { key, args }))
  }

  /** A floor that can't be read makes everything void: nobody knows what it was meant to. */
  async #floor(): Promise<number> {
    const key = this.#floorKey
    const get = (redis: Redis) => unlessWrongType(redis.getrangeBuffer(key, 0, MAX_FLOOR_BYTES))
    const bytes = await this.#run(key, get)
    const text = bytes?.toString('latin1')
    if (text === '') return 0
    if (text !== undefined && FLOOR.test(text)) return Number(text)
    this.#tellUnreadable(key, { reason: 'it is no version', sha: '' })
    return Number.POSITIVE_INFINITY
  }

  /** @param bytes - `undefined` for a key of another type than string. */
  #valueOf(name: CatalogName, bytes: Buffer | undefined): StoredValue | undefined {
    if (bytes?.length === 0) return undefined
    const key = this.#keyOf(name)
    const value = bytes === undefined ? WRONG_TYPE : valueIn(name, bytes)
    if (value.kind === 'unreadable') {
      this.#tellUnreadable(key, { reason: value.reason, sha: sha1(bytes ?? '') })
    }
    return value
  }

  #tellUnreadable(key: string, { reason, sha }: { reason: string; sha: string }): void {
    const isNews = !this.#unreadable.has(key)
    this.#unreadable.set(key, sha, { noUpdateTTL: true })
    if (isNews) this.#parts.observer.valueUnreadable(key, reason)
  }
}

function sha1(bytes: Buffer | string): string {
  return createHash('sha1').update(bytes).digest('hex')
}

function asLayerFailed(cause: unknown): LayerFailedError {
  if (cause instanceof LayerFailedError) return cause
  return new LayerFailedError('redis', reasonOf(cause), { cause })
}

function valueIn(name: CatalogName, bytes: Buffer): StoredValue {
  return bytes.length > MAX_VALUE_BYTES ? TOO_LONG : decodeValue(name, bytes)
}

function ageOf(keptMs: number, ttlMs: number): number {
  // Without an expiry, or gone when its time was asked and written again since: as good as new.
  return ttlMs < 0 ? 0 : Math.max(0, keptMs - ttlMs)
}

async function unlessWrongType(bytes: Promise<Buffer>): Promise<Buffer | undefined> {
  try {
    return await bytes
  } catch (error) {
    if (reasonOf(error).startsWith('WRONGTYPE ')) return undefined
    throw error
  }
}
