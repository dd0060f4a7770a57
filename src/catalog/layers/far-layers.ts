import { Breaker, type BreakerOptions, type BreakerState } from '../../base/breaker.ts'
import type { Clock } from '../../base/clock.ts'
import { LayerFailedError, RecordRefusedError } from '../catalog-errors.ts'
import type { CatalogObserver, LookupResult } from '../catalog-observer.ts'
import type { CatalogEntry, CatalogName } from '../entry.ts'
import {
  type CachedEntry,
  isBlank,
  type KnownEntry,
  type RecordCache,
  type RecordSource,
} from './record-layers.ts'

/** Those that are asked over a network, and what stands around them. */
export interface FarParts {
  /** `undefined` where there is no Redis. */
  readonly cache: RecordCache | undefined
  readonly source: RecordSource
  readonly observer: CatalogObserver
  readonly clock: Clock
  /**
   * Tells whether what was read leads anywhere: a template makes more names than there are tenants.
   *
   * @throws RecordRefusedError - when it makes no sense for any name.
   */
  examine(name: CatalogName, entry: CatalogEntry): Promise<CatalogEntry>
  /** A record is of no use, whatever is held of it. */
  refused(error: RecordRefusedError): void
}

/** Redis and the source, each left alone for a while when it fails. */
export class FarLayers {
  readonly #parts: FarParts
  readonly #cacheBreaker: Breaker
  readonly #sourceBreaker: Breaker

  constructor(parts: FarParts, options: BreakerOptions) {
    this.#parts = parts
    this.#cacheBreaker = new Breaker(options, parts.clock)
    this.#sourceBreaker = new Breaker(options, parts.clock)
  }

  get breakers(): Readonly<Record<'redis' | 'postgres', BreakerState['kind']>> {
    return { redis: this.#cacheBreaker.state.kind, postgres: this.#sourceBreaker.state.kind }
  }

  /** `undefined`: it knows nothing, can't be asked, or is not there. */
  async askCache(name: CatalogName): Promise<CachedEntry | undefined> {
    const { cache } = this.#parts
    if (cache === undefined) return undefined
    const note = this.#stopwatch('redis')
    try {
      const outcome = await this.#cacheBreaker.run(() => cache.read(name))
      if (outcome.kind === 'skipped') {
        note('skipped')
        return undefined
      }
      const cached = outcome.value
      note(cached === undefined ? 'miss' : resultOf(cached.entry, false))
      return cached
    } catch (error) {
      if (!(error instanceof LayerFailedError)) throw error
      note('error')
      return undefined
    }
  }

  /**
   * @param minimum - The version that an answer of now has at least.
   * @throws LayerFailedError - when it does not answer, or nobody can say where the answer leads.
   */
  async askSource(name: CatalogName, minimum: number): Promise<KnownEntry> {
    const { source, examine, refused } = this.#parts
    const note = this.#stopwatch('postgres')
    const outcome = await this.#sourceBreaker
      .run(() => orRefusal(source.read(name)))
      .catch((error) => {
        note('error')
        throw error
      })
    if (outcome.kind === 'skipped') {
      note('skipped')
      throw new LayerFailedError('postgres', 'it is left alone after it failed')
    }
    const said = outcome.value
    note(said instanceof RecordRefusedError ? 'error' : resultOf(said, false))
    const proven = said instanceof RecordRefusedError ? said : await orRefusal(examine(name, said))
    if (!(proven instanceof RecordRefusedError)) return proven
    refused(proven)
    return { kind: 'refused', asOf: said instanceof RecordRefusedError ? minimum : said.asOf }
  }

  #stopwatch(layer: 'redis' | 'postgres'): (result: LookupResult) => void {
    const { observer, clock } = this.#parts
    const startedMs = clock.nowMs()
    return (result) => observer.lookedUp(layer, result, clock.nowMs() - startedMs)
  }
}

/** What a layer made of a name. */
export function resultOf(entry: KnownEntry, isStale: boolean): 'hit' | 'absent' | 'stale' {
  if (isStale) return 'stale'
  return isBlank(entry) ? 'absent' : 'hit'
}

/** A refused record says nothing against those who read it. */
async function orRefusal<T>(answer: Promise<T>): Promise<T | RecordRefusedError> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof RecordRefusedError) return error
    throw error
  }
}
