import type { AuthQueries } from '../auth/auth-queries.ts'
import type { AuthOptions } from '../auth/authenticate.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { CancelKeys } from '../cancel/cancel-keys.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { LoginBackoff } from '../limits/login-backoff.ts'
import type { Pauses } from '../limits/pauses.ts'
import type { TenantGate } from '../limits/tenant-gate.ts'
import type { Pools } from '../pool/pools.ts'
import type { StatementLimits } from '../relay/client-statements.ts'
import type { StatementTable } from '../relay/statement-table.ts'
import type { TagOptions } from '../tenancy/tag.ts'
import type { CatalogFollower } from './follow/catalog-follower.ts'
import type { ClientTls } from './login/client-tls.ts'
import type { ConsoleDoor } from './login/console-door.ts'
import type { SessionObserver } from './session-observer.ts'
import type { Sessions } from './sessions.ts'

/** Settings of every session. Replaced as a whole when the configuration is read anew. */
export interface SessionOptions {
  readonly tag: TagOptions
  readonly auth: AuthOptions
  /** `undefined` where clients are not offered TLS. */
  readonly tls: ClientTls | undefined
  readonly statements: StatementLimits
  /** Most bytes of the settings that follow a client. */
  readonly maxCarriedBytes: number
  /** Longest login, from the accepted connection to ReadyForQuery, in ms. */
  readonly startupMs: number
  /** Longest login to a server for a replication connection, in ms. */
  readonly connectMs: number
  /** Longest wait for a canceled query to end, and for a cancel request to get through, in ms. */
  readonly cancelMs: number
  /** How long a session may finish what it is doing when the catalog ends it, in ms; `0`: not at all. */
  readonly changeGraceMs: number
  /** Most bytes of an unfinished request that are held without a server connection. */
  readonly requestBytes: number
  /** Lines of the log about a statement show its text. */
  readonly logsSql: boolean
}

/** What sessions share. */
export interface SessionParts {
  /** Read anew for each session: a reload replaces it. */
  options(): SessionOptions
  readonly catalog: Catalog
  readonly authQueries: AuthQueries
  readonly pools: Pools
  readonly statementTable: StatementTable
  readonly cancelKeys: CancelKeys
  readonly loginBackoff: LoginBackoff
  readonly tenantGate: TenantGate
  readonly pauses: Pauses
  /** Counts the replication connections of each tenant, which are among its clients. */
  readonly replicationGate: TenantGate
  readonly sessions: Sessions
  readonly follower: Pick<CatalogFollower, 'changes' | 'admitted'>
  /** `undefined`: nobody is taken for an operator. */
  readonly console?: ConsoleDoor | undefined
  readonly observer: SessionObserver
  readonly logger: Logger
  readonly clock: Clock
}
