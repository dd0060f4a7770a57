import { LRUCache } from 'lru-cache'

/** Sets that are kept: clients of one pool that differ in what they set make that many. */
const MAX_SETS = 1000

/**
 * Sets of ParameterStatus values, one object for equal ones: whoever compares what two server
 * connections report has to look at identity alone.
 */
export class ReportedSets {
  readonly #known = new LRUCache<string, ReadonlyMap<string, string>>({ max: MAX_SETS })

  /** The one set that is equal to `values`. */
  intern(values: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const key = JSON.stringify([...values])
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#known.set(key, values)
    return values
  }
}
