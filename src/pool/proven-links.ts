import { LRUCache } from 'lru-cache'
import type { Link } from '../tenancy/link.ts'

/** Links that are remembered as proven; one more forgets the least used. */
const MAX_PROVEN = 1000

/** A link that has worked. Sessions with the same link share this one. */
export interface ProvenLink {
  readonly link: Link
  /** ParameterStatus values that the server reported under it. */
  readonly parameters: ReadonlyMap<string, string>
  /**
   * Values of the session under it, by name in lower case, in the server's own spelling: `65536`
   * where the link says `64MB`. Without custom settings, of which the server keeps no list; empty
   * when the server could not say.
   */
  readonly settings: ReadonlyMap<string, string>
}

/** The links that have worked on the connections of a pool. */
export class ProvenLinks {
  readonly #byKey = new LRUCache<string, ProvenLink>({ max: MAX_PROVEN })

  of(link: Link): ProvenLink | undefined {
    return this.#byKey.get(link.key)
  }

  add(proven: ProvenLink): ProvenLink {
    this.#byKey.set(proven.link.key, proven)
    return proven
  }
}
