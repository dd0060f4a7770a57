import type { TenantName } from '../tenancy/tenant-name.ts'
import type { SecretSource } from './login.ts'
import type { Route } from './route.ts'

/** Who asks for which tenant; nothing of it is proven yet. */
export interface RouteRequest {
  readonly login: string
  readonly tenant: TenantName
}

/** Why a request leads nowhere. For the log and a metric, never for the client. */
export type RefusalReason = 'unknownTenant' | 'unknownLogin' | 'notGranted' | 'brokenRecord'

/**
 * The catalog's answer. A refusal still goes through authentication (against `secret` when the
 * login exists, else against a made-up one), so that all refusals look alike from outside. A
 * refusal with a secret of kind `authQuery` asks no server, and takes as long as if it did.
 */
export type Resolution =
  | {
      readonly kind: 'route'
      readonly route: Route
      readonly secret: SecretSource
      readonly isSuspended: boolean
    }
  | {
      readonly kind: 'refused'
      readonly reason: RefusalReason
      readonly secret: SecretSource | undefined
    }

/** The authority on tenants and logins. */
export interface Catalog {
  resolve(request: RouteRequest): Promise<Resolution>
}
