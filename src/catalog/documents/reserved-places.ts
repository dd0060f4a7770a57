import type { TenantRecord } from '../records.ts'
import type { ServerTarget } from '../route.ts'

/** Databases that every cluster has: none of them is a customer's. */
const SYSTEM_DATABASES: readonly string[] = ['postgres', 'template0', 'template1']
/** Schemas that many share, and that of the catalog. */
const SHARED_SCHEMAS: readonly string[] = ['public', 'pgusher']

/**
 * What a template must not lead to, whatever name a client gives; `undefined` when the record is
 * free of it.
 *
 * @param home - Where the catalog itself is.
 */
export function reservedPlace(
  { tenancy, target }: TenantRecord,
  home?: ServerTarget,
): string | undefined {
  switch (tenancy.strategy) {
    case 'database':
      if (home !== undefined && isSamePlace(target, home)) return 'the database of the catalog'
      return SYSTEM_DATABASES.includes(target.database)
        ? `the database ${target.database}`
        : undefined
    case 'schema': {
      const [schema = ''] = tenancy.searchPath
      return SHARED_SCHEMAS.includes(schema) ? `the schema ${schema}` : undefined
    }
    case 'row':
      return undefined
  }
}

function isSamePlace(one: ServerTarget, other: ServerTarget): boolean {
  const isSameHost = one.host.toLowerCase() === other.host.toLowerCase()
  return isSameHost && one.port === other.port && one.database === other.database
}
