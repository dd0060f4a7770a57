import type { BreakerOptions } from '../../base/breaker.ts'
import { CatalogUnavailableError, LayerFailedError } from '../catalog-errors.ts'
import type { CatalogLayer, ChangeSource } from '../catalog-observer.ts'
import type { CatalogChange } from '../change.ts'
import type { CatalogEntry, CatalogName } from '../entry.ts'
import { CacheHerald } from './cache-herald.ts'
import { Doubts } from './doubts.ts'
import { FarLayers, type FarParts, resultOf } from './far-layers.ts'
import { type Held, keyOf, type MemoryCache, youthOf } from './memory-cache.ts'
import { type CachedEntry, isBlank, type KnownEntry } from './record-layers.ts'

/** How lookups are made. Times in ms. */
export interface LookupOptions {
  readonly ttlMs: number
  readonly negativeTtlMs: number
  readonly maxStaleMs: number
  /** Most names under way at a time. */
  readonly maxLookups: number
  readonly breaker: BreakerOptions
}

/** The layers, nearest first, and what stands around them. */
export interface LookupParts extends FarParts {
  readonly memory: MemoryCache
}

/** What was found, and where. */
export interface Found {
  readonly entry: KnownEntry
  readonly layer: CatalogLayer
  /** Since it was read from the source. */
  readonly ageMs: number
  /** Its time is over, and nobody could be asked whether it still holds. */
  readonly isStale: boolean
}

/** One lookup that all who ask for the name wait for. */
interface Flight {
  readonly found: Promise<Found>
  /** Those that were told of the name, without a version to compare with. */
  changes: number
  /** It ended although something was told that may not be in its answer. */
  isOvertaken: boolean
}

/** A name that changes faster than it can be read is answered with what was read last. */
const MAX_READINGS = 3
/** While nobody can be asked, each record is tried again after so long. */
const STALE_REST_MS = 1000

/**
 * Finds what names lead to: in memory, else in Redis, else at the source, and each nearer layer
 * learns from the farther one. A thousand sessions that ask for one name make one lookup.
 */
export class Lookups {
  readonly #parts: LookupParts
  readonly #options: LookupOptions
  readonly #flights = new Map<string, Flight>()
  readonly #far: FarLayers
  readonly #doubts = new Doubts()
  #hasAnswered = false
  readonly #herald: CacheHerald | undefined

  constructor(parts: LookupParts, options: LookupOptions) {
    this.#parts = parts
    this.#options = options
    this.#herald = parts.cache && new CacheHerald(parts.cache)
    this.#far = new FarLayers(parts, options.breaker)
  }

  /** Redis or the source has answered since the start. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  get breakers(): FarLayers['breakers'] {
    return this.#far.breakers
  }

  /** @throws CatalogUnavailableError - when nobody knows the name and nobody can be asked. */
  async find(name: CatalogName): Promise<Found> {
    const held = this.#parts.memory.find(name)
    if (held === undefined || (held.standing === 'due' && !held.isStale)) {
      this.#parts.observer.lookedUp('memory', 'miss', 0)
      const joined = this.#flights.get(keyOf(name))
      const found = await this.#look(name)
      return joined?.isOvertaken ? this.#look(name) : found
    }
    if (held.standing === 'ageing') this.#look(name).catch(() => {})
    if (held.isStale) this.#parts.observer.servedStale(held.ageMs)
    this.#parts.observer.lookedUp('memory', resultOf(held.entry, held.isStale), 0)
    return { entry: held.entry, layer: 'memory', ageMs: held.ageMs, isStale: held.isStale }
  }

  /** Takes in a change, so that every later `find` sees it. */
  heard(change: CatalogChange, via: Exclude<ChangeSource, 'file'>): void {
    const { memory, observer } = this.#parts
    observer.changeTold(via)
    if (change.kind === 'all') {
      memory.voidAll(change.version)
    } else {
      memory.voidName(change.name, change.version)
      const flight = this.#flights.get(keyOf(change.name))
      if (flight !== undefined && change.version === undefined) flight.changes += 1
    }
    if (via === 'postgres') {
      this.#doubts.heard(change, this.#parts.clock.nowMs())
      this.#herald?.passOn(change)
    } else if (change.kind === 'all') this.#herald?.catchUp()
  }

  #look(name: CatalogName): Promise<Found> {
    const key = keyOf(name)
    const running = this.#flights.get(key)
    if (running !== undefined) return running.found
    if (this.#flights.size >= this.#options.maxLookups) return this.#passOver(name)
    const flight: Flight = {
      found: Promise.resolve().then(() => this.#readUntilCurrent(name, flight)),
      changes: 0,
      isOvertaken: false,
    }
    this.#flights.set(key, flight)
    return flight.found
  }

  /** Too many ask: what is known is all that there is. */
  async #passOver(name: CatalogName): Promise<Found> {
    this.#parts.observer.lookedUp('postgres', 'skipped', 0)
    const reason = `all ${this.#options.maxLookups} lookups are taken`
    const error = new LayerFailedError('postgres', reason)
    return this.#lastKnown(name, { cached: undefined, era: this.#parts.memory.era, error })
  }

