import type { BudgetCounts } from '../pool/budgets.ts'
import type { PoolCounts } from '../pool/pool-parts.ts'

/** A pool as metrics see it. */
export interface WatchedPool {
  /** Names the pool for people. Two pools may have one name. */
  readonly name: string
  counts(): PoolCounts
}

/** What is true of the proxy at this moment. Read at each scrape, so it should be cheap. */
export interface ProxyState {
  pools(): Iterable<WatchedPool>
  budgets(): Iterable<BudgetCounts>
  /** Logged-in sessions. */
  sessionCount(): number
  /** Those of one tenant. */
  sessionsOf(tenant: string): number
  /** Tenants with a logged-in session. */
  tenantCount(): number
  /** Tenants that an operator has paused. */
  pausedTenants(): number
  /** For each client that waits for a server connection, its tenant. */
  waitingTenants(): Iterable<string>
  /** Client connections, logged in or not. */
  clientCount(): number
  /** Most client connections; `0`: no limit. */
  maxClients(): number
  isDraining(): boolean
  /** Tenants that the catalog lists. */
  catalogTenants(): number
}
