import type { Logger } from '../../base/logger.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import type { CatalogChange } from '../../catalog/change.ts'
import type { Route } from '../../catalog/route.ts'
import type { Pools } from '../../pool/pools.ts'
import { parseTenantName } from '../../tenancy/tenant-name.ts'

/** Pools that the catalog is asked about at a time: nobody waits for it. */
const MAX_LOOKUPS = 2

/** With what idle pools are looked after. */
export interface IdlePoolsParts {
  readonly catalog: Catalog
  readonly pools: Pick<Pools, 'lastRoutes' | 'settle'>
  readonly logger: Logger
}

/**
 * Closes the pools that no session uses and to which the catalog leads nobody any more, so that the
 * database behind them can be dropped. The catalog is asked first: most of what is told of a tenant
 * says nothing about its pool, which is to stay warm.
 */
export class IdlePools {
  readonly #parts: IdlePoolsParts
  readonly #queue = new Map<string, Route>()
  #lookups = 0

  constructor(parts: IdlePoolsParts) {
    this.#parts = parts
  }

  heard(change: CatalogChange): void {
    for (const route of this.#meant(change)) {
      this.#queue.set(JSON.stringify([route.login, route.tenant, route.version]), route)
    }
    this.#pump()
  }

  /** Looks after them no more. */
  stop(): void {
    this.#queue.clear()
  }

  #meant(change: CatalogChange): readonly Route[] {
    const { pools } = this.#parts
    if (change.kind === 'all') return pools.lastRoutes()
    const tenant = change.name.kind === 'tenant' ? parseTenantName(change.name.name) : undefined
    return tenant === undefined ? [] : pools.lastRoutes(tenant)
  }

  #pump(): void {
    for (const [key, route] of this.#queue) {
      if (this.#lookups >= MAX_LOOKUPS) return
      this.#queue.delete(key)
      this.#lookups += 1
      void this.#settle(route).finally(() => {
        this.#lookups -= 1
        this.#pump()
      })
    }
  }

  async #settle(route: Route): Promise<void> {
    const { catalog, pools, logger } = this.#parts
    const { login, tenant } = route
    try {
      const resolution = await catalog.resolve({ login, tenant })
      const isLed = resolution.kind === 'route' && !resolution.isSuspended
      pools.settle(route, isLed ? resolution.route : undefined)
    } catch (error) {
      // It stays until it has been idle for too long: nobody knows better.
      logger.debug('pool not settled', { tenant, login, detail: String(error) })
    }
  }
}
