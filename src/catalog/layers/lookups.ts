import { Breaker, type BreakerOptions, type BreakerState } from '../../base/breaker.ts'
import type { Clock } from '../../base/clock.ts'
import { CatalogUnavailableError, LayerFailedError, RecordRefusedError } from '../catalog-errors.ts'
import type {
  CatalogLayer,
  CatalogObserver,
  ChangeSource,
  LookupResult,
} from '../catalog-observer.ts'
import type { CatalogChange } from '../change.ts'
import type { CatalogEntry, CatalogName } from '../entry.ts'
import { CacheHerald } from './cache-herald.ts'
import { type Held, keyOf, type MemoryCache, youthOf } from './memory-cache.ts'
import {
  type CachedEntry,
  isBlank,
  type KnownEntry,
  type RecordCache,
  type RecordSource,
} from './record-layers.ts'

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
export interface LookupParts {
  readonly memory: MemoryCache
  /** `undefined` where there is no Redis. */
  readonly cache: RecordCache | undefined
  readonly source: RecordSource
  readonly observer: CatalogObserver
  readonly clock: Clock
  /** Tells whether what was read leads anywhere: a template makes more names than there are tenants. */
  examine(name: CatalogName, entry: CatalogEntry): Promise<CatalogEntry>
  /** A record is of no use, whatever is held of it. */
  refused(error: RecordRefusedError): void
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
  readonly #cacheBreaker: Breaker
  readonly #sourceBreaker: Breaker
  #hasAnswered = false
  readonly #herald: CacheHerald | undefined

  constructor(parts: LookupParts, options: LookupOptions) {
    this.#parts = parts
    this.#options = options
    this.#herald = parts.cache && new CacheHerald(parts.cache)
    this.#cacheBreaker = new Breaker(options.breaker, parts.clock)
    this.#sourceBreaker = new Breaker(options.breaker, parts.clock)
  }

  /** Redis or the source has answered since the start. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  get breakers(): Readonly<Record<'redis' | 'postgres', BreakerState['kind']>> {
    return { redis: this.#cacheBreaker.state.kind, postgres: this.#sourceBreaker.state.kind }
  }

  /** @throws CatalogUnavailableError - when nobody knows the name and nobody can be asked. */
  async find(name: CatalogName): Promise<Found> {
    const held = this.#parts.memory.find(name)
    if (held === undefined || (held.standing === 'due' && !held.isStale)) {
      this.#note('memory', 'miss', 0)
      return this.#look(name).found
    }
    if (held.standing === 'ageing') this.#look(name).found.catch(() => {})
    if (held.isStale) this.#parts.observer.servedStale(held.ageMs)
    this.#note('memory', resultOf(held.entry, held.isStale), 0)
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
    if (via === 'postgres') this.#herald?.passOn(change)
    else if (change.kind === 'all') this.#herald?.catchUp()
  }

  #look(name: CatalogName): Flight {
    const key = keyOf(name)
    const running = this.#flights.get(key)
    if (running !== undefined) return running
    if (this.#flights.size >= this.#options.maxLookups) {
      const reason = `all ${this.#options.maxLookups} lookups are taken`
      return { found: Promise.reject(new CatalogUnavailableError(reason)), changes: 0 }
    }
    const found = Promise.resolve().then(() => this.#readUntilCurrent(name))
    const flight: Flight = { found, changes: 0 }
    this.#flights.set(key, flight)
    const land = () => this.#flights.delete(key)
    found.then(land, land)
    return flight
  }

