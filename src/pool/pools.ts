import { createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { Route, ServerTarget } from '../catalog/route.ts'
import { openServer } from '../server/open/login.ts'
import { tlsDigest } from '../server/open/tls-settings.ts'
import { homeSettings, restingSettings } from '../tenancy/link.ts'
import type { Setting } from '../tenancy/tenancy.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import type { TenantTokenSigner } from '../tenancy/tenant-token.ts'
import { type BudgetCounts, Budgets } from './budgets.ts'
import { Pool } from './pool.ts'
import type { PoolObserver } from './pool-observer.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolView } from './server-view.ts'

/** What all pools have in common. */
export interface PoolsParts {
  /** Limits of a new pool; the size comes from the route. */
  options(): Omit<PoolOptions, 'size'>
  readonly observer: PoolObserver
  /** Signs the tokens of sealed tenants; `undefined` where there are none. */
  readonly signer: () => TenantTokenSigner | undefined
  readonly clock: Clock
}

interface PoolEntry {
  readonly key: string
  readonly pool: Pool
  /** The tenant whose pool it is; `undefined` where tenants share it. */
  readonly owner: TenantName | undefined
  sessions: number
  lastRoute: Route
  /** The catalog led a session away from here, and nobody has come since. */
  isLeftBehind: boolean
}

/**
 * The pools that are in use, found by identity: endpoint, database, server login and the resting
 * state. Tenants that share a server share its pool; a tenant with a database of its own has a
 * pool of its own. A pool that nobody uses is forgotten once its connections are closed.
 */
export class Pools {
  readonly #parts: PoolsParts
  readonly #byKey = new Map<string, PoolEntry>()
  readonly #byPool = new Map<Pool, PoolEntry>()
  readonly #budgets = new Budgets()

  constructor(parts: PoolsParts) {
    this.#parts = parts
  }

  /** The pool of a session's route, kept until the session leaves it. */
  enter(route: Route): Pool {
    const key = poolKey(route)
    const entry = this.#byKey.get(key) ?? this.#add(key, route)
    entry.sessions += 1
    entry.isLeftBehind = false
    if (entry.lastRoute !== route) {
      this.#budgets.enter(route)
      this.#budgets.leave(entry.lastRoute)
      entry.lastRoute = route
    }
    entry.pool.size = route.pool.size
    return entry.pool
  }

  /** A session that entered is gone. */
  leave(pool: Pool): void {
    const entry = this.#byPool.get(pool)
    if (entry === undefined) return
    entry.sessions -= 1
    this.#retireIfUnused(entry)
  }

  /**
   * A session that entered is led elsewhere by the catalog, or ended for what that says. Unless
   * somebody else comes, the pool is closed with the last session in it: at once, so that the
   * database behind it can be dropped.
   */
  leaveBehind(pool: Pool): void {
    const entry = this.#byPool.get(pool)
    if (entry !== undefined) entry.isLeftBehind = true
    this.leave(pool)
  }

  /** By which route each pool that no session uses was last entered; or each of one tenant alone. */
  lastRoutes(tenant?: TenantName): Route[] {
    return Array.from(this.#byKey.values()).flatMap(({ owner, sessions, lastRoute }) => {
      const isMeant = tenant === undefined || owner === tenant
      return isMeant && sessions === 0 ? [lastRoute] : []
    })
  }

  /**
   * Closes the pool of a route that no session uses, where its login is led elsewhere now.
   *
   * @param now - `undefined`: nowhere.
   */
  settle(route: Route, now: Route | undefined): void {
    const key = poolKey(route)
    const entry = this.#byKey.get(key)
    // Whoever came since has asked the catalog since.
    if (entry === undefined || entry.sessions > 0 || entry.lastRoute !== route) return
    if (now !== undefined && (now.version === route.version || poolKey(now) === key)) return
    entry.isLeftBehind = true
    this.#retireIfUnused(entry)
  }

  all(): Iterable<Pool> {
    return this.#byPool.keys()
  }

  get count(): number {
    return this.#byPool.size
  }

  /** For each session that waits for a server connection, its tenant. */
  *waitingTenants(): Iterable<string> {
    for (const pool of this.#byPool.keys()) yield* pool.waitingTenants()
  }

  /** How full the budgets of servers are. */
  budgets(): BudgetCounts[] {
    return this.#budgets.all()
  }

  /** Each pool, for operators. */
  views(): PoolView[] {
    return Array.from(this.#byPool.values(), ({ pool, owner, sessions, lastRoute }) => {
      const { host, port, database, user } = lastRoute.target
      const { mode } = lastRoute.pool
      const { name } = pool
      const place = { name, owner, host, port, database, user, mode, sessions }
      return { ...place, counts: pool.counts(), servers: () => pool.servers() }
    })
  }

  /**
   * Connections that are open now are closed as soon as they are free.
   *
   * @param tenant - Only those of its own pool, or linked to it; `undefined`: all.
   * @returns How many there are.
   */
  reconnect(tenant: string | undefined): number {
    let count = 0
    for (const { pool, owner } of this.#byPool.values()) {
      count += pool.reconnect(owner === tenant ? undefined : tenant)
    }
    return count
  }

  /** Closes what has been idle or alive for too long, and forgets the pools left empty. */
  closeExpired(): void {
    for (const entry of this.#byPool.values()) {
      entry.pool.closeExpired()
      if (entry.sessions === 0 && entry.pool.isEmpty) this.#forget(entry)
    }
    this.#budgets.forgetUnused()
  }

  drain(): void {
    for (const pool of this.#byPool.keys()) pool.drain()
  }

  #add(key: string, route: Route): PoolEntry {
    const { observer, signer, clock } = this.#parts
    const options = this.#parts.options()
    const { target } = route
    const pool = new Pool({
      name: poolName(route),
      address: target,
      options: { ...options, size: route.pool.size },
      budget: this.#budgets.enter(route),
      open: (home) => {
        const settings = home === undefined ? restingSettings(route) : homeSettings(route, home)
        const startupParameters = settings.map(parameterOf)
        return openServer(target, { startupParameters, timeoutMs: options.connectTimeoutMs })
      },
      observer,
      signer,
      clock,
    })
    const owner = ownerOf(route)
    const state = { sessions: 0, lastRoute: route, isLeftBehind: false }
    const entry: PoolEntry = { key, pool, owner, ...state }
    this.#byKey.set(key, entry)
    this.#byPool.set(pool, entry)
    return entry
  }

  /** Whoever comes from now on gets a new pool; the old one is counted until it is empty. */
  #retireIfUnused(entry: PoolEntry): void {
    if (!entry.isLeftBehind || entry.sessions > 0) return
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key)
    entry.pool.drain('changed')
    if (entry.pool.isEmpty) this.#forget(entry)
  }

  #forget(entry: PoolEntry): void {
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key)
    if (this.#byPool.delete(entry.pool)) this.#budgets.leave(entry.lastRoute)
  }
}

