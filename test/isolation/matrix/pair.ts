import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import type { Strategy } from '../../../src/tenancy/tenancy.ts'

/** How long a client keeps its server connection. */
export type PoolMode = 'transaction' | 'session'

/** A tenant, and what Postgres knows it by. */
export interface Seat {
  /** Its name, and the owner of its rows. */
  readonly tenant: string
  /** What the server takes its sessions for. */
  readonly serverUser: string
  readonly database: string
  /** Where its table stands. */
  readonly schema: string
  /** Of a row tenant; else empty. */
  readonly id: string
}

/** Two tenants of one strategy that take turns. */
export interface Pair {
  readonly strategy: Strategy
  /** Leaves. */
  readonly first: Seat
  /** Looks for what the other has left. */
  readonly second: Seat
}

/** The setting that row policies read. */
export const TENANT_SETTING = 'app.tenant_id'

const LEVELS: readonly IsolationLevel[] = ['convenience', 'guarded', 'sealed']

/** Whether a level has what begins with the other; nothing begins with `undefined`. */
export function has(level: IsolationLevel, from: IsolationLevel | undefined): boolean {
  return from !== undefined && LEVELS.indexOf(level) >= LEVELS.indexOf(from)
}

/** A setting that leads a session to the other tenant, where the level does not stop it. */
export function leadingAway({ strategy, second }: Pair): { name: string; value: string } {
  return strategy === 'row'
    ? { name: TENANT_SETTING, value: second.id }
    : { name: 'search_path', value: second.schema }
}

/** The setting that says whom a session acts for. */
export function ownSetting(pair: Pair): { name: string; value: string } {
  return pair.strategy === 'row'
    ? { name: TENANT_SETTING, value: pair.first.id }
    : { name: 'search_path', value: pair.first.schema }
}
