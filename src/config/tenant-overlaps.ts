import type { SettingPath } from '../catalog/documents/setting-path.ts'
import type { TenantRecord } from '../catalog/records.ts'
import type { Tenancy } from '../tenancy/tenancy.ts'
import type { ProblemReport } from './problem-report.ts'

/** A tenant's record and where it stands. */
export interface PlacedTenant {
  readonly record: TenantRecord
  readonly path: SettingPath
}

/** What a tenant has for itself, as a key that no other tenant may have. */
interface Ownership {
  readonly tenant: PlacedTenant
  readonly key: string
  /** In a message, after `tenant x`. */
  readonly has: string
  readonly setting: string
}

/** Reports the tenants that would see each other's data. */
export function checkOverlaps(tenants: readonly PlacedTenant[], report: ProblemReport): void {
  const owners = new Map<string, PlacedTenant>()
  for (const { key, has, setting, tenant } of tenants.flatMap(ownershipsOf)) {
    const owner = owners.get(key)
    if (owner === undefined || owner === tenant) {
      owners.set(key, tenant)
      continue
    }
    const message = `tenant ${owner.record.name}, at ${report.placeOf(owner.path)}, has ${has}`
    const remedy = 'Two tenants with the same data would be one: change or remove one of them.'
    report.add([...tenant.path, setting], { message, remedy })
  }
  for (const tenant of tenants) checkExtraSchemas(tenant, owners, report)
}

/** Keys of what a tenant has for itself: two tenants with the same one would see each other's data. */
export function ownedPlaces(record: TenantRecord): readonly string[] {
  const keys = ownershipsOf({ record, path: [] }).map(({ key }) => key)
  return record.hasOwnLogin ? [...keys, loginKey(record, record.target.user)] : keys
}

function ownershipsOf(tenant: PlacedTenant): Ownership[] {
  const { record } = tenant
  const { tenancy } = record
  switch (tenancy.strategy) {
    case 'database':
      return serverUsers(record).map((user) => ({
        tenant,
        key: JSON.stringify([databaseOf(record), user]),
        has: 'the same database and login',
        setting: 'databaseUrl',
      }))
    case 'schema': {
      const schema = tenancy.searchPath[0] ?? ''
      const key = schemaKey(record, schema)
      return [{ tenant, key, has: `the same schema, ${schema}`, setting: 'schema' }]
    }
    case 'row': {
      const key = JSON.stringify([databaseOf(record), 'row', tenancy.value])
      return [{ tenant, key, has: `the same id, ${tenancy.value}`, setting: 'id' }]
    }
  }
}

/** Those that sessions of the tenant may have; `null` stands for the clients' own. */
export function serverUsers({
  target,
  users,
  serverUser,
}: TenantRecord): readonly (string | null)[] {
  return [serverUser === 'client' ? null : target.user, ...users.map(({ user }) => user)]
}

/** Logins are those of the whole cluster, in all of its databases. */
export function loginKey({ target }: TenantRecord, user: string | null): string {
  return JSON.stringify([target.host.toLowerCase(), target.port, 'login', user])
}

function checkExtraSchemas(
  { record, path }: PlacedTenant,
  owners: ReadonlyMap<string, PlacedTenant>,
  report: ProblemReport,
): void {
  for (const [index, schema] of extraSchemas(record.tenancy).entries()) {
    const owner = owners.get(schemaKey(record, schema))
    if (owner === undefined || owner.record === record) continue
    const message = `schema ${schema} is that of tenant ${owner.record.name}`
    const remedy = 'Remove it: no tenant may see the tables of another.'
    report.add([...path, 'searchPath', index], { message, remedy })
  }
}

function extraSchemas(tenancy: Tenancy): readonly string[] {
  if (tenancy.strategy === 'database') return []
  return tenancy.strategy === 'schema' ? tenancy.searchPath.slice(1) : tenancy.searchPath
}

function schemaKey(record: TenantRecord, schema: string): string {
  return JSON.stringify([databaseOf(record), 'schema', schema])
}

/** By place, not by entry of `servers`: two entries may lead to one database. */
function databaseOf({ target }: TenantRecord): readonly (string | number)[] {
  return [target.host.toLowerCase(), target.port, target.database]
}
