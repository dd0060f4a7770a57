import type { IsolationLevel } from '../tenancy/isolation.ts'
import type { ReplicationPolicy } from '../tenancy/replication.ts'
import type { Setting, Tenancy } from '../tenancy/tenancy.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import type { TenantPattern } from '../tenancy/tenant-pattern.ts'
import type { SecretSource } from './login.ts'
import type {
  AuthQuery,
  PoolPolicy,
  ServerBudgetPolicy,
  ServerTarget,
  ServerUser,
  SessionTimeouts,
} from './route.ts'

/** One client login, and the tenants that it may act for. */
export interface LoginRecord {
  /** `'*'` covers all users that have no record of their own. */
  readonly user: string
  readonly secret: SecretSource
  /** `'*'` grants every tenant, also those that come later. */
  readonly tenants: '*' | readonly TenantName[]
}

/** The server user of one login, in place of the target's own. */
export interface ServerCredentials {
  readonly login: string
  readonly user: string
  /** `undefined` when the server is expected to trust us. */
  readonly password: string | undefined
}

/** One tenant with everything that its routes are made of; defaults are already filled in. */
export interface TenantRecord {
  readonly name: TenantName
  /** Stable over a change of name; what policies compare rows with. */
  readonly id: string
  readonly status: 'active' | 'suspended'
  /** Name of the shared server; `undefined` for a tenant with a database of its own. */
  readonly server: string | undefined
  readonly target: ServerTarget
  /** Whether the user of `target` is for this tenant alone, though the database is shared. */
  readonly hasOwnLogin: boolean
  /** Server users by login; a login that is not listed has what `serverUser` says. */
  readonly users: readonly ServerCredentials[]
  readonly serverUser: ServerUser
  readonly authQuery: AuthQuery | undefined
  readonly tenancy: Tenancy
  readonly isolation: IsolationLevel
  readonly role: string | undefined
  readonly settings: readonly Setting[]
  readonly pool: PoolPolicy
  /** Shared by all tenants of the endpoint; `undefined` for a tenant with a database of its own. */
  readonly serverBudget?: ServerBudgetPolicy | undefined
  readonly timeouts: SessionTimeouts
  /** Most client sessions of the tenant in this process; `0` means no limit. */
  readonly maxClients: number
  readonly replication: ReplicationPolicy
  readonly labels: Readonly<Record<string, string>>
}

/** Makes the records of tenants that nobody listed. */
export interface TemplateRecord {
  readonly pattern: TenantPattern
  /** `undefined` for a name with which the template leads to a place that is nobody's. */
  make(name: TenantName): TenantRecord | undefined
}

/** All that a catalog holds. Names of tenants and of logins are unique. */
export interface CatalogRecords {
  readonly logins: readonly LoginRecord[]
  readonly tenants: readonly TenantRecord[]
  readonly templates: readonly TemplateRecord[]
}
