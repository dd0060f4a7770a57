import type { TenantRecord } from '../records.ts'
import type { AuthQuery, ServerTarget } from '../route.ts'
import type { Problems } from './problems.ts'
import type { RecordDefaults } from './record-defaults.ts'
import type { ServerEntry, TenantEntry } from './record-schema.ts'
import type { ServerTlsReader } from './server-tls.ts'
import { parseServerUrl } from './server-url.ts'
import type { SettingPath } from './setting-path.ts'

/** Whom a server sees, and whom it may be asked about. */
export type ServerAccess = Pick<TenantRecord, 'users' | 'serverUser' | 'authQuery'>

type AccessEntry = Pick<ServerEntry | TenantEntry, 'users' | 'serverUser' | 'authQuery'>

interface UrlSurroundings {
  readonly report: Problems
  readonly tlsReader: ServerTlsReader
}

interface AccessSurroundings extends UrlSurroundings {
  /** Of the entry's own URL. */
  readonly target: ServerTarget
  readonly settings: RecordDefaults
}

/** Reads the keys that a server and a tenant with a database of its own have in common. */
export function buildAccess(
  entry: AccessEntry,
  path: SettingPath,
  surroundings: AccessSurroundings,
): ServerAccess {
  const { settings, report } = surroundings
  const { users = {}, serverUser = 'route' } = entry
  if (serverUser === 'client' && settings.auth.method === 'md5') {
    const message = 'can not be client: what clients prove by md5 is no use to a server'
    const remedy = 'Set auth.method to scram-sha-256, or name server users in users.'
    report.add([...path, 'serverUser'], { message, remedy })
  }
  return {
    users: Object.entries(users).map(([login, { user, password }]) => ({ login, user, password })),
    serverUser,
    authQuery: readAuthQuery(entry, [...path, 'authQuery'], surroundings),
  }
}

function readAuthQuery(
  { authQuery }: AccessEntry,
  path: SettingPath,
  surroundings: AccessSurroundings,
): AuthQuery | undefined {
  if (authQuery === undefined) return undefined
  const { url, ...others } = authQuery
  const own =
    url === undefined ? surroundings.target : readTarget(url, [...path, 'url'], surroundings)
  return own && { ...others, target: own }
}

/** The target that a URL names; `undefined` when something is wrong, which is then reported. */
export function readTarget(
  url: string,
  path: SettingPath,
  { report, tlsReader }: UrlSurroundings,
): ServerTarget | undefined {
  const result = parseServerUrl(url, tlsReader)
  if (result.kind === 'target') return result.target
  report.add(path, result.finding)
  return undefined
}
