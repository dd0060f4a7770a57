import { LayerFailedError, type RecordRefusedError } from '../../../src/catalog/catalog-errors.ts'
import type {
  CatalogLayer,
  CatalogObserver,
  LookupResult,
} from '../../../src/catalog/catalog-observer.ts'
import type { CatalogEntry, CatalogName } from '../../../src/catalog/entry.ts'
import { type LookupOptions, Lookups } from '../../../src/catalog/layers/lookups.ts'
import { keyOf, MemoryCache, type MemoryOptions } from '../../../src/catalog/layers/memory-cache.ts'
import type {
  CachedEntry,
  RecordCache,
  RecordSource,
} from '../../../src/catalog/layers/record-layers.ts'
import { FakeClock } from '../../support/fake-clock.ts'

export const TTL_MS = 10_000
export const OPTIONS: LookupOptions & MemoryOptions = {
  ttlMs: TTL_MS,
  negativeTtlMs: 1000,
  maxStaleMs: 60_000,
  maxLookups: 10,
  maxEntries: 100,
  maxBytes: 10_000_000,
  breaker: { failures: 3, minMs: 100, maxMs: 1000 },
}

export function tenantName(name: string): CatalogName {
  return { kind: 'tenant', name }
}

/** What a source that is at `asOf` says of a tenant whose row was written in `version`. */
export function tenantEntry(name: string, asOf: number, version = asOf): CatalogEntry {
  const settings = { strategy: 'database', databaseUrl: `postgresql://u@h/${name}_${version}` }
  const tenant = { name, version, settings, secrets: {}, secretsVersion: 0 }
  return { kind: 'tenant', asOf, document: { tenant, server: undefined, logins: [] } }
}

export function absentEntry(asOf: number): CatalogEntry {
  return { kind: 'absent', asOf }
}

export function failure(layer: 'redis' | 'postgres'): LayerFailedError {
  return new LayerFailedError(layer, 'it hangs')
}

/** A question that waits for the test's answer. */
export interface Question<T> {
  readonly name: CatalogName
  answer(value: T): void
  fail(error: Error): void
}

/** Answers at once by `script`, or keeps the question for the test. */
class Asked<T> {
  readonly open: Question<T>[] = []
  count = 0
  script: ((name: CatalogName) => T) | undefined

  ask(name: CatalogName): Promise<T> {
    this.count += 1
    const { script } = this
    if (script !== undefined) return new Promise((resolve) => resolve(script(name)))
    return new Promise((answer, fail) => this.open.push({ name, answer, fail }))
  }

  /** The next question; throws when there is none. */
  next(): Question<T> {
    const question = this.open.shift()
    if (question === undefined) throw new Error('nobody asks')
    return question
  }
}

class FakeSource extends Asked<CatalogEntry> implements RecordSource {
  read(name: CatalogName): Promise<CatalogEntry> {
    return this.ask(name)
  }
}

export class FakeCache extends Asked<CachedEntry | undefined> implements RecordCache {
  isUp = true
  /** Whether writes are taken. */
  isWritable = true
  readonly fills: { key: string; entry: CatalogEntry; keptMs: number }[] = []
  readonly voids: (readonly [key: string, asOf: number])[] = []
  readonly floors: number[] = []

  read(name: CatalogName): Promise<CachedEntry | undefined> {
    return this.ask(name)
  }

  async fill(name: CatalogName, entry: CatalogEntry, keptMs: number): Promise<boolean> {
    this.#check()
    this.fills.push({ key: keyOf(name), entry, keptMs })
    return true
  }

  async voidName(name: CatalogName, asOf: number): Promise<void> {
    this.#check()
    this.voids.push([keyOf(name), asOf])
  }

  async raiseFloor(asOf: number): Promise<void> {
    this.#check()
    this.floors.push(asOf)
  }

  #check(): void {
    if (!this.isWritable) throw failure('redis')
  }
}

class SeenByObserver implements CatalogObserver {
  readonly lookups: string[] = []
  readonly staleMs: number[] = []
  readonly refusals: RecordRefusedError[] = []
  changes = 0

  lookedUp(layer: CatalogLayer, result: LookupResult): void {
    this.lookups.push(`${layer} ${result}`)
  }

  servedStale(ageMs: number): void {
    this.staleMs.push(ageMs)
  }

  recordRefused(error: RecordRefusedError): void {
    this.refusals.push(error)
  }

  changeTold(): void {
    this.changes += 1
  }

  /** What was looked up since the last call. */
  take(): string[] {
    return this.lookups.splice(0)
  }
}

interface Scene {
  readonly clock: FakeClock
  readonly source: FakeSource
  readonly cache: FakeCache
  readonly memory: MemoryCache
  readonly seen: SeenByObserver
  readonly lookups: Lookups
  find(name: string): ReturnType<Lookups['find']>
  /** Postgres tells that a tenant changed in `version`. */
  changed(name: string, version: number): void
  all(version: number | undefined, via?: 'postgres' | 'redis'): void
}

interface SceneOptions extends Partial<LookupOptions & MemoryOptions> {
  /** Answers of Redis; without one there is no Redis. */
  readonly redis?: boolean
  readonly examine?: (name: CatalogName, entry: CatalogEntry) => Promise<CatalogEntry>
}

/** Lookups over fakes. Redis knows nothing unless the test says otherwise. */
export function setScene({ redis = true, examine, ...changed }: SceneOptions = {}): Scene {
  const options = { ...OPTIONS, ...changed }
  const clock = new FakeClock()
  const source = new FakeSource()
  const cache = new FakeCache()
  cache.script = () => undefined
  const memory = new MemoryCache(options, clock)
  const seen = new SeenByObserver()
  const lookups = new Lookups(
    {
      memory,
      cache: redis ? cache : undefined,
      source,
      observer: seen,
      clock,
      examine: examine ?? (async (_, entry) => entry),
      refused: (error) => seen.recordRefused(error),
    },
    options,
  )
  return {
    clock,
    source,
    cache,
    memory,
    seen,
    lookups,
    find: (name) => lookups.find(tenantName(name)),
    changed: (name, version) =>
      lookups.heard({ kind: 'name', name: tenantName(name), version }, 'postgres'),
    all: (version, via = 'postgres') => lookups.heard({ kind: 'all', version }, via),
  }
}

/** Lets everything go on that waits for nobody outside. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve()
}
