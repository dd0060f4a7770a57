import { SqlState } from '../base/sql-state.ts'
import { foldCase } from '../sql/fold-case.ts'
import { formatSearchPath, parseSearchPath } from '../sql/search-path.ts'
import type { Setting, Tenancy } from './tenancy.ts'
import { SettingRefusedError, show } from './tenancy-errors.ts'

type SharedTenancy = Exclude<Tenancy, { readonly strategy: 'database' }>

/** What Postgres takes for the name of a setting, without its letters beyond ASCII. */
const SETTING_NAME = /^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*$/
/**
 * Fields of a startup packet. No setting has such a name, but sent upstream in a startup packet
 * it would choose the server's user or database.
 */
const PACKET_FIELD = /^(?:user|database|options|replication|_pq_\..*)$/
const IDENTITY_NAMES: ReadonlySet<string> = new Set(['role', 'session_authorization'])

/**
 * Lets through those of a client's startup settings that keep it inside its tenant.
 *
 * Where tenants share server connections (schema, row), a `search_path` may name the tenant's own
 * schemas and `pg_catalog`, and comes back rewritten, so that the server reads the names that were
 * checked; the tenant setting, `role` and `session_authorization` are refused.
 *
 * @throws SettingRefusedError - 42501 for a setting that would leave the tenant; 42704 for a name
 * that no setting has; 22023 for a value that the server couldn't read.
 * @returns The same settings in the same order, with names in lower case.
 */
export function admitClientSettings(
  settings: readonly Setting[],
  tenancy: Tenancy,
): readonly Setting[] {
  return settings.map((setting) => {
    const { value } = setting
    const name = foldCase(setting.name)
    refuseMalformed(name, value)
    if (tenancy.strategy === 'database') return { name, value }
    return { name, value: admitShared(name, value, tenancy) }
  })
}

function refuseMalformed(name: string, value: string): void {
  if (!SETTING_NAME.test(name) || PACKET_FIELD.test(name)) {
    throw new SettingRefusedError({
      sqlState: SqlState.undefinedObject,
      text: `unrecognized configuration parameter ${show(name)}`,
      hint: 'Startup parameters other than user and database are settings of the server.',
    })
  }
  if (value.includes('\0')) throw unreadable(name, 'A value cannot hold a NUL character.')
}

function admitShared(name: string, value: string, tenancy: SharedTenancy): string {
  if (name === 'search_path') return admitSearchPath(value, tenancy.searchPath)
  if (IDENTITY_NAMES.has(name) || name === foldCase(tenancy.setting)) {
    throw leavesTenant(name, 'The proxy sets it for the tenant: leave it out of the connection.')
  }
  return value
}

function admitSearchPath(value: string, ownSchemas: readonly string[]): string {
  const schemas = parseSearchPath(value)
  if (schemas === undefined) throw unreadable('search_path', 'Names are separated by commas.')
  for (const schema of schemas) {
    // No schema has an empty name: `""` is how clients write a path without any.
    if (schema === '' || schema === 'pg_catalog' || ownSchemas.includes(schema)) continue
    throw leavesTenant(
      'search_path',
      `It may hold pg_catalog and the tenant's own schemas, not ${show(schema)}. Left out, it is the tenant's.`,
    )
  }
  return formatSearchPath(schemas)
}

function leavesTenant(name: string, hint: string): SettingRefusedError {
  return new SettingRefusedError({
    sqlState: SqlState.insufficientPrivilege,
    text: `setting ${show(name)} would leave the tenant`,
    hint,
  })
}

function unreadable(name: string, hint: string): SettingRefusedError {
  return new SettingRefusedError({
    sqlState: SqlState.invalidParameterValue,
    text: `invalid value for parameter ${show(name)}`,
    hint,
  })
}
