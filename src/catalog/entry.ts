/** What a catalog is asked for: a tenant by its name, or a login by its user. */
export interface CatalogName {
  readonly kind: 'tenant' | 'login'
  readonly name: string
}

/**
 * One row of `tenants` or `servers`, as plain JSON. Passwords are in it as envelopes only.
 *
 * @see docs/catalog.md
 */
export interface CatalogRow {
  /** Of a template: its pattern, such as `*`. */
  readonly name: string
  /** Version of the catalog in which the row was last written. */
  readonly version: number
  /** The keys of an entry of `tenants` or `servers` in the configuration, without passwords. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Sealed passwords by their place in `settings`: `databaseUrl`, `url`, `authQuery.url`, `serverLogin`, `users.<login>`. */
  readonly secrets: Readonly<Record<string, string>>
  /** Counts the changes of `secrets`; part of what each envelope is bound to. */
  readonly secretsVersion: number
}

/** What a tenant's name leads to, read in one snapshot. */
export interface TenantDocument {
  /** The tenant's own row, or that of the template that covers it. */
  readonly tenant: CatalogRow
  /** The row of the shared server that it names. */
  readonly server: CatalogRow | undefined
  /** Logins that were granted this tenant (or template) by name; sorted. */
  readonly logins: readonly string[]
}

/** What a user leads to. */
export interface LoginDocument {
  /** The user itself, or `*`. */
  readonly user: string
  readonly version: number
  /** As `pg_authid.rolpassword` has it; `undefined`: the server is asked by `authQuery`. */
  readonly secret: string | undefined
  /** Acts for every tenant, also for those that come later. */
  readonly hasAllTenants: boolean
}

/**
 * What one layer knows of a name. `asOf` is the version of the whole catalog in the snapshot that
 * the entry was read in: of two entries for a name, the one with the higher figure is the newer.
 */
export type CatalogEntry =
  | { readonly kind: 'tenant'; readonly asOf: number; readonly document: TenantDocument }
  | { readonly kind: 'login'; readonly asOf: number; readonly document: LoginDocument }
  /** There is no such name. */
  | { readonly kind: 'absent'; readonly asOf: number }
