import type { PoolView } from '../../../pool/server-view.ts'
import type { ConsoleSources } from '../console-sources.ts'
import { type Column, columns, type Row } from '../table.ts'
import { waitColumns } from './moments.ts'
import { databaseOf, groupBy, sum } from './pool-places.ts'

export const POOL_COLUMNS: readonly Column[] = [
  ...columns('text', 'database user'),
  ...columns(
    'int4',
    'cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us',
  ),
  ...columns('text', 'pool_mode load_balance_hosts'),
]

export const DATABASE_COLUMNS: readonly Column[] = [
  ...columns('text', 'name host'),
  ...columns('int4', 'port'),
  ...columns('text', 'database force_user'),
  ...columns('int4', 'pool_size min_pool_size reserve_pool_size server_lifetime'),
  ...columns('text', 'pool_mode load_balance_hosts'),
  ...columns(
    'int4',
    'max_connections current_connections max_client_connections current_client_connections paused disabled reserve_pool',
  ),
]

/** One row for each pair of database and user: pools that differ in their password add up. */
export function poolRows(sources: ConsoleSources): readonly Row[] {
  const groups = groupBy(sources.pools(), (pool) => JSON.stringify([databaseOf(pool), pool.user]))
  return Array.from(groups.values(), poolRow)
}

/** One row for each database that has a pool. */
export function databaseRows(sources: ConsoleSources): readonly Row[] {
  const groups = groupBy(sources.pools(), databaseOf)
  return Array.from(groups.values(), (pools) => databaseRow(pools, sources))
}

/** Server connections that a pool has, idle or not, or is opening. */
export function heldBy({ counts }: PoolView): number {
  const { idle, leased, canceling, resetting, connecting } = counts
  return idle + leased + canceling + resetting + connecting
}

function poolRow(pools: readonly PoolView[]): Row {
  const [first] = pools
  if (first === undefined) return {}
  const total = (count: keyof PoolView['counts']) => sum(pools, ({ counts }) => counts[count])
  const { wait, wait_us } = waitColumns(Math.max(...pools.map((one) => one.counts.oldestWaitMs)))
  return {
    database: databaseOf(first),
    user: first.user,
    cl_active: Math.max(0, sum(pools, ({ sessions }) => sessions) - total('waiting')),
    cl_waiting: total('waiting'),
    cl_active_cancel_req: 0,
    cl_waiting_cancel_req: 0,
    sv_active: total('leased'),
    sv_active_cancel: 0,
    sv_being_canceled: total('canceling'),
    sv_idle: total('idle'),
    sv_used: 0,
    sv_tested: total('resetting'),
    sv_login: total('connecting'),
    maxwait: wait,
    maxwait_us: wait_us,
    pool_mode: first.mode,
  }
}

function databaseRow(pools: readonly PoolView[], sources: ConsoleSources): Row {
  const [first] = pools
  if (first === undefined) return {}
  const { owner, host, port, database, user, mode, counts } = first
  const { isPaused, pausedTenants } = sources.facts()
  const budget = sources.budgets().find(({ server }) => server === `${host}:${port}`)
  return {
    name: databaseOf(first),
    host,
    port,
    database,
    force_user: pools.every((pool) => pool.user === user) ? user : undefined,
    pool_size: counts.size,
    min_pool_size: 0,
    reserve_pool_size: 0,
    pool_mode: mode,
    max_connections: budget?.max ?? 0,
    current_connections: sum(pools, heldBy),
    max_client_connections: 0,
    current_client_connections: sum(pools, ({ sessions }) => sessions),
    paused: isPaused || (owner !== undefined && pausedTenants.has(owner)) ? 1 : 0,
    disabled: 0,
    // As it was called before PgBouncer 1.24, which exporters of that time look for.
    reserve_pool: 0,
  }
}
