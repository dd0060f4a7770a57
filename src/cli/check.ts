import { levelLines } from '../admin/explain/level-lines.ts'
import type { CatalogRecords, TenantRecord } from '../catalog/records.ts'
import type { CatalogPlaces } from '../config/catalog-places.ts'
import { loadConfig } from '../config/load-config.ts'
import { type CommandIo, configFile, ExitCode, reportFailure } from './command.ts'
import { type DrainTimeouts, drainBoundMs } from './drain.ts'

/**
 * `pgusher check --config FILE`: reads the configuration as `serve` would, and prints the tenants
 * that it leads to.
 *
 * @param args - What follows `check` on the command line.
 */
export function runCheck(args: readonly string[], io: CommandIo): ExitCode {
  try {
    const { records, catalogPlaces, timeouts } = loadConfig({
      file: configFile(args, io.env),
      env: io.env,
    })
    const levels = levelLines(records.tenants.map(({ isolation }) => isolation))
    const sources = [...templateLines(records), ...sourceLines(catalogPlaces)]
    const others = [...levels, ...sources, drainLine(timeouts)]
    io.stdout.write(`${tenantTable(records.tenants)}${others.join('')}configuration ok\n`)
    return ExitCode.ok
  } catch (error) {
    return reportFailure(error, io)
  }
}

function templateLines({ templates }: CatalogRecords): readonly string[] {
  return templates.map(({ pattern }) => `template ${pattern.text} makes tenants of such names\n`)
}

function sourceLines({ postgres }: CatalogPlaces): readonly string[] {
  if (postgres === undefined) return []
  const { host, port, database } = postgres
  return [`more tenants: Postgres at ${host}:${port}/${database}\n`]
}

/** What a supervisor that kills in the end has to know. */
function drainLine(timeouts: DrainTimeouts): string {
  const seconds = drainBoundMs(timeouts) / 1000
  return `ends within ${seconds} s of SIGTERM: keep terminationGracePeriodSeconds above that\n`
}

const HEADINGS = ['TENANT', 'STRATEGY', 'LEVEL', 'WHERE', 'SERVER USER', 'POOL MODE']

function tenantTable(tenants: readonly TenantRecord[]): string {
  if (tenants.length === 0) return 'no tenants in the file\n'
  const rows = [HEADINGS, ...tenants.map(tenantRow)]
  // The last column stays as it is.
  const widths = HEADINGS.slice(0, -1).map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  )
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
  return `${lines.map((cells) => cells.join('  ').trimEnd()).join('\n')}\n`
}

function tenantRow(record: TenantRecord): string[] {
  const { name, status, tenancy, isolation, pool } = record
  const shownName = status === 'suspended' ? `${name} (suspended)` : name
  const { strategy } = tenancy
  return [shownName, strategy, isolation, placeOf(record), serverUserOf(record), pool.mode]
}

function placeOf({ tenancy, target }: TenantRecord): string {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  const database = `${host}:${target.port}/${target.database}`
  switch (tenancy.strategy) {
    case 'database':
      return database
    case 'schema':
      return `${database} ${tenancy.searchPath.join(', ')}`
    case 'row':
      return `${database} ${tenancy.setting}=${tenancy.value}`
  }
}

/** Whom the server sees; `app=owner` for logins that have a server user of their own. */
function serverUserOf({ target, users, serverUser }: TenantRecord): string {
  const others = serverUser === 'client' ? "the client's" : target.user
  return [others, ...users.map(({ login, user }) => `${login}=${user}`)].join(', ')
}
