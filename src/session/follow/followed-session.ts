import type { ProxyError } from '../../base/proxy-error.ts'
import type { Route } from '../../catalog/route.ts'
import type { TenantName } from '../../tenancy/tenant-name.ts'
import type { Credential } from './credential.ts'

/** A logged-in session, as far as the catalog decides over it. */
export interface FollowedSession {
  readonly tenant: TenantName
  readonly login: string
  readonly credential: Credential
  /** The catalog leads it there now; it need not be a change. */
  follow(route: Route): void
  /** The catalog does not let it go on: it goes now if idle, else within the grace. */
  dismiss(error: ProxyError): void
}
