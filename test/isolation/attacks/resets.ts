import { type Attack, bound, type Ground, READ } from './attack.ts'

/** RESET in every spelling leads to nobody, never to somebody else. */
const RESETS: Readonly<Record<string, (ground: Ground) => string>> = {
  RESET: (g) => `RESET ${g.setting}`,
  'RESET of a quoted name': (g) => `RESET ${g.setting.replace(/(\w+)$/, '"$1"')}`,
  'RESET with comments': (g) => `/**/rEsEt--\n${g.setting}/**/`,
  'SET to DEFAULT': (g) => `SET ${g.setting} TO DEFAULT`,
  'SET = DEFAULT': (g) => `SET SESSION ${g.setting} = DEFAULT`,
  'SET FROM CURRENT': (g) => `SET ${g.setting} FROM CURRENT`,
  'SET to nothing': (g) => `SET ${g.setting} = ''`,
  'RESET ALL': () => 'RESET ALL',
  'DISCARD ALL': () => 'DISCARD ALL',
  'RESET ALL in a block': () => 'BEGIN; RESET ALL; COMMIT',
  'RESET in a DO block': (g) => `DO $$BEGIN EXECUTE 'RES' || 'ET ${g.setting}'; END$$`,
  'RESET ALL in a DO block': () => `DO $$BEGIN EXECUTE 'RESET ' || 'ALL'; END$$`,
  'RESET that is rolled back': (g) => `BEGIN; RESET ${g.setting}; ROLLBACK`,
}

/** The tenant of a session is the proxy's to change. */
const PGUSHER: readonly (readonly [string, Attack['acts']])[] = [
  ['SET pgusher.tenant', (g) => [`SET pgusher.tenant = '${tenantOf(g)}'`, READ]],
  [
    'SET LOCAL pgusher.tenant',
    (g) => [`BEGIN; SET LOCAL pgusher.tenant = '${tenantOf(g)}'; ${READ}; COMMIT`],
  ],
  [
    'set_config of pgusher.tenant',
    (g) => [`SELECT set_config('pgusher.tenant', '${tenantOf(g)}', false)`, READ],
  ],
  [
    'SET pgusher.tenant by the extended protocol',
    (g) => [bound(`SET pgusher.tenant = '${tenantOf(g)}'`), READ],
  ],
  [
    'another tenant in options',
    (g) => [{ login: { options: `-c pgusher.tenant=${tenantOf(g)}` } }, READ],
  ],
  ['another tenant as a parameter', (g) => [{ login: { tenant: tenantOf(g) } }, READ]],
  ['the setting in options', (g) => [{ login: { options: `-c ${g.setting}=${g.theirs}` } }, READ]],
  ['the setting as a parameter', (g) => [{ login: { [g.setting]: g.theirs } }, READ]],
  ['the role in options', (g) => [{ login: { options: `-c role=${g.theirRole}` } }, READ]],
]

function tenantOf({ theirs }: Ground): string {
  return theirs.replace('tenant_', '').replace('id-of-', '')
}

export const RESETTING: readonly Attack[] = Object.entries(RESETS).map(([name, text]) => ({
  name,
  strategy: 'both',
  aim: 'read',
  acts: (ground) => [`${text(ground)}`, READ],
  stoppedBy: 'convenience',
}))

export const SWITCHING: readonly Attack[] = PGUSHER.map(([name, acts]) => ({
  name,
  strategy: 'both',
  aim: 'read',
  acts,
  stoppedBy: 'convenience',
}))

/** Where sessions take a role of the tenant, the server login behind it may do more. */
const TAKEN: Readonly<Record<string, (ground: Ground) => string>> = {
  'RESET ROLE': () => 'RESET ROLE',
  'SET ROLE NONE': () => 'SET ROLE NONE',
  'SET ROLE to the role of the victim': (g) => `SET ROLE ${g.theirRole}`,
  'SET LOCAL ROLE': (g) => `BEGIN; SET LOCAL ROLE ${g.theirRole}`,
  'SET "role"': () => `SET "role" = 'none'`,
  'SET role TO DEFAULT': () => 'SET role TO DEFAULT',
  'RESET "role"': () => 'RESET "role"',
  'SET SESSION AUTHORIZATION': (g) => `SET SESSION AUTHORIZATION ${g.login}`,
  'SET SESSION AUTHORIZATION DEFAULT': () => 'SET SESSION AUTHORIZATION DEFAULT',
  'RESET SESSION AUTHORIZATION': () => 'RESET SESSION AUTHORIZATION',
  'RESET session_authorization': () => 'RESET session_authorization',
  'set_config of the role': () => `SELECT set_config('role', 'none', false)`,
  'set_config of the role, put together': () => `SELECT set_config('ro' || 'le', 'none', false)`,
  'set_config of the session authorization': (g) =>
    `SELECT set_config('session_authorization', '${g.login}', false)`,
}

const IN_VAIN: typeof TAKEN = {
  'nothing but the name': () => 'SELECT 1',
  pg_settings: () => `UPDATE pg_settings SET setting = 'none' WHERE name = 'role'`,
}

const HIDDEN_ROLES: Readonly<Record<string, (ground: Ground) => string>> = {
  'a DO block': () => `DO $$BEGIN EXECUTE 'RESET ' || 'ROLE'; END$$`,
  query_to_xml: () =>
    `SELECT query_to_xml('SELECT set_' || 'config(''role'', ''none'', false)', true, true, '')`,
}

function taking(texts: typeof TAKEN, stoppedBy: Attack['stoppedBy']): readonly Attack[] {
  return Object.entries(texts).map(([name, text]) => ({
    name: `role: ${name}`,
    strategy: 'schema',
    aim: 'read',
    acts: (ground) => [`${text(ground)}; SELECT note FROM ${ground.theirItems}`],
    stoppedBy,
    withRole: true,
  }))
}

export const TAKING_ROLES: readonly Attack[] = [
  ...taking(IN_VAIN, 'convenience'),
  ...taking(TAKEN, 'guarded'),
  ...taking(HIDDEN_ROLES, 'sealed'),
]
