import type { TenantRecord } from '../catalog/records.ts'
import { loadConfig } from '../config/load-config.ts'
import { type CommandIo, configFile, ExitCode, reportFailure } from './command.ts'

/**
 * `pgusher check --config FILE`: reads the configuration as `serve` would, and prints the tenants
 * that it leads to.
 *
 * @param args - What follows `check` on the command line.
 */
export function runCheck(args: readonly string[], io: CommandIo): ExitCode {
  try {
    const { catalog } = loadConfig({ file: configFile(args, io.env), env: io.env })
    io.stdout.write(`${tenantTable(catalog.tenants)}configuration ok\n`)
    return ExitCode.ok
  } catch (error) {
    return reportFailure(error, io)
  }
}

function tenantTable(tenants: readonly TenantRecord[]): string {
  if (tenants.length === 0) return 'no tenants\n'
  const rows = [['TENANT', 'STRATEGY', 'WHERE', 'POOL MODE'], ...tenants.map(tenantRow)]
  const widths = [0, 1, 2].map((column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  )
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
  return `${lines.map((cells) => cells.join('  ').trimEnd()).join('\n')}\n`
}

function tenantRow({ name, status, tenancy, target, pool }: TenantRecord): string[] {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  const database = `${host}:${target.port}/${target.database}`
  const shownName = status === 'suspended' ? `${name} (suspended)` : name
  switch (tenancy.strategy) {
    case 'database':
      return [shownName, tenancy.strategy, database, pool.mode]
    case 'schema':
      return [
        shownName,
        tenancy.strategy,
        `${database} ${tenancy.searchPath.join(', ')}`,
        pool.mode,
      ]
    case 'row':
      return [
        shownName,
        tenancy.strategy,
        `${database} ${tenancy.setting}=${tenancy.value}`,
        pool.mode,
      ]
  }
}
