import { nearestName } from '../base/nearest-name.ts'
import { readSecret } from '../catalog/documents/login-secret.ts'
import type { LoginEntry } from '../catalog/documents/record-schema.ts'
import type { SettingPath } from '../catalog/documents/setting-path.ts'
import { ANY_USER, type AuthMethod } from '../catalog/login.ts'
import type { LoginRecord, TenantRecord } from '../catalog/records.ts'
import { parseTenantName } from '../tenancy/tenant-name.ts'
import type { ProblemReport } from './problem-report.ts'
import type { TenantNames } from './tenant-names.ts'
import type { PlacedTenant } from './tenant-overlaps.ts'

/** What the logins are checked against. */
export interface LoginSurroundings {
  /** `undefined` when the setting is wrong. */
  readonly method: AuthMethod | undefined
  readonly tenantNames: TenantNames
  /** Those without problems. */
  readonly tenants: readonly PlacedTenant[]
  readonly report: ProblemReport
}

/** An entry, or `undefined` in place of one that has problems. */
type MaybeEntry = LoginEntry | undefined

/** Plain passwords end here: what comes out can only check one. */
export function buildLogins(
  entries: readonly MaybeEntry[],
  surroundings: LoginSurroundings,
): LoginRecord[] {
  const { report } = surroundings
  const records: LoginRecord[] = []
  const firstPaths = new Map<string, SettingPath>()
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined) continue
    const path = ['logins', index]
    const first = firstPaths.get(entry.user)
    if (first !== undefined) {
      const message = `'${entry.user}' is already a login, at ${report.placeOf(first)}`
      report.add([...path, 'user'], { message, remedy: 'Remove one of the two.' })
    }
    firstPaths.set(entry.user, [...path, 'user'])
    const record = buildLogin(entry, path, surroundings)
    if (record !== undefined) records.push(record)
  }
  if (!entries.includes(undefined)) checkServerUsers(new Set(firstPaths.keys()), surroundings)
  return records
}

function buildLogin(
  entry: LoginEntry,
  path: SettingPath,
  surroundings: LoginSurroundings,
): LoginRecord | undefined {
  const { method, report } = surroundings
  const { user } = entry
  const tenants = readGrants(entry, path, surroundings)
  if (method === undefined) return { user, secret: { kind: 'none' }, tenants }
  const granted = grantedRecords(tenants, surroundings)
  const canAsk = granted.some((record) => record === undefined || record.authQuery !== undefined)
  const passesOn = granted.find((record) => record !== undefined && isPassedOn(user, record))
  const secret = readSecret(entry, { method, canAsk, passesOn: passesOn?.name })
  if (!('remedy' in secret)) return { user, secret, tenants }
  report.add([...path, 'password'], secret)
  return undefined
}

/** The tenants that a login may act for; `undefined` in place of those that have problems. */
function grantedRecords(
  grants: LoginRecord['tenants'],
  { tenantNames, tenants }: LoginSurroundings,
): readonly (TenantRecord | undefined)[] {
  const records = new Map<string, TenantRecord>(
    tenants.map(({ record }) => [record.name, record] as const),
  )
  return [...(grants === '*' ? tenantNames.listed : grants)].map((name) => records.get(name))
}

/** Whether what the login proves is shown to the tenant's server. */
function isPassedOn(login: string, { serverUser, users }: TenantRecord): boolean {
  return serverUser === 'client' && !users.some((entry) => entry.login === login)
}

/** A misspelt login would get the server user of all the others. */
function checkServerUsers(
  logins: ReadonlySet<string>,
  { tenants, report }: LoginSurroundings,
): void {
  if (logins.has(ANY_USER)) return
  for (const { record, path } of tenants) {
    const place = record.server === undefined ? path : ['servers', record.server]
    for (const { login } of record.users) {
      if (logins.has(login)) continue
      const nearest = nearestName(login, logins)
      const remedy = nearest === undefined ? 'Add it to logins.' : `Did you mean ${nearest}?`
      report.add(
        [...place, 'users', login],
        { message: `there is no login '${login}'`, remedy },
        'key',
      )
    }
  }
}

function readGrants(
  { tenants }: LoginEntry,
  path: SettingPath,
  { tenantNames, report }: Pick<LoginSurroundings, 'tenantNames' | 'report'>,
): LoginRecord['tenants'] {
  if (tenants === '*') return '*'
  return tenants.flatMap((text, index) => {
    const name = tenantNames.has(text) ? parseTenantName(text) : undefined
    if (name !== undefined) return name
    const nearest = nearestName(text, tenantNames.listed)
    const remedy = nearest === undefined ? 'Add it to tenants.' : `Did you mean ${nearest}?`
    report.add([...path, 'tenants', index], { message: `there is no tenant '${text}'`, remedy })
    return []
  })
}
