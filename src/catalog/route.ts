import type { Setting, Tenancy } from '../tenancy/tenancy.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'

/** One Postgres login at one database: everything that a pool's connections have in common. */
export interface ServerTarget {
  /** Host name or address; a leading `/` means the directory of a unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** `undefined` when the server is expected to trust us. */
  readonly password: string | undefined
}

export type PoolMode = 'transaction' | 'session'

/** How a tenant's sessions use their pool. */
export interface PoolPolicy {
  readonly mode: PoolMode
  /** Most server connections of the pool, idle and active together. For tenants that share a pool the server's own figure counts. */
  readonly size: number
}

/** Time limits of one session, in ms; `0` means none. */
export interface SessionTimeouts {
  readonly waitMs: number
  readonly idleClientMs: number
  readonly idleInTransactionMs: number
  readonly queryMs: number
}

/** What the catalog resolves a (login, tenant) to. Frozen. */
export interface Route {
  readonly tenant: TenantName
  readonly login: string
  readonly target: ServerTarget
  readonly tenancy: Tenancy
  /** Role taken by `SET ROLE` at link; `undefined` keeps the server login. */
  readonly role: string | undefined
  /** Settings of the tenant, put in force at link before the client's own. */
  readonly settings: readonly Setting[]
  readonly pool: PoolPolicy
  readonly timeouts: SessionTimeouts
  /** Most client sessions of the tenant in this process; `0` means no limit. */
  readonly maxClients: number
  /** Grows with every change of the tenant's record. */
  readonly version: number
}
