import type pg from 'pg'
import { RecordRefusedError } from '../catalog-errors.ts'
import { tenantSchema } from '../documents/record-schema.ts'
import type { CatalogEntry, CatalogName } from '../entry.ts'
import type { KeyRing } from '../sealing/key-ring.ts'
import { sealRow } from '../sealing/sealed-settings.ts'

/** A query that maps a table of somebody else to tenants. */
export interface CustomQuery {
  /** Has the tenant's name as `$1`. */
  readonly text: string
  /** Seals the passwords that it finds. */
  readonly keyRing: KeyRing
}

/** What all envelopes of a query's rows are bound to: there is nobody to count their changes. */
const SECRETS_VERSION = 1

/** The key that is no setting: the version in which the row was read. */
const VERSION = 'version'

const KEYS: readonly string[] = [...Object.keys(tenantSchema.shape), VERSION]

/** Microseconds, which stay below 2^53 until the year 2255. */
const CLOCK = 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS "readAt"'

/**
 * Asks the query for a tenant; logins it does not know. The session must be read-only.
 *
 * @throws RecordRefusedError - more than one row, or columns that are no keys of a tenant.
 */
export async function readByQuery(
  client: pg.Client,
  { kind, name }: CatalogName,
  { text, keyRing }: CustomQuery,
): Promise<CatalogEntry> {
  // Read first: whatever is changed from now on is newer than the answer.
  const clock = await client.query<{ readAt: string }>(CLOCK)
  const readAt = Number(clock.rows[0]?.readAt)
  if (kind === 'login') return { kind: 'absent', asOf: readAt }
  const { rows, fields } = await client.query<unknown[]>({ text, values: [name], rowMode: 'array' })
  if (rows.length > 1) throw refused(name, `the query found ${rows.length} rows`)
  const [values] = rows
  if (values === undefined) return { kind: 'absent', asOf: readAt }
  const columns = fields.map((field) => field.name)
  const { version, ...found } = keysOf(name, columns, values)
  const asOf = version === undefined ? readAt : readVersion(name, version)
  const row = { kind: 'tenant', name, version: SECRETS_VERSION } as const
  const sealed = sealRow(completed(name, found), row, keyRing)
  const tenant = { name, version: asOf, ...sealed, secretsVersion: SECRETS_VERSION }
  return { kind: 'tenant', asOf, document: { tenant, server: undefined, logins: [] } }
}

/** By the keys of a tenant; what is NULL is left out. */
function keysOf(
  tenant: string,
  columns: readonly string[],
  values: readonly unknown[],
): Record<string, unknown> {
  const keys = columns.map(camelCase)
  const unknown = columns.filter((_, index) => !KEYS.includes(keys[index] ?? ''))
  if (unknown.length > 0) {
    throw refused(
      tenant,
      `the query has columns that are no keys of a tenant: ${unknown.join(', ')}`,
    )
  }
  const twice = keys.find((key, index) => keys.indexOf(key) !== index)
  if (twice !== undefined) throw refused(tenant, `the query has two columns for ${twice}`)
  const pairs = keys.map((key, index) => [key, values[index] ?? undefined] as const)
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined))
}

/** With all that a tenant must have and that can be told from the rest. */
function completed(
  name: string,
  found: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { name: foundName = name, id, strategy, ...others } = found
  if (foundName !== name) throw refused(name, 'the query found a tenant of another name')
  const guessed = others['databaseUrl'] === undefined ? 'schema' : 'database'
  // Tables have ids that are numbers, settings are texts.
  const ownId = id === undefined ? {} : { id: String(id) }
  return { name, ...ownId, strategy: strategy ?? guessed, ...others }
}

function readVersion(tenant: string, value: unknown): number {
  const version = typeof value === 'string' ? Number(value) : value
  if (Number.isSafeInteger(version) && Number(version) >= 0) return Number(version)
  throw refused(tenant, 'the column version is no whole number')
}

function camelCase(column: string): string {
  return column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function refused(tenant: string, reason: string): RecordRefusedError {
  return new RecordRefusedError(`tenant ${tenant}: ${reason}`)
}
