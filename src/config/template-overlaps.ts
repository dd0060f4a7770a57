import { valueAt } from '../catalog/documents/setting-path.ts'
import type { TenantRecord } from '../catalog/records.ts'
import { parseTenantName, type TenantName } from '../tenancy/tenant-name.ts'
import { matchesPattern } from '../tenancy/tenant-pattern.ts'
import type { ProblemReport } from './problem-report.ts'
import type { PlacedTemplate } from './templates.ts'
import { ownedPlaces, type PlacedTenant } from './tenant-overlaps.ts'

const DATABASE_OF_URL = /^[^?]*\/([^/?]*)/
const SPECIAL = /[.*+?^${}()|[\]\\]/g

/**
 * Reports the tenants whose data a template would hand out under another name: tenant acme in the
 * schema tenant_globex, beside a template that makes tenant_globex for globex.
 */
export function checkTemplateOverlaps(
  templates: readonly PlacedTemplate[],
  tenants: readonly PlacedTenant[],
  report: ProblemReport,
): void {
  const listed = new Set(tenants.map(({ record }) => record.name))
  for (const template of templates) {
    for (const tenant of tenants) {
      const name = namesakeOf(template, tenant.record)
      if (name === undefined || listed.has(name)) continue
      const message = `tenant ${tenant.record.name}, at ${report.placeOf(tenant.path)}, has the data that tenant ${name} would get`
      const remedy = `Move tenant ${tenant.record.name}, or list ${name} as a tenant of its own.`
      report.add([...template.path, 'name'], { message, remedy })
    }
  }
}

/** The name, other than its own, under which the template makes the place of a tenant. */
function namesakeOf(
  { record, value }: PlacedTemplate,
  tenant: TenantRecord,
): TenantName | undefined {
  const { tenancy, target } = tenant
  const [schema] = tenancy.strategy === 'schema' ? tenancy.searchPath : []
  const database = DATABASE_OF_URL.exec(String(valueAt(value, ['databaseUrl']) ?? ''))?.[1]
  const written: readonly (readonly [unknown, string | undefined])[] = [
    [valueAt(value, ['schema']) ?? 'tenant_{tenant}', schema],
    [database, target.database],
    [valueAt(value, ['id']) ?? '{tenant}', tenant.id],
    [valueAt(value, ['serverLogin', 'user']), target.user],
  ]
  const places = new Set(ownedPlaces(tenant))
  return written
    .map(([text, place]) => nameIn(text, place))
    .find((name) => {
      if (name === undefined || name === tenant.name || !matchesPattern(record.pattern, name)) {
        return false
      }
      const made = record.make(name)
      return made !== undefined && ownedPlaces(made).some((place) => places.has(place))
    })
}

/** The name that stands in `place` where `text` says `{tenant}`. */
function nameIn(text: unknown, place: string | undefined): TenantName | undefined {
  if (typeof text !== 'string' || place === undefined || !text.includes('{tenant}'))
    return undefined
  const source = text.split('{tenant}').map((part) => part.replace(SPECIAL, '\\$&'))
  const [, name] = new RegExp(`^${source.join('(.+)')}$`).exec(place) ?? []
  return name === undefined ? undefined : parseTenantName(name)
}
