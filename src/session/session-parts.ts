import type { AuthMethod } from '../auth/authenticate.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { CancelKeys } from '../cancel/cancel-keys.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { LoginBackoff } from '../limits/login-backoff.ts'
import type { TenantGate } from '../limits/tenant-gate.ts'
import type { Pools } from '../pool/pools.ts'
import type { StatementLimits } from '../relay/statement-names.ts'
import type { StatementTable } from '../relay/statement-table.ts'
import type { TagOptions } from '../tenancy/tag.ts'
import type { SessionObserver } from './session-observer.ts'
import type { Sessions } from './sessions.ts'

/** Settings of every session. Replaced as a whole when the configuration is read anew. */
export interface SessionOptions {
  readonly tag: TagOptions
  readonly authMethod: AuthMethod
  readonly statements: StatementLimits
  /** Longest login, from the accepted connection to ReadyForQuery, in ms. */
  readonly startupMs: number
  /** Longest wait for a canceled query to end, and for a cancel request to get through, in ms. */
  readonly cancelMs: number
  /** Most bytes of an unfinished request that are held without a server connection. */
  readonly requestBytes: number
}

/** What sessions share. */
export interface SessionParts {
  /** Read anew for each session: a reload replaces it. */
  options(): SessionOptions
  readonly catalog: Catalog
  readonly pools: Pools
  readonly statementTable: StatementTable
  readonly cancelKeys: CancelKeys
  readonly loginBackoff: LoginBackoff
  readonly tenantGate: TenantGate
  readonly sessions: Sessions
  readonly observer: SessionObserver
  readonly logger: Logger
  readonly clock: Clock
}
