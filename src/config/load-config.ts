import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { nearestName } from '../base/nearest-name.ts'
import { loginSchema, serverSchema, tenantSchema } from '../catalog/documents/record-schema.ts'
import { ServerTlsReader } from '../catalog/documents/server-tls.ts'
import { valueAt } from '../catalog/documents/setting-path.ts'
import { buildServer, buildTenant, type SharedServer } from '../catalog/documents/tenant-records.ts'
import { readCatalogPlaces } from './catalog-places.ts'
import { checkTlsUses, readClientTls } from './client-tls-files.ts'
import type { Config } from './config.ts'
import { ConfigError } from './config-errors.ts'
import { configSchema } from './config-schema.ts'
import { buildConsoleLogins } from './console-logins.ts'
import { deepFreeze } from './deep-freeze.ts'
import { checkKeyIds } from './key-schema.ts'
import { buildLogins } from './login-records.ts'
import { checkOwnLogins } from './own-logins.ts'
import { ProblemReport } from './problem-report.ts'
import { type SettingGroups, settingGroups } from './settings-schema.ts'
import { type ConfigInput, readInput } from './sources/config-input.ts'
import { checkTemplateOverlaps } from './template-overlaps.ts'
import { buildTemplate, type PlacedTemplate, patternOf } from './templates.ts'
import { TenantNames } from './tenant-names.ts'
import { checkOverlaps, type PlacedTenant } from './tenant-overlaps.ts'

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
  const surroundings = { settings, servers, report, tlsReader }
  const tenants = readTenants(reading, surroundings)
  const templates = readTemplates(reading, surroundings)
  checkOverlaps(tenants, report)
  checkOwnLogins(tenants, report)
  checkTemplateOverlaps(templates, tenants, report)
  const tenantNames = new TenantNames(checkNames(reading), {
    patterns: templates.map(({ record }) => record.pattern),
    isOpen: settings.catalog.postgres.url !== undefined,
  })
  checkCombinations(settings, tenantNames, report)
  const catalogPlaces = readCatalogPlaces(settings.catalog, report, tlsReader)
  const clientTls = readClientTls(settings.tls.client, report)
  const entries = readList(reading, 'logins').map((value, index) =>
    report.readSound(loginSchema, value, ['logins', index]),
  )
  const logins = buildLogins(entries, {
    method: settingGroups.auth.safeParse(input.root['auth']).data?.method,
    tenantNames,
    tenants,
    report,
  })
  const consoleLogins = buildConsoleLogins(settings, report)
  report.throwIfAny()
  const records = {
    logins,
    tenants: tenants.map(({ record }) => record),
    templates: templates.map(({ record }) => record),
  }
  const built = { records, consoleLogins, sharedServers: servers, catalogPlaces, clientTls }
  return deepFreeze({ ...settings, ...built })
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
    console: read('console', settingGroups.console),
    metrics: read('metrics', settingGroups.metrics),
    auth: read('auth', settingGroups.auth),
    pool: read('pool', settingGroups.pool),
    timeouts: read('timeouts', settingGroups.timeouts),
    limits: read('limits', settingGroups.limits),
    tenancy: read('tenancy', settingGroups.tenancy),
    isolation: read('isolation', settingGroups.isolation),
    catalog: read('catalog', settingGroups.catalog),
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

function readList({ input, report }: Reading, list: 'logins' | 'tenants'): readonly unknown[] {
  return report.read(anyList, input.root[list], [list]) ?? []
}

function readTenants(
  reading: Reading,
  surroundings: Parameters<typeof buildTenant>[2],
): PlacedTenant[] {
  const placed: PlacedTenant[] = []
  for (const [index, value] of readList(reading, 'tenants').entries()) {
    if (patternOf(value) !== undefined) continue
    const path = ['tenants', index]
    const entry = reading.report.readSound(tenantSchema, value, path)
    const record = entry && buildTenant(entry, path, surroundings)
    if (record !== undefined) placed.push({ record, path })
  }
  return placed
}

function readTemplates(
  reading: Reading,
  surroundings: Parameters<typeof buildTemplate>[1],
): PlacedTemplate[] {
  return readList(reading, 'tenants').flatMap((value, index) => {
    const pattern = patternOf(value)
    if (pattern === undefined) return []
    return buildTemplate({ pattern, path: ['tenants', index], value }, surroundings) ?? []
  })
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
  tenantNames: TenantNames,
  report: ProblemReport,
): void {
  const { tenancy, pool } = settings
  const standard = tenancy.default
  if (standard !== undefined && !tenantNames.has(standard)) {
    const nearest = nearestName(standard, tenantNames.listed)
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
  checkKeyIds(settings.isolation.keys, ['isolation', 'keys'], report)
  checkTlsUses(settings, report)
}
