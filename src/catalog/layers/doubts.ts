import { LRUCache } from 'lru-cache'
import type { CatalogChange } from '../change.ts'
import type { CatalogName } from '../entry.ts'
import { keyOf } from './memory-cache.ts'

/** Names that are told apart; of those before them all is in doubt. */
const MAX_NAMES = 10_000

/**
 * When the source last told that names lead elsewhere without saying in which version. Nothing can
 * be compared with that, so what Redis has stored before is not relied on.
 */
export class Doubts {
  readonly #names = new LRUCache<string, number>({
    max: MAX_NAMES,
    dispose: (atMs, _name, reason) => {
      if (reason === 'evict') this.#allAtMs = Math.max(atMs, this.#allAtMs)
    },
  })
  #allAtMs = Number.NEGATIVE_INFINITY

  /** Changes with a version are compared by it. */
  heard(change: CatalogChange, nowMs: number): void {
    if (change.version !== undefined) return
    if (change.kind === 'all') this.#allAtMs = nowMs
    else this.#names.set(keyOf(change.name), nowMs)
  }

  /** What was stored before that time, in ms on the clock, is in doubt. */
  beforeMs(name: CatalogName): number {
    return Math.max(this.#allAtMs, this.#names.get(keyOf(name)) ?? Number.NEGATIVE_INFINITY)
  }
}
