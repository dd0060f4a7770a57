import type { RecordDefaults } from '../../../src/catalog/documents/record-defaults.ts'
import type { CatalogRow, TenantDocument } from '../../../src/catalog/entry.ts'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { parseTenantName, type TenantName } from '../../../src/tenancy/tenant-name.ts'

export const RING = new KeyRing([{ id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }])

export const DEFAULTS: RecordDefaults = {
  auth: { method: 'scram-sha-256' },
  pool: { mode: 'transaction', size: 20, serverLoginSize: 2, pins: 'allow', carriedSettings: [] },
  timeouts: { waitMs: 1, idleClientMs: 2, idleInTransactionMs: 3, queryMs: 4 },
  limits: { maxClientsPerTenant: 5, maxReplicationPerTenant: 6 },
  isolation: { level: 'guarded', keys: [] },
  tenancy: { setting: 'app.tenant_id' },
}

export function named(text: string): TenantName {
  const name = parseTenantName(text)
  if (name === undefined) throw new Error(`${text} is no tenant name`)
  return name
}

interface RowParts {
  readonly kind?: 'tenant' | 'server'
  readonly version?: number
  readonly passwords?: Readonly<Record<string, string>>
}

/** A row whose passwords are sealed for their places. */
export function rowOf(
  name: string,
  settings: CatalogRow['settings'],
  { kind = 'tenant', version = 1, passwords = {} }: RowParts = {},
): CatalogRow {
  const seal = ([place, password]: [string, string]) =>
    [place, RING.seal(password, { kind, name, place, version: 3 })] as const
  const secrets = Object.fromEntries(Object.entries(passwords).map(seal))
  return { name, version, settings: { name, ...settings }, secrets, secretsVersion: 3 }
}

export function documentOf(tenant: CatalogRow, server?: CatalogRow): TenantDocument {
  return { tenant, server, logins: [] }
}
