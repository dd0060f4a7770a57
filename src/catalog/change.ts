import type { CatalogName } from './entry.ts'

/**
 * Something may have changed. `version`: the catalog's version with the change in it; `undefined`
 * when it is not known, as after a lost connection.
 */
export type CatalogChange =
  | { readonly kind: 'name'; readonly name: CatalogName; readonly version: number | undefined }
  | { readonly kind: 'all'; readonly version: number | undefined }
