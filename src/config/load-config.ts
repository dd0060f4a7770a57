import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { checkTlsUses, readClientTls } from './client-tls-files.ts'
import type { Config } from './config.ts'
import { ConfigError } from './config-errors.ts'
import { deepFreeze } from './deep-freeze.ts'
import { nearestName } from './nearest-name.ts'
import { ProblemReport } from './problem-report.ts'
import { buildLogins } from './records/login-records.ts'
import { configSchema, loginSchema, serverSchema, tenantSchema } from './records/record-schema.ts'
import { ServerTlsReader } from './records/server-tls.ts'
import { checkOverlaps, type PlacedTenant } from './records/tenant-overlaps.ts'
import { buildServer, buildTenant, type SharedServer } from './records/tenant-records.ts'
import { type SettingGroups, settingGroups } from './settings-schema.ts'
import { type ConfigInput, readInput } from './sources/config-input.ts'
import { valueAt } from './sources/setting-path.ts'

/** Where the configuration comes from. */
export interface ConfigSources {
  /** Path of the YAML file. */
  readonly file: string
  /** Its `PGUSHER_*` variables win over the file. */
  readonly env: NodeJS.ProcessEnv
}

/** What is read, and where its problems go. */
interface Reading {
  readonly input: ConfigInput
  readonly report: ProblemReport
  readonly tlsReader: ServerTlsReader
}

const anyList = z.array(z.unknown()).default([])
const anyMap = z.record(z.string(), z.unknown()).default({})
const topLevel = z.strictObject(
  Object.fromEntries(Object.keys(configSchema.shape).map((key) => [key, z.unknown().optional()])),
)

/**
 * Reads file and environment, resolves references, validates, and fills in defaults. Blocks while
 * it reads, and some milliseconds for each login with a plain password.
 *
 * @throws ConfigError - with everything that is wrong, when anything is.
 */
export function loadConfig({ file, env }: ConfigSources): Config {
  const input = readInput(file, readText(file), env)
  const report = new ProblemReport(input)
  const tlsReader = new ServerTlsReader()
  const reading = { input, report, tlsReader }
  report.read(topLevel, input.root, [])
  const settings = readSettings(reading)
  const servers = readServers(reading, settings)
  const tenants = readTenants(reading, { settings, servers, report, tlsReader })
  const tenantNames = checkNames(reading)
  checkOverlaps(tenants, report)
  checkCombinations(settings, tenantNames, report)
  const clientTls = readClientTls(settings.tls.client, report)
  const logins = buildLogins(readEntries(reading, 'logins', loginSchema), {
    method: settingGroups.auth.safeParse(input.root['auth']).data?.method,
    tenantNames,
    tenants,
    report,
  })
  report.throwIfAny()
  const catalog = { logins, tenants: tenants.map(({ record }) => record) }
  return deepFreeze({ ...settings, catalog, clientTls })
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason'
    const message = `can't be read: ${reason}`
    const remedy = 'Name a file that pgusher may read, with --config or PGUSHER_CONFIG.'
    const nowhere = { line: undefined, column: undefined, path: '' }
    throw new ConfigError([{ source: file, ...nowhere, message, remedy }], { cause })
  }
}

/** Settings with problems are replaced by their defaults, so that the rest can be checked as well. */
function readSettings({ input, report }: Reading): SettingGroups {
  const read = <Schema extends z.ZodType>(group: string, schema: Schema): z.output<Schema> =>
    report.readSound(schema, input.root[group], [group]) ?? schema.parse(undefined)
  return {
    listen: read('listen', settingGroups.listen),
    tls: read('tls', settingGroups.tls),
    admin: read('admin', settingGroups.admin),
    auth: read('auth', settingGroups.auth),
    pool: read('pool', settingGroups.pool),
    timeouts: read('timeouts', settingGroups.timeouts),
    limits: read('limits', settingGroups.limits),
    tenancy: read('tenancy', settingGroups.tenancy),
    log: read('log', settingGroups.log),
  }
}

function readServers(
  { input, report, tlsReader }: Reading,
  settings: SettingGroups,
): Map<string, SharedServer> {
  const servers = new Map<string, SharedServer>()
  const entries = report.read(anyMap, input.root['servers'], ['servers']) ?? {}
  for (const [name, value] of Object.entries(entries)) {
    const entry = report.readSound(serverSchema, value, ['servers', name])
    servers.set(name, buildServer(name, entry, { settings, report, tlsReader }))
  }
  return servers
}

function readEntries<Schema extends z.ZodType>(
  { input, report }: Reading,
  list: 'logins' | 'tenants',
  schema: Schema,
): (z.output<Schema> | undefined)[] {
  const values = report.read(anyList, input.root[list], [list]) ?? []
  return values.map((value, index) => report.readSound(schema, value, [list, index]))
}

function readTenants(
  reading: Reading,
  surroundings: Parameters<typeof buildTenant>[2],
): PlacedTenant[] {
  const placed: PlacedTenant[] = []
  for (const [index, entry] of readEntries(reading, 'tenants', tenantSchema).entries()) {
    const path = ['tenants', index]
    const record = entry && buildTenant(entry, path, surroundings)
    if (record !== undefined) placed.push({ record, path })
  }
  return placed
}

/** The names of all tenants, also of those that have problems of another kind. */
function checkNames({ input, report }: Reading): ReadonlySet<string> {
  const first = new Map<string, number>()
  const tenants = input.root['tenants']
  for (const index of Array.isArray(tenants) ? tenants.keys() : []) {
    const name = valueAt(tenants, [index, 'name'])
    if (typeof name !== 'string') continue
    const before = first.get(name)
    if (before === undefined) {
      first.set(name, index)
      continue
    }
    const message = `'${name}' is already a tenant, at ${report.placeOf(['tenants', before])}`
    report.add(['tenants', index, 'name'], { message, remedy: 'Rename or remove one of the two.' })
  }
  return new Set(first.keys())
}

function checkCombinations(
  settings: SettingGroups,
  tenantNames: ReadonlySet<string>,
  report: ProblemReport,
): void {
  const { tenancy, pool } = settings
  const standard = tenancy.default
  if (standard !== undefined && !tenantNames.has(standard)) {
    const nearest = nearestName(standard, tenantNames)
    const remedy = nearest === undefined ? 'Add it to tenants.' : `Did you mean ${nearest}?`
    report.add(['tenancy', 'default'], { message: `there is no tenant '${standard}'`, remedy })
  }
  if (standard === undefined && Object.values(tenancy.tag).every((source) => source === false)) {
    const remedy = 'Switch on one of its sources, or set tenancy.default.'
    report.add(['tenancy', 'tag'], { message: 'leaves clients no way to name a tenant', remedy })
  }
  if (pool.backoffMaxMs < pool.backoffMinMs) {
    const message = `is less than pool.backoffMinMs, ${pool.backoffMinMs}`
    report.add(['pool', 'backoffMaxMs'], { message, remedy: 'Raise it, or lower the other.' })
  }
  checkTlsUses(settings, report)
}
