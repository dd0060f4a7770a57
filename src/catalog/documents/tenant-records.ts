import { nearestName } from '../../base/nearest-name.ts'
import type { ReplicationPolicy } from '../../tenancy/replication.ts'
import type { Setting, Strategy, Tenancy } from '../../tenancy/tenancy.ts'
import type { TenantRecord } from '../records.ts'
import type { PoolPolicy, ServerBudgetPolicy, ServerTarget, SessionTimeouts } from '../route.ts'
import type { Problems } from './problems.ts'
import type { RecordDefaults } from './record-defaults.ts'
import type { ServerEntry, TenantEntry } from './record-schema.ts'
import { buildAccess, readTarget, type ServerAccess } from './server-access.ts'
import type { ServerTlsReader } from './server-tls.ts'
import type { SettingPath } from './setting-path.ts'
import { checkServerLogin, readIsolation, type SharedAccess } from './tenant-isolation.ts'

/** A shared server. */
export interface SharedServer extends SharedAccess {
  /** Most server connections of the pool that its tenants share. */
  readonly poolSize: number
  readonly budget: ServerBudgetPolicy | undefined
}

/** What a tenant's record is made with. */
export interface TenantSurroundings {
  readonly settings: RecordDefaults
  readonly servers: ReadonlyMap<string, SharedServer>
  readonly report: Problems
  readonly tlsReader: ServerTlsReader
}

interface Placed {
  readonly target: ServerTarget
  readonly access: ServerAccess
  readonly server: string | undefined
  readonly shared: SharedServer | undefined
  readonly poolSize: number
  readonly budget?: ServerBudgetPolicy | undefined
}

/** Keys of a tenant that go with some strategies only. */
const STRATEGY_KEYS = {
  databaseUrl: ['database'],
  users: ['database'],
  serverUser: ['database'],
  authQuery: ['database'],
  server: ['schema', 'row'],
  serverLogin: ['schema', 'row'],
  schema: ['schema'],
  searchPath: ['schema', 'row'],
} as const

export function buildServer(
  name: string,
  entry: ServerEntry | undefined,
  surroundings: Pick<TenantSurroundings, 'settings' | 'report' | 'tlsReader'>,
): SharedServer {
  const poolSize = entry?.pool?.size ?? surroundings.settings.pool.size
  const path = ['servers', name]
  const target = entry && readTarget(entry.url, [...path, 'url'], surroundings)
  const access = target && buildAccess(entry, path, { ...surroundings, target })
  const { maxConnections, isolation } = entry ?? {}
  const budget = maxConnections === undefined ? undefined : { server: name, maxConnections }
  return { target, access, poolSize, budget, isolation: isolation?.level }
}

/** The record of one tenant; `undefined` when something is wrong, which is then reported. */
export function buildTenant(
  entry: TenantEntry,
  path: SettingPath,
  surroundings: TenantSurroundings,
): TenantRecord | undefined {
  const { settings, report } = surroundings
  const areKeysRight = checkKeys(entry, path, report)
  const tenancy = buildTenancy(entry, path, surroundings)
  checkSettings(entry, path, surroundings)
  const placed = areKeysRight ? place(entry, path, surroundings) : undefined
  if (placed === undefined || tenancy === undefined) return undefined
  checkServerLogin(entry, path, { report, shared: placed.shared })
  return {
    name: entry.name,
    id: entry.id ?? entry.name,
    status: entry.status,
    server: placed.server,
    target: placed.target,
    hasOwnLogin: entry.serverLogin !== undefined,
    ...placed.access,
    tenancy,
    isolation: readIsolation(entry, path, { settings, report, shared: placed.shared }),
    role: entry.role,
    settings: buildSettings(entry),
    pool: poolOf(entry, settings, placed),
    serverBudget: placed.budget,
    timeouts: timeoutsOf(entry, settings),
    maxClients: entry.limits?.maxClients ?? settings.limits.maxClientsPerTenant,
    replication: replicationOf(entry, settings),
    labels: entry.labels ?? {},
  }
}

function checkKeys(entry: TenantEntry, path: SettingPath, report: Problems): boolean {
  const { strategy } = entry
  let isRight = true
  for (const [key, strategies] of Object.entries(STRATEGY_KEYS)) {
    const isGiven = entry[key as keyof typeof STRATEGY_KEYS] !== undefined
    if (!isGiven || strategies.some((one) => one === strategy)) continue
    isRight = false
    const message = `does not go with strategy ${strategy}`
    const remedy = `Remove it, or set the strategy to ${strategies.join(' or ')}.`
    report.add([...path, key], { message, remedy }, 'key')
  }
  const isPoolShared = strategy !== 'database' && entry.serverLogin === undefined
  if (isPoolShared && entry.pool?.size !== undefined) {
    const message = 'does not go with a shared pool'
    const remedy = `Set servers.${entry.server ?? '<name>'}.pool.size, which all of its tenants share.`
    report.add([...path, 'pool', 'size'], { message, remedy }, 'key')
  }
  if (strategy !== 'database' && entry.replication !== 'none') {
    const message = 'would show every tenant of the shared database'
    const remedy = 'Remove it: only a tenant of strategy database may replicate.'
    report.add([...path, 'replication'], { message, remedy }, 'key')
  }
  return isRight
}

