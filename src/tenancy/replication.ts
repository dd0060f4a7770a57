import { SqlState } from '../base/sql-state.ts'
import { ReplicationRefusedError, SettingRefusedError, show } from './tenancy-errors.ts'

/**
 * Replication of one kind: `database` is logical, with the changes of one database; `physical` is
 * the write-ahead log and the files of the whole cluster.
 */
export type ReplicationMode = 'database' | 'physical'

/** What a client asks for, and what a tenant may have; `physical` includes `database`. */
export type Replication = 'none' | ReplicationMode

/** A tenant's share of replication. */
export interface ReplicationPolicy {
  readonly allowed: Replication
  /** Most replication connections of the tenant in this process; `0` means no limit. */
  readonly maxSessions: number
}

/**
 * The database that Postgres' own tools name where they mean none: a physical replication
 * connection has no database.
 */
export const NO_DATABASE = 'replication'

/** The spellings that Postgres accepts: any beginning of these words, in any case. */
const FALSE = /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/i
const TRUE = /^(?:t|tr|tru|true|y|ye|yes|on|1)$/i

/**
 * Reads the startup parameter `replication`. `database` is told apart by case, as in Postgres.
 *
 * @throws SettingRefusedError - 22023 for a value that Postgres would not take.
 */
export function parseReplication(value: string | undefined): Replication {
  if (value === undefined || FALSE.test(value)) return 'none'
  if (value === 'database') return 'database'
  if (TRUE.test(value)) return 'physical'
  throw new SettingRefusedError({
    sqlState: SqlState.invalidParameterValue,
    text: `invalid value for parameter "replication": ${show(value)}`,
    hint: 'Valid values are: "false", 0, "true", 1, "database".',
  })
}

/** Whether a tenant's share has room for replication of that kind. */
export function isReplicationAllowed(
  wanted: ReplicationMode,
  { allowed }: Pick<ReplicationPolicy, 'allowed'>,
): boolean {
  return allowed === 'physical' || allowed === wanted
}

/**
 * Whether a client that has proved who it is may replicate.
 *
 * @throws ReplicationRefusedError - the tenant's record does not allow it.
 */
export function authorizeReplication(wanted: ReplicationMode, policy: ReplicationPolicy): void {
  if (isReplicationAllowed(wanted, policy)) return
  throw new ReplicationRefusedError({
    text: `${wanted === 'database' ? 'logical' : 'physical'} replication is not allowed for this tenant`,
    hint: `Ask the operator of the service to set the tenant's replication to ${wanted}.`,
  })
}
