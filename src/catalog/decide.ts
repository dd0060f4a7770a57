import type { RefusalReason, Resolution, RouteRequest } from './catalog.ts'
import type { SecretSource } from './login.ts'
import type { TenantRecord } from './records.ts'
import type { Route } from './route.ts'

/** A login, and the tenants that it may act for. */
export interface Grant {
  /** As it is listed: the login itself, or `*`. */
  readonly user: string
  readonly secret: SecretSource
  /** `undefined` grants every tenant. */
  readonly tenants: ReadonlySet<string> | undefined
}

export interface VersionedTenant {
  readonly record: TenantRecord
  readonly version: number
  /** Logins, as they are listed, that may act for it beside those that say so themselves. */
  readonly logins: readonly string[]
}

/** What was found of a request's two names. */
export interface Finds {
  /** `broken`: there is one, and it makes no sense. */
  readonly grant: Grant | 'broken' | undefined
  readonly tenant: VersionedTenant | 'broken' | undefined
  /** What an unknown login has to be checked against, to look like those that are known. */
  readonly secretOfUnknown: SecretSource | undefined
}

/** What a login and a tenant lead to together. */
export function decide({ login }: RouteRequest, finds: Finds): Resolution {
  const { grant, tenant, secretOfUnknown } = finds
  if (grant === 'broken') return refused('brokenRecord', secretOfUnknown)
  if (grant === undefined) return refused('unknownLogin', secretOfUnknown)
  if (tenant === 'broken') return refused('brokenRecord', grant.secret)
  if (tenant === undefined) return refused('unknownTenant', grant.secret)
  if (!isGranted(grant, tenant)) return refused('notGranted', grant.secret)
  return {
    kind: 'route',
    route: routeOf(login, tenant),
    secret: grant.secret,
    isSuspended: tenant.record.status === 'suspended',
  }
}

function isGranted({ user, tenants }: Grant, { record, logins }: VersionedTenant): boolean {
  return tenants === undefined || tenants.has(record.name) || logins.includes(user)
}

function refused(reason: RefusalReason, secret: SecretSource | undefined): Resolution {
  return { kind: 'refused', reason, secret }
}

/** Built for each call: kept routes would be as many as logins times tenants. */
function routeOf(login: string, { record, version }: VersionedTenant): Route {
  return Object.freeze({
    tenant: record.name,
    login,
    ...serverOf(login, record),
    hasOwnLogin: record.hasOwnLogin,
    authQuery: record.authQuery,
    tenancy: record.tenancy,
    isolation: record.isolation,
    role: record.role,
    settings: record.settings,
    pool: record.pool,
    serverBudget: record.serverBudget,
    timeouts: record.timeouts,
    maxClients: record.maxClients,
    replication: record.replication,
    version,
  })
}

/** An entry of `users` wins over the client's own user. */
function serverOf(
  login: string,
  { users, target, serverUser }: TenantRecord,
): Pick<Route, 'target' | 'serverUser'> {
  const own = users.find((entry) => entry.login === login)
  if (own === undefined) return { target, serverUser }
  const { user, password } = own
  return { target: { ...target, user, password }, serverUser: 'route' }
}
