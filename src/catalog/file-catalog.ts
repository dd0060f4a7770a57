import { isDeepStrictEqual } from 'node:util'
import type { TenantName } from '../tenancy/tenant-name.ts'
import type { Catalog, RefusalReason, Resolution, RouteRequest } from './catalog.ts'
import { ANY_USER, type SecretSource } from './login.ts'
import type { CatalogRecords, LoginRecord, TenantRecord } from './records.ts'
import type { Route } from './route.ts'

/** What a reload changed, by tenant name. */
export interface CatalogChange {
  readonly added: readonly TenantName[]
  readonly changed: readonly TenantName[]
  readonly removed: readonly TenantName[]
}

interface Grant {
  readonly secret: SecretSource
  /** `undefined` grants every tenant. */
  readonly tenants: ReadonlySet<TenantName> | undefined
}

interface VersionedTenant {
  readonly record: TenantRecord
  readonly version: number
}

/** Replaced as a whole, so that no request sees half a reload. */
interface Snapshot {
  readonly grants: ReadonlyMap<string, Grant>
  /** For users that have no grant of their own. */
  readonly grantOfOthers: Grant | undefined
  /** What an unknown login has to be checked against, to look like those that are known. */
  readonly secretOfUnknown: SecretSource | undefined
  readonly tenants: ReadonlyMap<TenantName, VersionedTenant>
}

/**
 * A catalog held in memory and filled from outside, as from the configuration file.
 * Answers at once and never fails.
 */
export class FileCatalog implements Catalog {
  /** Counts loads. One counter for all tenants: one that is removed and comes back is still newer. */
  #generation = 1
  #snapshot: Snapshot

  /** @param records - Kept, not copied: they must be frozen. */
  constructor(records: CatalogRecords) {
    this.#snapshot = {
      ...indexLogins(records.logins),
      tenants: indexTenants(records, new Map(), this.#generation),
    }
  }

  resolve(request: RouteRequest): Promise<Resolution> {
    return Promise.resolve(resolveIn(this.#snapshot, request))
  }

  /** The records of all tenants, in the order in which they were given. */
  tenants(): TenantRecord[] {
    return Array.from(this.#snapshot.tenants.values(), ({ record }) => record)
  }

  /**
   * Takes a new set of records in place of the old one, for every later `resolve`. A tenant whose
   * record is equal to its old one keeps its version; a changed or new one gets a version that is
   * higher than all before.
   */
  replace(records: CatalogRecords): CatalogChange {
    this.#generation += 1
    const old = this.#snapshot.tenants
    const tenants = indexTenants(records, old, this.#generation)
    this.#snapshot = { ...indexLogins(records.logins), tenants }
    return compareTenants(old, tenants)
  }
}

function indexLogins(logins: readonly LoginRecord[]): Omit<Snapshot, 'tenants'> {
  const grants = new Map<string, Grant>()
  for (const { user, secret, tenants } of logins) {
    grants.set(user, { secret, tenants: tenants === '*' ? undefined : new Set(tenants) })
  }
  const grantOfOthers = grants.get(ANY_USER)
  // A client may well call itself `*`: it is then a user like any other that is not listed.
  grants.delete(ANY_USER)
  const isAsked = logins.some(({ secret }) => secret.kind === 'authQuery')
  return { grants, grantOfOthers, secretOfUnknown: isAsked ? { kind: 'authQuery' } : undefined }
}

function indexTenants(
  records: CatalogRecords,
  old: Snapshot['tenants'],
  generation: number,
): Map<TenantName, VersionedTenant> {
  const tenants = new Map<TenantName, VersionedTenant>()
  for (const record of records.tenants) {
    const before = old.get(record.name)
    const isSame = before !== undefined && isDeepStrictEqual(before.record, record)
    tenants.set(record.name, isSame ? before : { record, version: generation })
  }
  return tenants
}

function compareTenants(old: Snapshot['tenants'], now: Snapshot['tenants']): CatalogChange {
  const added: TenantName[] = []
  const changed: TenantName[] = []
  for (const [name, { version }] of now) {
    const before = old.get(name)
    if (before === undefined) added.push(name)
    else if (before.version !== version) changed.push(name)
  }
  const removed = [...old.keys()].filter((name) => !now.has(name))
  return { added, changed, removed }
}

function resolveIn(snapshot: Snapshot, { login, tenant }: RouteRequest): Resolution {
  const grant = snapshot.grants.get(login) ?? snapshot.grantOfOthers
  const found = snapshot.tenants.get(tenant)
  if (grant === undefined) return refused('unknownLogin', snapshot.secretOfUnknown)
  if (found === undefined) return refused('unknownTenant', grant.secret)
  if (grant.tenants !== undefined && !grant.tenants.has(tenant)) {
    return refused('notGranted', grant.secret)
  }
  return {
    kind: 'route',
    route: routeOf(login, found),
    secret: grant.secret,
    isSuspended: found.record.status === 'suspended',
  }
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
    authQuery: record.authQuery,
    tenancy: record.tenancy,
    role: record.role,
    settings: record.settings,
    pool: record.pool,
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
