import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.ts'
import type { CatalogName } from '../entry.ts'
import { isBlank, type KnownEntry } from './record-layers.ts'

/** Bounds and lifetimes of what is held in memory. */
export interface MemoryOptions {
  /** Most names that lead somewhere, and as many that do not. */
  readonly maxEntries: number
  /** Most bytes of both together. */
  readonly maxBytes: number
  /** An entry is asked for again after so long, in ms. */
  readonly ttlMs: number
  /** The same for the knowledge that there is no such name. */
  readonly negativeTtlMs: number
}

/**
 * How far an entry may be relied on.
 *
 * - `fresh`: it holds.
 * - `ageing`: it holds, and is to be read again meanwhile.
 * - `due`: it holds no more, unless nobody can be asked.
 */
export type Standing = 'fresh' | 'ageing' | 'due'

/** An entry as it stands now. */
export interface Held {
  readonly entry: KnownEntry
  readonly standing: Standing
  /** Since it was read from the source, in ms. */
  readonly ageMs: number
  /** Nobody could be asked a moment ago: it serves until somebody is asked again. */
  readonly isStale: boolean
}

/** When, in which of the cache's eras, and from whom an entry was read. */
export interface Reading {
  readonly ageMs: number
  readonly era: number
  /** Its source said so just now: whatever is held is older, also where its version says otherwise. */
  readonly isLatest: boolean
}

interface Item {
  readonly entry: KnownEntry
  readonly readAtMs: number
  readonly ageingAtMs: number
  readonly dueAtMs: number
  readonly era: number
  isVoid: boolean
  /** It serves as it is until then, past its time, unless it comes into doubt again. */
  staleUntilMs: number
  /** `doubts` of the cache when that was said. */
  staleSince: number
}

/** Names that changed of late. More than can change within one lookup. */
const MAX_MINIMUMS = 10_000
/** An entry is read again between these shares of its time, so that not all proxies do so at once. */
const AGEING_FROM = 0.5
const AGEING_SPREAD = 0.25
/** By how much of its time a negative entry may live shorter. */
const NEGATIVE_JITTER = 0.2
/** A document as JSON, and the objects that are made of it. Found by measuring. */
const BYTES_PER_CHARACTER = 4
const BYTES_PER_ENTRY = 1000
/** The same for a name that leads nowhere. */
const BYTES_PER_BLANK = 450
/** As much of the bytes is for names that lead nowhere. */
const BLANK_SHARE = 0.1

/**
 * What this process knows of tenants and logins: bounded, with times, and void as soon as a change
 * is told. Names that do not exist are apart from those that do, so that nobody can push tenants
 * out by asking for others.
 */
export class MemoryCache {
  readonly #options: MemoryOptions
  readonly #clock: Clock
  readonly #known: LRUCache<string, Item>
  readonly #absent: LRUCache<string, Item>
  /** By name: entries older than this version are known to be superseded. */
  readonly #minimums = new LRUCache<string, number>({ max: MAX_MINIMUMS })
  #floor = 0
  #era = 0
  /** Counts what was told of all names. */
  #doubts = 0

  constructor(options: MemoryOptions, clock: Clock) {
    const { maxEntries, maxBytes } = options
    this.#options = options
    this.#clock = clock
    const blankBytes = Math.floor(maxBytes * BLANK_SHARE)
    const bounds = { max: maxEntries, sizeCalculation: sizeOf }
    this.#known = new LRUCache({ ...bounds, maxSize: maxBytes - blankBytes })
    this.#absent = new LRUCache({ ...bounds, maxSize: blankBytes })
  }

  /** Entries that are held, also of names that do not exist. */
  get count(): number {
    return this.#known.size + this.#absent.size
  }

  /** About so much memory do they take. */
  get bytes(): number {
    return this.#known.calculatedSize + this.#absent.calculatedSize
  }

  /** Grows when everything becomes doubtful: what was read before is not relied on. */
  get era(): number {
    return this.#era
  }

  find(name: CatalogName): Held | undefined {
    const key = keyOf(name)
    const item = this.#known.get(key) ?? this.#absent.get(key)
    if (item === undefined) return undefined
    const nowMs = this.#clock.nowMs()
    const standing = this.#standingOf(item, name, nowMs)
    const isResting = nowMs < item.staleUntilMs && item.staleSince === this.#doubts
    const isStale = standing === 'due' && isResting
    return { entry: item.entry, standing, ageMs: nowMs - item.readAtMs, isStale }
  }