  async #readUntilCurrent(name: CatalogName, flight: Flight): Promise<Found> {
    try {
      for (let reading = 1; ; reading += 1) {
        const before = this.#momentOf(name, flight)
        const found = await this.#read(name, before)
        this.#hasAnswered ||= !found.isStale
        const now = this.#momentOf(name, flight)
        if (now.changes !== before.changes) this.#parts.memory.voidName(name, undefined)
        if (found.isStale ? this.#isServable(found, name) : isCurrent(found, before, now)) {
          return found
        }
        flight.isOvertaken = reading >= MAX_READINGS && !found.isStale
        if (flight.isOvertaken) return found
      }
    } finally {
      // At once: who comes now must not get what was read before.
      this.#flights.delete(keyOf(name))
    }
  }

  #momentOf(name: CatalogName, { changes }: Flight): Moment {
    const { memory } = this.#parts
    return { changes, era: memory.era, minimum: memory.minimumOf(name) }
  }

  async #read(name: CatalogName, { era, minimum }: Moment): Promise<Found> {
    const { memory, clock } = this.#parts
    const askedMs = clock.nowMs()
    const cached = await this.#far.askCache(name)
    if (cached !== undefined && this.#isYoung(cached, name, askedMs)) {
      memory.keep(name, cached.entry, { ageMs: cached.ageMs, era, isLatest: false })
      return { entry: cached.entry, layer: 'redis', ageMs: cached.ageMs, isStale: false }
    }
    try {
      const startedMs = clock.nowMs()
      const entry = await this.#far.askSource(name, minimum)
      // As old as the question: what changed while it was answered may not be in it.
      const ageMs = clock.nowMs() - startedMs
      memory.keep(name, entry, { ageMs, era, isLatest: true })
      if (entry.kind !== 'refused') this.#fill(name, entry)
      return { entry, layer: 'postgres', ageMs, isStale: false }
    } catch (error) {
      return this.#lastKnown(name, { cached, era, error })
    }
  }

  #isYoung({ entry, ageMs }: CachedEntry, name: CatalogName, askedMs: number): boolean {
    const { memory } = this.#parts
    const { ttlMs, negativeTtlMs } = this.#options
    if (entry.asOf < Math.max(memory.minimumOf(name), memory.versionOf(name))) return false
    // Ages are counted at Redis from the question or later: this is no later than it was stored.
    if (askedMs - ageMs <= this.#doubts.beforeMs(name)) return false
    return ageMs < (entry.kind === 'absent' ? negativeTtlMs : youthOf(ttlMs))
  }

  /** Nobody waits for this: Redis is filled for the next lookup, here or elsewhere. */
  #fill(name: CatalogName, entry: CatalogEntry): void {
    const { cache } = this.#parts
    const { maxStaleMs, negativeTtlMs } = this.#options
    if (cache === undefined || !cache.isUp) return
    const keptMs =
      entry.kind === 'absent' ? Math.ceil(negativeTtlMs * (0.8 + 0.2 * Math.random())) : maxStaleMs
    cache.fill(name, entry, keptMs).catch(() => {})
  }

  /** The source does not answer: what is known from before serves, unless it is known to be wrong. */
  #lastKnown(name: CatalogName, { cached, era, error }: Lost): Found {
    const { memory, observer } = this.#parts
    if (cached !== undefined) {
      memory.keep(name, cached.entry, { ageMs: cached.ageMs, era, isLatest: false })
    }
    const held = memory.find(name)
    if (held === undefined || !this.#isServable(held, name)) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CatalogUnavailableError(`${name.kind} ${name.name}: ${reason}`, { cause: error })
    }
    const { entry, ageMs } = held
    const isStale = held.standing === 'due'
    if (isStale) {
      memory.rest(name, STALE_REST_MS)
      observer.servedStale(ageMs)
    }
    return { entry, layer: cached?.entry === entry ? 'redis' : 'memory', ageMs, isStale }
  }

  #isServable({ entry, ageMs }: Pick<Held, 'entry' | 'ageMs'>, name: CatalogName): boolean {
    if (isBlank(entry) || ageMs > this.#options.maxStaleMs) return false
    return entry.asOf >= this.#parts.memory.supersededBelow(name)
  }
}

/** What has been told so far of a name that is looked up. */
interface Moment {
  readonly changes: number
  readonly era: number
  readonly minimum: number
}

interface Lost {
  readonly cached: CachedEntry | undefined
  readonly era: number
  readonly error: unknown
}

/** Whether an answer has everything in it that was told while it was read. */
function isCurrent({ entry }: Found, before: Moment, now: Moment): boolean {
  if (now.changes !== before.changes || now.era !== before.era) return false
  // What was told before the question is in the answer, also when a backup took versions back.
  return entry.asOf >= now.minimum || now.minimum === before.minimum
}