function place(
  entry: TenantEntry,
  path: SettingPath,
  surroundings: TenantSurroundings,
): Placed | undefined {
  const { settings, servers, report } = surroundings
  const key = entry.strategy === 'database' ? 'databaseUrl' : 'server'
  const value = entry[key]
  if (value === undefined) {
    const remedy = `Add it: a tenant of strategy ${entry.strategy} needs it.`
    report.add([...path, key], { message: 'is missing', remedy })
    return undefined
  }
  if (entry.strategy === 'database') {
    const target = readTarget(value, [...path, key], surroundings)
    const access = target && buildAccess(entry, path, { ...surroundings, target })
    const poolSize = entry.pool?.size ?? settings.pool.size
    const alone = { server: undefined, shared: undefined }
    return target && access && { target, access, ...alone, poolSize }
  }
  const server = servers.get(value)
  if (server === undefined) {
    const nearest = nearestName(value, servers.keys())
    const remedy = nearest === undefined ? 'Add it to servers.' : `Did you mean ${nearest}?`
    report.add([...path, key], { message: `there is no server '${value}'`, remedy })
  }
  return server && placeOn(server, entry, settings)
}

/** A server login of the tenant's own stands in place of all that its server says of users. */
function placeOn(
  shared: SharedServer,
  { server, serverLogin, pool }: TenantEntry,
  settings: RecordDefaults,
): Placed | undefined {
  const { target, access, poolSize, budget } = shared
  if (target === undefined || access === undefined) return undefined
  if (serverLogin === undefined) return { target, access, server, shared, poolSize, budget }
  const { user, password } = serverLogin
  return {
    target: { ...target, user, password },
    access: { users: [], serverUser: 'route', authQuery: access.authQuery },
    server,
    shared,
    poolSize: pool?.size ?? settings.pool.serverLoginSize,
    budget,
  }
}

function buildTenancy(
  entry: TenantEntry,
  path: SettingPath,
  { settings, report }: TenantSurroundings,
): Tenancy | undefined {
  const { setting } = settings.tenancy
  switch (entry.strategy) {
    case 'database':
      return { strategy: 'database' }
    case 'row': {
      const searchPath = entry.searchPath ?? ['public']
      return { strategy: 'row', searchPath, setting, value: entry.id ?? entry.name }
    }
    case 'schema': {
      const schema = entry.schema ?? `tenant_${entry.name}`
      const fault = schemaFault(schema)
      if (fault === undefined) {
        return { strategy: 'schema', searchPath: [schema, ...(entry.searchPath ?? [])], setting }
      }
      const remedy = 'Give the tenant a schema of another name.'
      report.add([...path, 'schema'], { message: fault, remedy })
      return undefined
    }
  }
}

function schemaFault(schema: string): string | undefined {
  if (Buffer.byteLength(schema) > 63) {
    return `${schema} is longer than the 63 bytes that Postgres keeps of a name`
  }
  if (/^(pg_|\$user$|information_schema$)/.test(schema)) {
    return `${schema} has a meaning of its own in Postgres`
  }
  return undefined
}

/** A setting that the link itself puts in force must not be set by the way. */
function checkSettings(
  { strategy, settings: given }: TenantEntry,
  path: SettingPath,
  { settings, report }: TenantSurroundings,
): void {
  for (const [name, value] of Object.entries(given ?? {})) {
    const at = [...path, 'settings', name]
    // Postgres knows settings without regard to case.
    const remedy = linkRemedy(name.toLowerCase(), strategy, settings.tenancy.setting.toLowerCase())
    if (remedy !== undefined) {
      report.add(at, { message: `would contradict the tenant's link`, remedy }, 'key')
    }
    if (String(value).includes('\0')) {
      report.add(at, { message: 'holds a zero byte', remedy: 'Remove it.' })
    }
  }
}

/** What to write in place of a setting that belongs to the link; `undefined` for any other. */
function linkRemedy(name: string, strategy: Strategy, tenancySetting: string): string | undefined {
  if (name === 'role' || name === 'session_authorization') return "Use the tenant's key role."
  if (name.startsWith('pgusher.')) return 'Remove it: this prefix is for PgUsher itself.'
  if (strategy === 'database') return undefined
  if (name === tenancySetting) return "Remove it; the tenant's key id says what a row tenant sees."
  if (name !== 'search_path') return undefined
  return strategy === 'schema'
    ? "Use the tenant's keys schema and searchPath."
    : "Use the tenant's key searchPath."
}

function buildSettings({ settings }: TenantEntry): Setting[] {
  return Object.entries(settings ?? {}).map(([name, value]) => ({ name, value: String(value) }))
}

function poolOf(entry: TenantEntry, { pool }: RecordDefaults, { poolSize }: Placed): PoolPolicy {
  return {
    mode: entry.pool?.mode ?? pool.mode,
    size: poolSize,
    pins: entry.pool?.pins ?? pool.pins,
    carriedSettings: entry.pool?.carriedSettings ?? pool.carriedSettings,
  }
}

function replicationOf(entry: TenantEntry, { limits }: RecordDefaults): ReplicationPolicy {
  const maxSessions = entry.limits?.maxReplication ?? limits.maxReplicationPerTenant
  return { allowed: entry.replication, maxSessions }
}

function timeoutsOf({ timeouts: own }: TenantEntry, { timeouts }: RecordDefaults): SessionTimeouts {
  return {
    waitMs: own?.waitMs ?? timeouts.waitMs,
    idleClientMs: own?.idleClientMs ?? timeouts.idleClientMs,
    idleInTransactionMs: own?.idleInTransactionMs ?? timeouts.idleInTransactionMs,
    queryMs: own?.queryMs ?? timeouts.queryMs,
  }
}
