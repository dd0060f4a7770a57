import type { IsolationLevel } from '../../tenancy/isolation.ts'
import { isTokenId } from '../../tenancy/tenant-token.ts'
import type { ServerTarget } from '../route.ts'
import type { Finding, Problems } from './problems.ts'
import type { RecordDefaults } from './record-defaults.ts'
import type { TenantEntry } from './record-schema.ts'
import type { ServerAccess } from './server-access.ts'
import type { SettingPath } from './setting-path.ts'

/** What a shared server means for the isolation of its tenants. */
export interface SharedAccess {
  /** `undefined` when its entry has problems. */
  readonly target: ServerTarget | undefined
  /** `undefined` when the target is. */
  readonly access: ServerAccess | undefined
  /** Of its tenants that do not say their own; `undefined`: as everywhere. */
  readonly isolation: IsolationLevel | undefined
}

/** What a tenant's level is decided by, and held against. */
interface IsolationSurroundings {
  readonly settings: RecordDefaults
  readonly report: Problems
  /** `undefined` for a tenant with a database of its own. */
  readonly shared: SharedAccess | undefined
}

/** The level of a tenant; what it asks for and the tenant has not is reported. */
export function readIsolation(
  entry: TenantEntry,
  path: SettingPath,
  surroundings: IsolationSurroundings,
): IsolationLevel {
  const { settings, report, shared } = surroundings
  const own = entry.isolation?.level
  if (entry.strategy !== 'database') {
    const level = own ?? shared?.isolation ?? settings.isolation.level
    if (level === 'sealed') checkSealed(entry, path, surroundings)
    return level
  }
  if (own !== undefined && own !== 'sealed') report.add([...path, 'isolation', 'level'], OPEN)
  return 'sealed'
}

/** Reports what a tenant in a shared database lacks for Postgres itself to keep it apart. */
function checkSealed(
  entry: TenantEntry,
  path: SettingPath,
  { settings, report, shared }: IsolationSurroundings,
): void {
  const add = (key: string, finding: Finding) => report.add([...path, key], finding)
  // SQL leaves a role by RESET ROLE: what counts is what the server login may do.
  if (entry.role !== undefined) add('role', ROLE)
  if (entry.strategy === 'schema') {
    if (entry.serverLogin === undefined) add('serverLogin', NO_LOGIN)
    else if (shared?.access?.serverUser === 'client') add('serverLogin', clientsOn(entry.server))
    return
  }
  if (settings.isolation.keys.length === 0) report.add(['isolation', 'keys'], NO_KEYS)
  if (!isTokenId(entry.id ?? entry.name)) add('id', NO_TOKEN)
}

/** Reports a server login that is not of this tenant alone, as far as its server tells. */
export function checkServerLogin(
  { server, serverLogin }: TenantEntry,
  path: SettingPath,
  { report, shared }: Omit<IsolationSurroundings, 'settings'>,
): void {
  if (serverLogin === undefined || shared?.target === undefined) return
  const users = [shared.target, ...(shared.access?.users ?? [])].map(({ user }) => user)
  if (!users.includes(serverLogin.user)) return
  const message = `'${serverLogin.user}' is a login that servers.${server} has for all of its tenants`
  const remedy = 'Give the tenant a server login that nobody else has.'
  report.add([...path, 'serverLogin', 'user'], { message, remedy })
}

const OPEN: Finding = {
  message: 'can be nothing but sealed for a tenant with a database and login of its own',
  remedy: 'Remove it: Postgres itself keeps databases apart.',
}
const ROLE: Finding = {
  message: 'does not go with level sealed: SQL can RESET ROLE',
  remedy: 'Remove it, and give the server login the rights of that role alone.',
}
const NO_LOGIN: Finding = {
  message: 'is missing: at level sealed a schema is kept by a server login of its own',
  remedy: 'Add serverLogin, of a login that owns this schema alone, or set the level to guarded.',
}
const NO_KEYS: Finding = {
  message: 'is empty, and there is a row tenant of level sealed, which needs signed tokens',
  remedy: 'Add a key that the database knows by pgusher kit key add, or set the level to guarded.',
}
const NO_TOKEN: Finding = {
  message: 'is an id that no token can hold',
  remedy: 'Use 1 to 256 bytes of text, or set the level to guarded.',
}

/** A client called as the tenant's login is would be that login, and may act for others. */
function clientsOn(server: string | undefined): Finding {
  const message = `is no login of this tenant alone where servers.${server}.serverUser is client`
  const remedy = 'Set that to route, and name server users in its users.'
  return { message, remedy }
}
