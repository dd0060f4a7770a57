import type { CatalogChange } from '../change.ts'
import type { RecordCache } from './record-layers.ts'

/**
 * Tells Redis what the source told us: what it holds from before a change must not come back,
 * neither here nor in another proxy.
 */
export class CacheHerald {
  readonly #cache: RecordCache
  /** Of the changes that could not be told; everything older is to become void. */
  #owedFloor = 0

  constructor(cache: RecordCache) {
    this.#cache = cache
  }

  /** Changes without a version can't be told: there is nothing to compare with. */
  passOn(change: CatalogChange): void {
    const { version } = change
    if (version === undefined) return
    const told =
      change.kind === 'all'
        ? this.#cache.raiseFloor(version)
        : this.#cache.voidName(change.name, version)
    told.catch(() => {
      this.#owedFloor = Math.max(this.#owedFloor, version)
    })
  }

  /** Redis was away, and may be back. */
  catchUp(): void {
    const owed = this.#owedFloor
    if (!this.#cache.isUp || owed === 0) return
    const paid = () => {
      if (this.#owedFloor === owed) this.#owedFloor = 0
    }
    this.#cache.raiseFloor(owed).then(paid, () => {})
  }
}
