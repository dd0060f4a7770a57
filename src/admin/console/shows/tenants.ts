import { setImmediate as turn } from 'node:timers/promises'
import type { TenantRecord } from '../../../catalog/records.ts'
import type { SessionView } from '../../../session/session-view.ts'
import type { TenantName } from '../../../tenancy/tenant-name.ts'
import { ConsoleUnknownObjectError } from '../console-errors.ts'
import type { ConsoleSources, ProxyFacts } from '../console-sources.ts'
import { type Column, columns, type Row, type Value } from '../table.ts'
import { clientState } from './connections.ts'
import { waitColumns } from './moments.ts'
import { groupBy } from './pool-places.ts'

export const TENANT_COLUMNS: readonly Column[] = [
  ...columns('text', 'name strategy level status server'),
  ...columns('int4', 'sessions active waiting pinned maxwait maxwait_us'),
  ...columns('bool', 'paused'),
]

export const FACT_COLUMNS: readonly Column[] = columns('text', 'key value')

/** Rows that are made in one turn of the event loop: there may be many, and clients go on meanwhile. */
const ROWS_AT_ONCE = 500

/**
 * Tenants that the configuration file lists, that have sessions, or are paused; by name. What the
 * catalog says of others is not asked: there may be any number of them.
 *
 * @param isMeant - Which names to show.
 */
export async function tenantRows(
  sources: ConsoleSources,
  isMeant: (name: string) => boolean,
): Promise<readonly Row[]> {
  const records = new Map<string, TenantRecord>(
    sources.catalog.fileTenants().map((record) => [record.name, record] as const),
  )
  const sessions = groupBy(sources.sessions(), ({ tenant }) => tenant)
  const facts = sources.facts()
  const names = new Set([...records.keys(), ...sessions.keys(), ...facts.pausedTenants])
  const meant = [...names].filter(isMeant).sort()
  const rows: Row[] = []
  for (const name of meant) {
    if (rows.length % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await turn()
    const work = workColumns(name, sessions.get(name) ?? [], facts)
    rows.push({ ...recordColumns(name, records.get(name)), ...work })
  }
  return rows
}

/**
 * One tenant: its record, and what it does. Passwords, and the values of settings, are left out.
 *
 * @throws ConsoleUnknownObjectError - nobody knows it.
 * @throws CatalogUnavailableError - the catalog can't say.
 */
export async function tenantFacts(
  sources: ConsoleSources,
  name: TenantName,
): Promise<readonly Row[]> {
  const record = await sources.catalog.tenant(name)
  const sessions = sources.sessions().filter(({ tenant }) => tenant === name)
  if (record === undefined && sessions.length === 0) {
    throw new ConsoleUnknownObjectError(`tenant "${name}"`, 'SHOW TENANTS lists them.')
  }
  const facts = {
    ...recordColumns(name, record),
    ...(record && placeFacts(record)),
    ...workColumns(name, sessions, sources.facts()),
  }
  return factRows(facts)
}

/** The catalog itself: what it knows, and how its layers do. */
export function catalogFacts({ catalog }: ConsoleSources): readonly Row[] {
  const health = catalog.health()
  const file = {
    file_tenants: catalog.fileTenants().length,
    file_logins: catalog.fileLogins().length,
  }
  if (health === undefined) return factRows({ source: 'file', ...file })
  const { hasAnswered, isSourceUp, isRedisUp, breakers, entries, bytes } = health
  return factRows({
    source: 'postgres',
    ...file,
    has_answered: hasAnswered,
    postgres: isSourceUp ? 'up' : 'down',
    postgres_breaker: breakers.postgres,
    redis: redisState(isRedisUp),
    redis_breaker: isRedisUp === undefined ? undefined : breakers.redis,
    memory_entries: entries,
    memory_bytes: bytes,
  })
}

function recordColumns(name: string, record: TenantRecord | undefined): Row {
  return {
    name,
    strategy: record?.tenancy.strategy,
    level: record?.isolation,
    status: record?.status,
    server: record?.server,
  }
}

function workColumns(
  name: string,
  sessions: readonly SessionView[],
  { isPaused, pausedTenants }: ProxyFacts,
): Row {
  const count = (state: ReturnType<typeof clientState>) =>
    sessions.filter((session) => clientState(session) === state).length
  const waitMs = sessions.reduce((longest, session) => Math.max(longest, session.waitMs), 0)
  const { wait: maxwait, wait_us: maxwait_us } = waitColumns(waitMs)
  return {
    sessions: sessions.length,
    active: count('active'),
    waiting: count('waiting'),
    pinned: sessions.filter(({ pins }) => pins.length > 0).length,
    maxwait,
    maxwait_us,
    paused: isPaused || pausedTenants.has(name),
  }
}

function placeFacts(record: TenantRecord): Row {
  const { id, target, pool, serverUser, role, maxClients, timeouts, replication, labels } = record
  return {
    id,
    host: target.host,
    port: target.port,
    database: target.database,
    server_user: serverUser === 'client' ? "the client's own" : target.user,
    role,
    pool_mode: pool.mode,
    pool_size: pool.size,
    pins_allowed: pool.pins === 'allow',
    max_clients: maxClients,
    replication: replication.allowed,
    ...Object.fromEntries(Object.entries(timeouts).map(([key, ms]) => [`timeouts.${key}`, ms])),
    ...Object.fromEntries(Object.entries(labels).map(([key, text]) => [`labels.${key}`, text])),
  }
}

function factRows(facts: Row): readonly Row[] {
  return Object.entries(facts).map(([key, value]) => ({ key, value: textOf(value) }))
}

function textOf(value: Value): string | undefined {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return value === undefined ? undefined : String(value)
}

function redisState(isUp: boolean | undefined): string {
  if (isUp === undefined) return 'none'
  return isUp ? 'up' : 'down'
}
