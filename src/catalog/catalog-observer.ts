import type { RecordRefusedError } from './catalog-errors.ts'

/** Where a name is looked up, nearest first. A metric label. */
export type CatalogLayer = 'file' | 'memory' | 'redis' | 'postgres'

/** What a layer made of a name. A metric label. */
export type LookupResult =
  /** It knows the tenant or the login. */
  | 'hit'
  /** So it did, and nobody could say whether that is still true. */
  | 'stale'
  /** It knows that there is no such name. */
  | 'absent'
  /** It knows nothing of the name: the next layer is asked. */
  | 'miss'
  /** It did not answer, or not so that it made sense. */
  | 'error'
  /** It was not asked: it has failed of late, or is asked too much already. */
  | 'skipped'

/** From where a change of the catalog became known. A metric label. */
export type ChangeSource = 'postgres' | 'redis' | 'file'

/** Told of what happens in the catalog; must not throw. */
export interface CatalogObserver {
  lookedUp(layer: CatalogLayer, result: LookupResult, durationMs: number): void
  /** A record was used past its time, as its source did not answer. `ageMs`: since it was read. */
  servedStale(ageMs: number): void
  /** A record, or a secret in it, is of no use; see the error for which. */
  recordRefused(error: RecordRefusedError): void
  /** Something has changed, or may have. */
  changeTold(via: ChangeSource): void
}
