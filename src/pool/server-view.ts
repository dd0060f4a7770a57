import type { PoolMode } from '../catalog/route.ts'
import type { PoolCounts } from './pool-parts.ts'

/** A server connection as operators see it, at one moment. Times are in ms before that. */
export interface ServerView {
  readonly id: number
  /** Its process in Postgres. */
  readonly processId: number
  readonly state: 'idle' | 'active' | 'canceling' | 'resetting'
  /** The tenant that it acts for; `undefined` in the resting state. */
  readonly tenant: string | undefined
  readonly isEncrypted: boolean
  readonly ageMs: number
  /** Since it was last lent, or since it was opened. */
  readonly requestAgeMs: number
  /** It is closed when it comes back. */
  readonly isLeaving: boolean
  readonly preparedStatements: number
}

/** A pool as operators see it. */
export interface PoolView {
  /** As in metrics. */
  readonly name: string
  /** The tenant whose pool it is; `undefined` where tenants share it. */
  readonly owner: string | undefined
  readonly host: string
  readonly port: number
  readonly database: string
  /** Server login. */
  readonly user: string
  readonly mode: PoolMode
  /** Sessions that take their server connections from it. */
  readonly sessions: number
  readonly counts: PoolCounts
  servers(): ServerView[]
}
