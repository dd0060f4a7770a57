import { isDeepStrictEqual } from 'node:util'
import { SUITABLE_SECRETS } from '../../auth/authenticate.ts'
import { routeWithProofOf } from '../../auth/client-proof.ts'
import type { Resolution } from '../../catalog/catalog.ts'
import type { Route } from '../../catalog/route.ts'
import { TenantFullError } from '../../limits/limits-errors.ts'
import { admitClientSettings } from '../../tenancy/client-settings.ts'
import { buildLink } from '../../tenancy/link.ts'
import { parseTenantName } from '../../tenancy/tenant-name.ts'
import type { Admission } from '../admission.ts'
import { type Credential, isPasswordChanged } from '../follow/credential.ts'
import type { Destination } from '../follow/enter-place.ts'
import { TenantSuspendedError } from '../session-errors.ts'
import type { SessionParts } from '../session-parts.ts'
import {
  type SwitchRefusal,
  TenantSwitchImpossibleError,
  TenantSwitchRefusedError,
} from './switch-errors.ts'

/** What a session asks for. */
export interface SwitchWish {
  /** As the client wrote it; `undefined`: the tenant of its login. */
  readonly tenant: string | undefined
  /** What its login has led to. */
  readonly home: Admission
  /** What it has now. */
  readonly admission: Admission
}

/** A session may act for the tenant, and has a place among its clients. */
export interface SwitchPermit extends Destination {
  readonly credential: Credential
  /** Changes of the catalog that had been heard of when the route was resolved. */
  readonly since: number
  /** The place is not taken after all. */
  withdraw(): void
  /** The place is taken: the one among the clients of the tenant before is free. */
  complete(): void
}

type SwitchParts = Pick<SessionParts, 'catalog' | 'follower' | 'tenantGate' | 'options'>

/**
 * Decides whether an open session may act for another tenant from now on, as its login was decided:
 * by the catalog, with what the client has proved then. It falls back to what it asked for at its
 * login; nothing that it made since goes along.
 *
 * @throws TenantSwitchRefusedError - with the same words whether there is such a tenant or not.
 * @throws TenantSuspendedError, TenantFullError, SettingRefusedError, TenantSwitchImpossibleError
 * @throws the errors of `Catalog.resolve`.
 */
export async function authorizeSwitch(wish: SwitchWish, parts: SwitchParts): Promise<SwitchPermit> {
  const { home, admission } = wish
  const text = wish.tenant ?? home.route.tenant
  const refuse = (reason: SwitchRefusal) => new TenantSwitchRefusedError(text, reason)
  const tenant = parseTenantName(text)
  if (tenant === undefined) throw refuse('malformedName')
  if (tenant !== home.route.tenant) {
    if (home.isTenantCertified) throw refuse('boundByCertificate')
    if (!parts.options().tag.parameter) throw refuse('notByParameter')
  }
  const since = parts.follower.changes
  const resolution = await parts.catalog.resolve({ login: home.route.login, tenant })
  if (resolution.kind === 'refused') throw refuse(resolution.reason)
  if (!isProven(home, resolution)) throw refuse('notProven')
  if (resolution.isSuspended) throw new TenantSuspendedError(tenant)
  const route = proven(wish, resolution.route)
  const clientSettings = admitClientSettings(home.link.clientSettings, route.tenancy)
  return {
    route,
    link: buildLink(route, clientSettings),
    credential: { method: home.credential.method, secret: resolution.secret },
    since,
    ...enterGate(admission.route, route, parts),
  }
}

function enterGate(
  { tenant: from }: Route,
  { tenant, maxClients }: Route,
  { tenantGate }: SwitchParts,
): Pick<SwitchPermit, 'withdraw' | 'complete'> {
  if (tenant === from) return { withdraw() {}, complete() {} }
  if (!tenantGate.tryEnter(tenant, maxClients)) throw new TenantFullError(tenant, maxClients)
  return { withdraw: () => tenantGate.leave(tenant), complete: () => tenantGate.leave(from) }
}

/** Whether what the client has proved at its login is what it would have to prove for that tenant. */
function isProven(
  { credential, route }: Admission,
  resolution: Extract<Resolution, { readonly kind: 'route' }>,
): boolean {
  const needsSecret = SUITABLE_SECRETS[credential.method].length > 0
  const isAsked = resolution.secret.kind === 'authQuery'
  if (!needsSecret) return true
  if (isAsked !== (credential.secret?.kind === 'authQuery')) return false
  // Each server has passwords of its own: what one vouched for means nothing to another.
  if (isAsked) return isDeepStrictEqual(route.authQuery, resolution.route.authQuery)
  return !isPasswordChanged(credential, resolution.secret)
}

function proven({ home, admission }: SwitchWish, route: Route): Route {
  const found = routeWithProofOf(admission.route, route) ?? routeWithProofOf(home.route, route)
  if (found === undefined) throw new TenantSwitchImpossibleError(route.tenant)
  return found
}
