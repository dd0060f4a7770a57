import { memoryUsage } from 'node:process'
import type { ConsoleSources } from '../console-sources.ts'
import { type Column, columns, type Row } from '../table.ts'
import { databaseOf, groupBy, sum } from './pool-places.ts'
import { heldBy } from './pools.ts'

export const LIST_COLUMNS: readonly Column[] = [
  ...columns('text', 'list'),
  ...columns('int4', 'items'),
]
export const CONFIG_COLUMNS: readonly Column[] = columns('text', 'key value default changeable')
export const USER_COLUMNS: readonly Column[] = [
  ...columns('text', 'name'),
  ...columns('int4', 'pool_size reserve_pool_size'),
  ...columns('text', 'pool_mode'),
  ...columns(
    'int4',
    'max_user_connections current_connections max_user_client_connections current_client_connections',
  ),
]
export const STATE_COLUMNS: readonly Column[] = columns('text', 'key value')
export const MEM_COLUMNS: readonly Column[] = [
  ...columns('text', 'name'),
  ...columns('int8', 'size used free memtotal'),
]
export const BUDGET_COLUMNS: readonly Column[] = [
  ...columns('text', 'server'),
  ...columns('int4', 'used max'),
  ...columns('int8', 'denied'),
]

/** Settings by the names that PgBouncer has for them, which exporters look for. */
const PGBOUNCER_KEYS: readonly (readonly [name: string, key: string])[] = [
  ['max_client_conn', 'limits.maxClients'],
  ['default_pool_size', 'pool.size'],
  ['pool_mode', 'pool.mode'],
]

export function listRows(sources: ConsoleSources): readonly Row[] {
  const pools = sources.pools()
  const { clients, maxClients } = sources.facts()
  const sessions = sources.sessions()
  const items = {
    databases: new Set(pools.map(databaseOf)).size,
    users: userNames(sources).size,
    pools: pools.length,
    free_clients: Math.max(0, maxClients - clients),
    used_clients: sessions.length,
    login_clients: Math.max(0, clients - sessions.length),
    free_servers: sum(pools, (pool) => Math.max(0, pool.counts.size - heldBy(pool))),
    used_servers: sum(pools, heldBy),
    dns_names: 0,
    dns_zones: 0,
    dns_queries: 0,
    dns_pending: 0,
  }
  return Object.entries(items).map(([list, count]) => ({ list, items: count }))
}

export function configRows(sources: ConsoleSources): readonly Row[] {
  const own = sources.settings().map(({ key, value, default: standard, isReloadable }) => ({
    key,
    value,
    default: standard,
    changeable: isReloadable ? 'yes' : 'no',
  }))
  const known = new Map(own.map((row) => [row.key, row]))
  const alike = PGBOUNCER_KEYS.map(([name, key]) => ({ ...known.get(key), key: name }))
  // There is no such limit here.
  const none = { key: 'max_user_connections', value: '0', default: '0', changeable: 'no' }
  return [...own, ...alike, none]
}

export function userRows(sources: ConsoleSources): readonly Row[] {
  const byLogin = groupBy(sources.sessions(), ({ login }) => login)
  return Array.from(userNames(sources), (name) => {
    const own = byLogin.get(name) ?? []
    return {
      name,
      max_user_connections: 0,
      current_connections: own.filter(({ serverId }) => serverId !== undefined).length,
      max_user_client_connections: 0,
      current_client_connections: own.length,
    }
  })
}

export function stateRows(sources: ConsoleSources): readonly Row[] {
  const { isPaused, isDraining, pausedTenants } = sources.facts()
  const state = {
    active: !isPaused && !isDraining,
    paused: isPaused,
    suspended: false,
    draining: isDraining,
  }
  return [
    ...Object.entries(state).map(([key, holds]) => ({ key, value: holds ? 'yes' : 'no' })),
    { key: 'paused_tenants', value: [...pausedTenants].join(', ') },
  ]
}

/** In bytes; PgBouncer's own caches have no counterpart here. */
export function memoryRows(): readonly Row[] {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = memoryUsage()
  const whole = (name: string, used: number) => ({ name, size: 1, used, free: 0, memtotal: used })
  return [
    { name: 'heap', size: 1, used: heapUsed, free: heapTotal - heapUsed, memtotal: heapTotal },
    whole('external', external),
    whole('array_buffers', arrayBuffers),
    whole('resident', rss),
  ]
}

export function budgetRows(sources: ConsoleSources): readonly Row[] {
  return sources.budgets().map((budget) => ({ ...budget }))
}

/** The logins of the configuration file, and those of sessions. */
function userNames(sources: ConsoleSources): ReadonlySet<string> {
  const present = sources.sessions().map(({ login }) => login)
  return new Set([...sources.catalog.fileLogins(), ...present])
}
