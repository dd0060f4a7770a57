/** How a tenant is kept apart from the others. */
export type Strategy = 'database' | 'schema' | 'row'

/** One run-time setting of Postgres (a GUC), by name and value. */
export interface Setting {
  readonly name: string
  readonly value: string
}

/**
 * What a link must put in force on a server connection for one tenant.
 *
 * `setting` is the name that row policies read (default `app.tenant_id`). Schema and row tenants
 * of one server share its connections, so both know it: a schema tenant keeps it empty.
 */
export type Tenancy =
  | { readonly strategy: 'database' }
  /** `searchPath`: the tenant's own schema first, then the extra ones of its record. */
  | {
      readonly strategy: 'schema'
      readonly searchPath: readonly string[]
      readonly setting: string
    }
  /** `searchPath`: where the shared tables live, by default `public`. `value`: the tenant's id. */
  | {
      readonly strategy: 'row'
      readonly searchPath: readonly string[]
      readonly setting: string
      readonly value: string
    }
