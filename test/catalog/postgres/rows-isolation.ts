import { ENVELOPE } from './catalog-fixture.ts'
import {
  type BadRow,
  type Columns,
  DATABASE,
  LONG,
  ROW,
  SCHEMA,
  SERVER,
  type Table,
} from './rows.ts'

const ISOLATIONS = [[], 'sealed', { other: 1 }, { level: 'seald' }, { level: null }]

const SERVER_LOGINS = [
  [],
  'own',
  {},
  { user: '' },
  { user: 5 },
  { user: LONG },
  { user: 'acme', password: 'hush' },
]

const SEALED = { isolation: { level: 'sealed' } }
const SECRETS = { secrets: { serverLogin: ENVELOPE }, secrets_version: 1 }

const BAD_SERVERS: readonly BadRow[] = [
  ...ISOLATIONS.map((isolation) => [{ isolation }, 'servers_isolation_is_a_level'] as const),
  [SECRETS, 'servers_secrets_are_envelopes_by_place'],
  [{ url: 'postgresql://own@db/other' }, 'tenants_share_their_server_logins_with_nobody'],
  [{ users: { app: { user: 'own' } } }, 'tenants_share_their_server_logins_with_nobody'],
]

const BAD_DATABASES: readonly BadRow[] = [
  ...ISOLATIONS.map((isolation) => [{ isolation }, 'tenants_isolation_is_a_level'] as const),
  [{ isolation: { level: 'guarded' } }, 'tenants_of_strategy_database_are_sealed'],
  [{ server_login: { user: 'o' } }, 'tenants_server_login_is_for_strategy_schema_or_row'],
  [SECRETS, 'tenants_server_login_has_a_place_for_its_secret'],
]

const BAD_SCHEMAS: readonly BadRow[] = [
  [SEALED, 'tenants_sealed_in_a_schema_have_a_server_login'],
  [
    { ...SEALED, server_login: { user: 'o' }, role: 'r' },
    'tenants_sealed_in_a_schema_or_row_have_no_role',
  ],
  ...SERVER_LOGINS.map(
    (server_login) =>
      [{ server_login }, 'tenants_server_login_is_a_user_without_password'] as const,
  ),
  [{ server_login: { user: 'own' } }, 'tenants_have_a_server_login_of_their_own'],
  ...[
    { server: 'alias', server_login: { user: 'own' } },
    { server_login: { user: 'pool' } },
    { server_login: { user: 'other' } },
    { server_login: { user: 'reader' } },
  ].map((row) => [row, 'tenants_share_their_server_logins_with_nobody'] as const),
  [SECRETS, 'tenants_server_login_has_a_place_for_its_secret'],
  [
    { name: 'eu-*', server_login: { user: 'one' } },
    'tenants_of_templates_have_server_logins_of_their_own',
  ],
]

const BAD_ROWS: readonly BadRow[] = [
  [{ ...SEALED, role: 'r' }, 'tenants_sealed_in_a_schema_or_row_have_no_role'],
  [{ ...SEALED, id: 'é'.repeat(129) }, 'tenants_sealed_in_rows_have_an_id_of_1_to_256_bytes'],
]

/** Beside those of \`rows.ts\`: whose server logins the rows below want. */
export const LOGIN_NEIGHBOURS: readonly (readonly [Table, Columns])[] = [
  [
    'servers',
    { name: 'third', url: 'postgresql://third@db/else', users: { app: { user: 'reader' } } },
  ],
  [
    'tenants',
    { name: 'vandelay', strategy: 'row', server: 'shared', server_login: { user: 'own' } },
  ],
]

export const GOOD_ISOLATION: readonly (readonly [Table, Columns])[] = [
  ['servers', { ...SERVER, url: 'postgresql://own@far/saas', ...SEALED }],
  [
    'tenants',
    {
      ...SCHEMA,
      ...SEALED,
      ...SECRETS,
      server_login: { user: 'tenant_globex' },
      pool: { size: 3 },
    },
  ],
  ['tenants', { ...ROW, ...SEALED }],
  ['tenants', { ...ROW, isolation: {}, server_login: { user: 'tenant_initech' } }],
  ['tenants', { ...DATABASE, ...SEALED }],
  ['tenants', { ...SCHEMA, name: 'us-*', ...SEALED, server_login: { user: 't_{tenant}' } }],
]

export const BAD_ISOLATION: readonly (readonly [Table, Columns, readonly BadRow[]])[] = [
  ['servers', SERVER, BAD_SERVERS],
  ['tenants', DATABASE, BAD_DATABASES],
  ['tenants', SCHEMA, BAD_SCHEMAS],
  ['tenants', ROW, BAD_ROWS],
]