  async #readUntilCurrent(name: CatalogName): Promise<Found> {
    const { memory } = this.#parts
    const flight = this.#flights.get(keyOf(name))
    for (let reading = 1; ; reading += 1) {
      const { era } = memory
      const changes = flight?.changes
      const found = await this.#read(name, era)
      const isCurrent =
        flight?.changes === changes &&
        era === memory.era &&
        found.entry.asOf >= memory.minimumOf(name)
      this.#hasAnswered ||= !found.isStale
      if (isCurrent || found.isStale || reading === MAX_READINGS) return found
    }
  }

  async #read(name: CatalogName, era: number): Promise<Found> {
    const { memory } = this.#parts
    const cached = await this.#askCache(name)
    if (cached !== undefined && this.#isYoung(cached, name)) {
      memory.keep(name, cached.entry, { ageMs: cached.ageMs, era })
      return { entry: cached.entry, layer: 'redis', ageMs: cached.ageMs, isStale: false }
    }
    try {
      const startedMs = this.#parts.clock.nowMs()
      const entry = await this.#askSource(name)
      // As old as the question: what changed while it was answered may not be in it.
      const ageMs = this.#parts.clock.nowMs() - startedMs
      memory.keep(name, entry, { ageMs, era })
      if (entry.kind !== 'refused') this.#fill(name, entry)
      return { entry, layer: 'postgres', ageMs, isStale: false }
    } catch (error) {
      return this.#lastKnown(name, { cached, era, error })
    }
  }

  async #askCache(name: CatalogName): Promise<CachedEntry | undefined> {
    const { cache, clock } = this.#parts
    if (cache === undefined) return undefined
    const startedMs = clock.nowMs()
    const tookMs = () => clock.nowMs() - startedMs
    try {
      const outcome = await this.#cacheBreaker.run(() => cache.read(name))
      if (outcome.kind === 'skipped') {
        this.#note('redis', 'skipped', tookMs())
        return undefined
      }
      const cached = outcome.value
      this.#note('redis', cached === undefined ? 'miss' : resultOf(cached.entry, false), tookMs())
      return cached
    } catch (error) {
      if (!(error instanceof LayerFailedError)) throw error
      this.#note('redis', 'error', tookMs())
      return undefined
    }
  }

  #isYoung({ entry, ageMs }: CachedEntry, name: CatalogName): boolean {
    if (entry.asOf < this.#parts.memory.minimumOf(name)) return false
    return entry.kind === 'absent' || ageMs < youthOf(this.#options.ttlMs)
  }

  async #askSource(name: CatalogName): Promise<KnownEntry> {
    const { source, memory, clock, examine, refused } = this.#parts
    const startedMs = clock.nowMs()
    const note = (result: LookupResult) => this.#note('postgres', result, clock.nowMs() - startedMs)
    const outcome = await this.#sourceBreaker
      .run(() => readOrRefuse(source, name))
      .catch((error) => {
        note('error')
        throw error
      })
    if (outcome.kind === 'skipped') {
      note('skipped')
      throw new LayerFailedError('postgres', 'it is left alone after it failed')
    }
    if (outcome.value instanceof RecordRefusedError) {
      note('error')
      refused(outcome.value)
      return { kind: 'refused', asOf: memory.minimumOf(name) }
    }
    note(resultOf(outcome.value, false))
    return examine(name, outcome.value)
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
    if (cached !== undefined) memory.keep(name, cached.entry, { ageMs: cached.ageMs, era })
    const held = memory.find(name)
    if (held === undefined || !this.#isServable(held, name)) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CatalogUnavailableError(`${name.kind} ${name.name}: ${reason}`, { cause: error })
    }
    memory.rest(name, STALE_REST_MS)
    observer.servedStale(held.ageMs)
    const layer = cached?.entry === held.entry ? 'redis' : 'memory'
    return { entry: held.entry, layer, ageMs: held.ageMs, isStale: true }
  }

  #isServable({ entry, ageMs }: Held, name: CatalogName): boolean {
    if (isBlank(entry) || ageMs > this.#options.maxStaleMs) return false
    return entry.asOf >= this.#parts.memory.supersededBelow(name)
  }

  #note(...note: Parameters<CatalogObserver['lookedUp']>): void {
    this.#parts.observer.lookedUp(...note)
  }
}

interface Lost {
  readonly cached: CachedEntry | undefined
  readonly era: number
  readonly error: unknown
}

/** A refused record says nothing against the source. */
async function readOrRefuse(
  source: RecordSource,
  name: CatalogName,
): Promise<CatalogEntry | RecordRefusedError> {
  try {
    return await source.read(name)
  } catch (error) {
    if (error instanceof RecordRefusedError) return error
    throw error
  }
}

function resultOf(entry: KnownEntry, isStale: boolean): 'hit' | 'absent' | 'stale' {
  if (isStale) return 'stale'
  return isBlank(entry) ? 'absent' : 'hit'
}
