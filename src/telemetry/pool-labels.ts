/** Label of the pools that came after the first `maxPools`. */
const OTHER_POOLS = 'other'

/** What the pools of one label have counted. */
export interface PoolSeries {
  readonly label: string
  checkouts: number
}

/**
 * Gives pools their metric label. The first `maxPools` names get one of their own and keep it,
 * even when the pool is gone, for a counter must not go back; all later names share `other`.
 */
export class PoolLabels {
  readonly #maxPools: number
  readonly #byName = new Map<string, PoolSeries>()
  #others: PoolSeries | undefined

  constructor(maxPools: number) {
    this.#maxPools = maxPools
  }

  /** The series of a pool. Once per transaction: for a known name it is one look-up. */
  of(pool: string): PoolSeries {
    return this.#byName.get(pool) ?? this.#admit(pool)
  }

  /** Every series that was ever given out. */
  *all(): Iterable<PoolSeries> {
    yield* this.#byName.values()
    if (this.#others !== undefined) yield this.#others
  }

  #admit(pool: string): PoolSeries {
    if (this.#byName.size >= this.#maxPools) {
      this.#others ??= { label: OTHER_POOLS, checkouts: 0 }
      return this.#others
    }
    const series = { label: pool, checkouts: 0 }
    this.#byName.set(pool, series)
    return series
  }
}
