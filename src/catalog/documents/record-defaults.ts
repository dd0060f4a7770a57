import type { IsolationLevel } from '../../tenancy/isolation.ts'
import type { AuthMethod } from '../login.ts'
import type { PoolPolicy, SessionTimeouts } from '../route.ts'

/** What holds for a record that does not say otherwise. */
export interface RecordDefaults {
  readonly auth: { readonly method: AuthMethod }
  readonly pool: PoolPolicy & { readonly serverLoginSize: number }
  readonly timeouts: SessionTimeouts
  readonly limits: {
    readonly maxClientsPerTenant: number
    readonly maxReplicationPerTenant: number
  }
  readonly isolation: {
    readonly level: IsolationLevel
    /** Those that sign tokens; without any there are no sealed row tenants. */
    readonly keys: readonly unknown[]
  }
  readonly tenancy: { readonly setting: string }
}
