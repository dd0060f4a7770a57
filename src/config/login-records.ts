import type { LoginSecret } from '../catalog/login.ts'
import type { LoginRecord } from '../catalog/records.ts'
import { parseTenantName } from '../tenancy/tenant-name.ts'
import { md5Hash } from '../wire/md5.ts'
import { deriveVerifier, parseVerifier } from '../wire/scram.ts'
import type { Finding } from './config-errors.ts'
import { nearestName } from './nearest-name.ts'
import type { ProblemReport } from './problem-report.ts'
import type { LoginEntry } from './record-schema.ts'
import type { SettingPath } from './setting-path.ts'
import type { SettingGroups } from './settings-schema.ts'

export type AuthMethod = SettingGroups['auth']['method']

/** What the logins are checked against. */
export interface LoginSurroundings {
  /** `undefined` when the setting is wrong. */
  readonly method: AuthMethod | undefined
  /** Names of all entries of `tenants`, also of those that have problems. */
  readonly tenantNames: ReadonlySet<string>
  readonly report: ProblemReport
}

/** An entry, or `undefined` in place of one that has problems. */
type MaybeEntry = LoginEntry | undefined

/** Plain passwords end here: what comes out can only check one. */
export function buildLogins(
  entries: readonly MaybeEntry[],
  { method, tenantNames, report }: LoginSurroundings,
): LoginRecord[] {
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
    const tenants = readGrants(entry, path, { tenantNames, report })
    const secret = method === undefined ? ({ kind: 'none' } as const) : readSecret(entry, method)
    if ('remedy' in secret) report.add([...path, 'password'], secret)
    else records.push({ user: entry.user, secret, tenants })
  }
  return records
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
    const nearest = nearestName(text, tenantNames)
    const remedy = nearest === undefined ? 'Add it to tenants.' : `Did you mean ${nearest}?`
    report.add([...path, 'tenants', index], { message: `there is no tenant '${text}'`, remedy })
    return []
  })
}

function readSecret({ user, password }: LoginEntry, method: AuthMethod): LoginSecret | Finding {
  if (password === undefined) return secretOfNone(method)
  if (password.startsWith('SCRAM-SHA-256$')) return readVerifier(password, method)
  const [, hash] = /^md5([0-9a-f]{32})$/.exec(password) ?? []
  if (hash !== undefined) return readHash(hash, method)
  return method === 'md5'
    ? { kind: 'md5', hash: md5Hash(password, user) }
    : { kind: 'scram', verifier: deriveVerifier(password) }
}

function secretOfNone(method: AuthMethod): LoginSecret | Finding {
  if (method === 'trust') return { kind: 'none' }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of references
  const remedy = "Add it, such as '${env:APP_PASSWORD}'; only auth.method trust does without."
  return { message: 'is missing', remedy }
}

function readVerifier(text: string, method: AuthMethod): LoginSecret | Finding {
  const verifier = parseVerifier(text)
  if (verifier === undefined) {
    const remedy = 'Copy it whole from pg_authid.rolpassword; its $ signs must not be expanded.'
    return { message: 'begins like a SCRAM verifier and is none', remedy }
  }
  if (method !== 'md5') return { kind: 'scram', verifier }
  const remedy = 'Set auth.method to scram-sha-256, or give the plain password or its md5 hash.'
  return { message: "is a SCRAM verifier, which auth.method md5 can't use", remedy }
}

function readHash(hash: string, method: AuthMethod): LoginSecret | Finding {
  if (method !== 'scram-sha-256') return { kind: 'md5', hash }
  const remedy = 'Give the plain password or a SCRAM verifier, or set auth.method to md5.'
  return { message: "is an md5 hash, which auth.method scram-sha-256 can't use", remedy }
}