  /** Version of what is held of a name, at least; 0 when nothing is. */
  versionOf(name: CatalogName): number {
    return this.#peek(keyOf(name))?.entry.asOf ?? 0
  }

  /** Holds an entry, unless a newer one is held, or it is known to be wrong. */
  keep(name: CatalogName, entry: KnownEntry, { ageMs, era, isLatest }: Reading): void {
    const key = keyOf(name)
    const newest = Math.max(this.supersededBelow(name), isLatest ? 0 : this.versionOf(name))
    if (entry.asOf < newest) return
    const readAtMs = this.#clock.nowMs() - ageMs
    const item: Item = {
      entry,
      readAtMs,
      ...this.#timesOf(entry, readAtMs),
      era,
      isVoid: false,
      staleUntilMs: 0,
      staleSince: 0,
    }
    this.#forget(key)
    const place = isBlank(entry) ? this.#absent : this.#known
    place.set(key, item)
  }

  /** What is held of the name serves as it is for a while. */
  rest(name: CatalogName, restMs: number): void {
    const item = this.#known.peek(keyOf(name))
    if (item === undefined) return
    item.staleUntilMs = this.#clock.nowMs() + restMs
    item.staleSince = this.#doubts
  }

  /** @param version - Entries older than this are superseded; `undefined`: it can't be told which. */
  voidName(name: CatalogName, version: number | undefined): void {
    const key = keyOf(name)
    const item = this.#peek(key)
    if (version !== undefined) {
      this.#minimums.set(key, Math.max(version, this.#minimums.get(key) ?? 0))
      if (item !== undefined && item.entry.asOf < version) this.#forget(key)
    } else if (item !== undefined) {
      item.isVoid = true
      item.staleUntilMs = 0
    }
  }

  /** @param version - As for `voidName`, of all names. */
  voidAll(version: number | undefined): void {
    this.#doubts += 1
    if (version === undefined) this.#era += 1
    else this.#floor = Math.max(this.#floor, version)
  }

  /** Entries of the name that are older than this version must not be relied on. */
  minimumOf(name: CatalogName): number {
    return Math.max(this.#floor, this.supersededBelow(name))
  }

  /** Entries of the name that are older than this version are known to be wrong. */
  supersededBelow(name: CatalogName): number {
    return this.#minimums.get(keyOf(name)) ?? 0
  }

  #peek(key: string): Item | undefined {
    return this.#known.peek(key) ?? this.#absent.peek(key)
  }

  #forget(key: string): void {
    this.#known.delete(key)
    this.#absent.delete(key)
  }

  #standingOf(item: Item, name: CatalogName, nowMs: number): Standing {
    const isOld = item.era !== this.#era || item.entry.asOf < this.minimumOf(name)
    if (item.isVoid || isOld || nowMs >= item.dueAtMs) return 'due'
    return nowMs >= item.ageingAtMs ? 'ageing' : 'fresh'
  }

  #timesOf(entry: KnownEntry, readAtMs: number): Pick<Item, 'ageingAtMs' | 'dueAtMs'> {
    const { ttlMs, negativeTtlMs } = this.#options
    if (isBlank(entry)) {
      const dueAtMs = readAtMs + negativeTtlMs * (1 - NEGATIVE_JITTER * Math.random())
      return { ageingAtMs: dueAtMs, dueAtMs }
    }
    return { ageingAtMs: readAtMs + youthOf(ttlMs), dueAtMs: readAtMs + ttlMs }
  }
}

/** How long an entry that holds for `ttlMs` is not read again, in ms; drawn anew each time. */
export function youthOf(ttlMs: number): number {
  return ttlMs * (AGEING_FROM + AGEING_SPREAD * Math.random())
}

export function keyOf({ kind, name }: CatalogName): string {
  return `${kind}:${name}`
}

function sizeOf({ entry }: Item, key: string): number {
  if (isBlank(entry)) return BYTES_PER_BLANK + BYTES_PER_CHARACTER * key.length
  return BYTES_PER_ENTRY + BYTES_PER_CHARACTER * (key.length + JSON.stringify(entry).length)
}
