import type { CatalogName } from '../../catalog/entry.ts'
import type { TenantName } from '../../tenancy/tenant-name.ts'
import type { FollowedSession } from './followed-session.ts'

/** A login and a tenant of which sessions are open: what the catalog is asked about. */
export interface SessionPair {
  readonly login: string
  readonly tenant: TenantName
  readonly sessions: ReadonlySet<FollowedSession>
}

interface Pair extends SessionPair {
  readonly sessions: Set<FollowedSession>
}

/** The open sessions by login and tenant. Takes memory only for pairs with a session. */
export class SessionPairs {
  readonly #byTenant = new Map<string, Map<string, Pair>>()
  readonly #byLogin = new Map<string, Set<Pair>>()

  add(session: FollowedSession): void {
    const { tenant, login } = session
    const pair = this.#find(session) ?? this.#create(tenant, login)
    pair.sessions.add(session)
  }

  remove(session: FollowedSession): void {
    const pair = this.#find(session)
    pair?.sessions.delete(session)
    if (pair?.sessions.size === 0) this.#forget(pair)
  }

  /** The pair of an open session. */
  of({ tenant, login }: Pick<FollowedSession, 'tenant' | 'login'>): SessionPair | undefined {
    return this.#find({ tenant, login })
  }

  /** Those that a name of the catalog is part of. */
  *named({ kind, name }: CatalogName): Iterable<SessionPair> {
    if (kind === 'tenant') yield* this.#byTenant.get(name)?.values() ?? []
    else yield* this.#byLogin.get(name) ?? []
  }

  /** Tenants with an open session. */
  get tenantCount(): number {
    return this.#byTenant.size
  }

  /** Open sessions of a tenant. */
  countOf(tenant: string): number {
    let count = 0
    for (const { sessions } of this.#byTenant.get(tenant)?.values() ?? []) count += sessions.size
    return count
  }

  *all(): Iterable<SessionPair> {
    for (const pairs of this.#byTenant.values()) yield* pairs.values()
  }

  #find({ tenant, login }: Pick<FollowedSession, 'tenant' | 'login'>): Pair | undefined {
    return this.#byTenant.get(tenant)?.get(login)
  }

  #create(tenant: TenantName, login: string): Pair {
    const pair: Pair = { tenant, login, sessions: new Set() }
    const ofTenant = this.#byTenant.get(tenant) ?? new Map<string, Pair>()
    const ofLogin = this.#byLogin.get(login) ?? new Set<Pair>()
    this.#byTenant.set(tenant, ofTenant.set(login, pair))
    this.#byLogin.set(login, ofLogin.add(pair))
    return pair
  }

  #forget(pair: Pair): void {
    const { tenant, login } = pair
    const ofTenant = this.#byTenant.get(tenant)
    ofTenant?.delete(login)
    if (ofTenant?.size === 0) this.#byTenant.delete(tenant)
    const ofLogin = this.#byLogin.get(login)
    ofLogin?.delete(pair)
    if (ofLogin?.size === 0) this.#byLogin.delete(login)
  }
}
