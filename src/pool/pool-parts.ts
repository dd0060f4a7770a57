import type { Clock } from '../base/clock.ts'
import type { ServerBudget } from '../limits/server-budget.ts'
import type { OpenedServer } from '../server/open/login.ts'
import type { ServerAddress } from '../server/server-errors.ts'
import type { Link } from '../tenancy/link.ts'
import type { TenantTokenSigner } from '../tenancy/tenant-token.ts'
import type { PoolObserver } from './pool-observer.ts'
import type { PoolOptions } from './pool-options.ts'

/** What a pool is made of. */
export interface PoolParts {
  /** Names the pool in logs and metrics: no secrets. */
  readonly name: string
  readonly address: ServerAddress
  readonly options: PoolOptions
  /** Holds the places of its connections, with those of other pools; `undefined`: only the size counts. */
  readonly budget?: ServerBudget | undefined
  /** Opens a server connection: for one link alone, or in the pool's resting state. */
  readonly open: (home: Link | undefined) => Promise<OpenedServer>
  readonly observer: PoolObserver
  /** Signs the tokens of sealed tenants; `undefined` where there are none. */
  readonly signer: () => TenantTokenSigner | undefined
  readonly clock: Clock
  /** @defaultValue `Math.random` */
  readonly random?: () => number
}

/** How full a pool is. */
export interface PoolCounts {
  /** Most server connections. */
  readonly size: number
  readonly idle: number
  readonly leased: number
  /** Kept back until a cancel request has reached its end. */
  readonly canceling: number
  readonly resetting: number
  readonly connecting: number
  readonly waiting: number
  /** How long the longest wait has lasted, in ms. */
  readonly oldestWaitMs: number
  /** How long the longest of the leases of this moment has lasted, in ms. */
  readonly oldestLeaseMs: number
}
