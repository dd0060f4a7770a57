import { RecordProblems } from '../catalog/documents/record-problems.ts'
import { tenantSchema } from '../catalog/documents/record-schema.ts'
import { reservedPlace } from '../catalog/documents/reserved-places.ts'
import { type SettingPath, valueAt } from '../catalog/documents/setting-path.ts'
import { buildTenant, type TenantSurroundings } from '../catalog/documents/tenant-records.ts'
import type { TemplateRecord, TenantRecord } from '../catalog/records.ts'
import { parseTenantName, type TenantName } from '../tenancy/tenant-name.ts'
import { fillInAll, parseTenantPattern, type TenantPattern } from '../tenancy/tenant-pattern.ts'
import type { ProblemReport } from './problem-report.ts'

/** A template and where it stands. */
export interface PlacedTemplate {
  readonly record: TemplateRecord
  readonly path: SettingPath
  /** As it is written, with `{tenant}` in it. */
  readonly value: unknown
}

/** An entry of `tenants` that makes tenants. */
interface WrittenTemplate {
  readonly pattern: TenantPattern
  readonly path: SettingPath
  readonly value: unknown
}

/** With which a template is tried out: what is wrong with it then is wrong with every name. */
const SAMPLE = parseTenantName('tenant') as TenantName

/** The pattern that an entry of `tenants` has in place of a name; `undefined` for a plain tenant. */
export function patternOf(value: unknown): TenantPattern | undefined {
  if (typeof value !== 'object' || value === null || !('name' in value)) return undefined
  return typeof value.name === 'string' ? parseTenantPattern(value.name) : undefined
}

/** A template; `undefined` when something is wrong with it, which is then reported. */
export function buildTemplate(
  { pattern, path, value }: WrittenTemplate,
  surroundings: Omit<TenantSurroundings, 'report'> & { readonly report: ProblemReport },
): PlacedTemplate | undefined {
  const { report } = surroundings
  const entry = report.readSound(tenantSchema, filled(value, SAMPLE), path)
  const sample = entry && buildTenant(entry, path, surroundings)
  if (sample === undefined) return undefined
  const reserved = reservedPlace(sample)
  if (reserved !== undefined) {
    const remedy = 'Write {tenant} where the name of the tenant belongs.'
    report.add([...path, 'name'], { message: `leads every tenant to ${reserved}`, remedy })
  }
  const login = valueAt(value, ['serverLogin', 'user'])
  if (login !== undefined && !String(login).includes('{tenant}')) {
    const remedy = 'Write {tenant} where the name of the tenant belongs.'
    const message = 'would be the server login of every tenant'
    report.add([...path, 'serverLogin', 'user'], { message, remedy })
  }
  const make = (name: TenantName) => makeTenant(name, filled(value, name), surroundings)
  return { record: { pattern, make }, path, value }
}

function makeTenant(
  name: TenantName,
  value: unknown,
  surroundings: Omit<TenantSurroundings, 'report'>,
): TenantRecord | undefined {
  const result = tenantSchema.safeParse(value)
  if (!result.success) return undefined
  const report = new RecordProblems(`tenant ${name}`)
  const record = buildTenant(result.data, [], { ...surroundings, report })
  const isUsable = record !== undefined && report.isEmpty && reservedPlace(record) === undefined
  return isUsable ? Object.freeze(record) : undefined
}

function filled(value: unknown, name: TenantName): unknown {
  return { ...(fillInAll(value, name) as object), name }
}
