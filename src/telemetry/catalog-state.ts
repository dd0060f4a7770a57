import type { BreakerState } from '../base/breaker.ts'

/** What is true of the layers of the catalog at one moment. */
export interface CatalogState {
  readonly isSourceUp: boolean
  /** `undefined` where there is none. */
  readonly isRedisUp: boolean | undefined
  readonly breakers: Readonly<Record<'redis' | 'postgres', BreakerState['kind']>>
  /** Tenants and logins in memory, those that are known not to exist included. */
  readonly entries: number
  /** Memory that they take, as far as it is counted. */
  readonly bytes: number
}