/** Two routes share a pool when this is equal. What proves the server login is in it as a digest. */
export function poolKey(route: Route): string {
  const { target } = route
  const resting = restingSettings(route).map(({ name, value }) => [name, value])
  const owner = ownerOf(route) ?? ''
  const { host, port, database, user } = target
  const tls = tlsDigest(target.tls)
  const credential = credentialDigest(target)
  // A pool takes part in a budget for life, or never does.
  const isBudgeted = route.serverBudget !== undefined
  const login = [host, port, database, user, credential, tls]
  return JSON.stringify([...login, owner, resting, isBudgeted])
}

function ownerOf({ tenancy, tenant, hasOwnLogin }: Route): TenantName | undefined {
  return tenancy.strategy === 'database' || hasOwnLogin ? tenant : undefined
}

function credentialDigest({ password, scramKeys }: ServerTarget): string {
  const keys = scramKeys && [scramKeys.clientKey, scramKeys.serverKey]
  const texts = [password ?? '', ...(keys ?? []).map((key) => key.toString('base64'))]
  return createHash('sha256').update(JSON.stringify(texts)).digest('base64')
}

function parameterOf({ name, value }: Setting): readonly [string, string] {
  return [name, value]
}

/** Names the pool of a route for people, without secrets. */
export function poolName(route: Route): string {
  const { user, database, host, port } = route.target
  const owner = ownerOf(route)
  const prefix = owner === undefined ? '' : `${owner}: `
  return `${prefix}${user}@${host}:${port}/${database}`
}
