import type { CatalogEntry, CatalogName } from '../entry.ts'

/** What memory knows of a name. `refused`: the source's record of it makes no sense. */
export type KnownEntry = CatalogEntry | { readonly kind: 'refused'; readonly asOf: number }

/** Whether there is nothing to be had by the name, as far as is known. */
export function isBlank(entry: KnownEntry): entry is Exclude<KnownEntry, { document: unknown }> {
  return entry.kind === 'absent' || entry.kind === 'refused'
}

/** The authority on names. */
export interface RecordSource {
  /**
   * @throws LayerFailedError - when it does not answer in its time.
   * @throws RecordRefusedError - when what it holds of the name makes no sense.
   */
  read(name: CatalogName): Promise<CatalogEntry>
}

/** An entry that somebody has read before. */
export interface CachedEntry {
  readonly entry: CatalogEntry
  /** Since it was read from the source. */
  readonly ageMs: number
}

/** What all proxies share of what they have read. Every call throws LayerFailedError when it fails. */
export interface RecordCache {
  readonly isUp: boolean
  /** `undefined` for a name that nobody has read, or whose entry is void. */
  read(name: CatalogName): Promise<CachedEntry | undefined>
  /** Keeps an entry for `keptMs`, unless a newer one is there. Resolves to whether it did. */
  fill(name: CatalogName, entry: CatalogEntry, keptMs: number): Promise<boolean>
  /** Makes void what is older than `asOf`, also what is written later. */
  voidName(name: CatalogName, asOf: number): Promise<unknown>
  /** The same, of all names. */
  raiseFloor(asOf: number): Promise<unknown>
}
