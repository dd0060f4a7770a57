import type { Link } from '../tenancy/link.ts'

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
