import type { IsolationLevel } from '../../tenancy/isolation.ts'
import type { AuthMethod } from '../login.ts'
import type { PoolPolicy, SessionTimeouts } from '../route.ts'

/** What holds for a record that does not say otherwise. */
export interface RecordDefaults {
  readonly auth: { readonly method: AuthMethod }
  readonly pool: PoolPolicy
  readonly timeouts: SessionTimeouts
  readonly limits: {
    readonly maxClientsPerTenant: number
    readonly maxReplicationPerTenant: number
  }
  readonly isolation: { readonly level: IsolationLevel }
  readonly tenancy: { readonly setting: string }
}
