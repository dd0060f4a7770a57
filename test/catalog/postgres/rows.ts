import { ENVELOPE, VERIFIER } from './catalog-fixture.ts'

export type Columns = Readonly<Record<string, unknown>>
export type Table = 'servers' | 'tenants' | 'logins' | 'grants'
/** A row, over one of the good ones, and the constraint that refuses it. */
export type BadRow = readonly [row: Columns, constraint: string]

export const LONG = 'x'.repeat(64)
export const SHARED_URL = 'postgresql://pool@db:5432/saas'
export const SERVER = { name: 'extra', url: SHARED_URL }
export const DATABASE = {
  name: 'umbrella',
  strategy: 'database',
  database_url: 'postgresql://u@db/u',
}
export const SCHEMA = { name: 'globex', strategy: 'schema', server: 'shared' }
export const ROW = { name: 'initech', strategy: 'row', server: 'shared', id: '42' }

const URLS = [
  'mysql://u@db/d',
  'postgresql://db/d',
  'postgresql://u@db',
  'postgresql://u@db/',
  'postgresql://u@/d',
  'postgresql://u@a,b/d',
  'postgresql://u@db:0/d',
  'postgresql://u@db:65536/d',
  'postgresql://u@db/d?password=x',
  'postgresql://u@db/d?sslmode=require&user=x',
  'postgresql://u%@db/d',
  'host=db dbname=d',
]

const AUTH_QUERIES = [
  [],
  { other: 1 },
  { url: 5 },
  { url: 'postgresql://u:pw@db/d' },
  { url: 'db' },
  { query: 'SELECT 1' },
  { query: 'SELECT $12' },
  { cacheMs: -1 },
  { timeoutMs: 0 },
  { maxConnections: 101 },
  { maxConnections: '1' },
]

const USERS = [
  [],
  { app: 'owner' },
  { app: {} },
  { app: { user: '' } },
  { app: { user: 5 } },
  { app: { user: 'owner', password: 'hush' } },
  { [LONG]: { user: 'owner' } },
  { app: { user: LONG } },
]

const SECRETS = [
  [],
  { url: 'hush' },
  { url: 5 },
  { url: ENVELOPE.replace('v1', 'v2') },
  { url: ENVELOPE.replace('k1', '') },
  { other: ENVELOPE },
  { 'users.': ENVELOPE },
].map((secrets) => ({ secrets, secrets_version: 1 }))

const UNPLACED = [
  { secrets: { 'users.app': ENVELOPE } },
  { secrets: { 'users.app': ENVELOPE }, users: { web: { user: 'owner' } } },
  { secrets: { 'authQuery.url': ENVELOPE } },
  { secrets: { 'authQuery.url': ENVELOPE }, auth_query: {} },
].map((row) => ({ ...row, secrets_version: 1 }))

const BAD_SERVERS: readonly BadRow[] = [
  [{ name: '' }, 'servers_name_is_not_empty'],
  [{ name: 'shared' }, 'servers_are_told_apart_by_name'],
  ...URLS.map((url) => [{ url }, 'servers_url_is_a_server_url'] as const),
  [{ url: 'postgresql://u:pw@db/d' }, 'servers_url_holds_no_password'],
  [{ pool_size: 0 }, 'servers_pool_size_is_from_1_to_10000'],
  [{ pool_size: 10_001 }, 'servers_pool_size_is_from_1_to_10000'],
  [{ max_connections: 0 }, 'servers_max_connections_is_from_1_to_10000'],
  [{ max_connections: 10_001 }, 'servers_max_connections_is_from_1_to_10000'],
  ...USERS.map(
    (users) => [{ users }, 'servers_users_map_logins_to_users_without_passwords'] as const,
  ),
  [{ server_user: 'owner' }, 'servers_server_user_is_route_or_client'],
  ...AUTH_QUERIES.map(
    (auth_query) => [{ auth_query }, 'servers_auth_query_is_one_without_password'] as const,
  ),
  ...SECRETS.map((row) => [row, 'servers_secrets_are_envelopes_by_place'] as const),
  ...UNPLACED.map((row) => [row, 'servers_secrets_have_places_in_the_row'] as const),
  [
    { secrets: { databaseUrl: ENVELOPE }, secrets_version: 1 },
    'servers_secrets_are_envelopes_by_place',
  ],
  [{ secrets: { url: ENVELOPE } }, 'servers_secrets_version_counts_changes_of_secrets'],
  [{ secrets_version: 1 }, 'servers_secrets_version_counts_changes_of_secrets'],
]

const BAD_DATABASES: readonly BadRow[] = [
  ...['', 'Acme', '-a', 'a-', 'a.b', 'a b', '**', '-*', '*-', LONG, `*${LONG.slice(1)}x`].map(
    (name) => [{ name }, 'tenants_name_is_a_tag_or_a_pattern'] as const,
  ),
  [{ name: 'acme' }, 'tenants_are_told_apart_by_name'],
  [{ id: '' }, 'tenants_id_is_not_empty'],
  [{ status: 'gone' }, 'tenants_status_is_active_or_suspended'],
  [{ strategy: 'table' }, 'tenants_are_of_strategy_database_schema_or_row'],
  [{ database_url: null }, 'tenants_of_strategy_database_have_a_database_url'],
  ...URLS.map(
    (database_url) => [{ database_url }, 'tenants_database_url_is_a_server_url'] as const,
  ),
  [{ database_url: 'postgresql://u:pw@db/d' }, 'tenants_database_url_holds_no_password'],
  ...['postgresql://acme@DB/acme', 'postgres://acme@db:5432/acme?sslmode=require'].map(
    (database_url) => [{ database_url }, 'tenants_have_a_database_and_login_of_their_own'] as const,
  ),
  [{ server: 'shared' }, 'tenants_server_is_for_strategy_schema_or_row'],
  [{ schema: 's' }, 'tenants_schema_is_for_strategy_schema'],
  [{ search_path: ['a'] }, 'tenants_search_path_is_for_strategy_schema_or_row'],
  [{ role: '' }, 'tenants_role_is_a_name'],
  [{ role: LONG }, 'tenants_role_is_a_name'],
  ...USERS.map(
    (users) => [{ users }, 'tenants_users_map_logins_to_users_without_passwords'] as const,
  ),
  [{ server_user: 'owner' }, 'tenants_server_user_is_route_or_client'],
  ...AUTH_QUERIES.map(
    (auth_query) => [{ auth_query }, 'tenants_auth_query_is_one_without_password'] as const,
  ),
  [{ replication: 'all' }, 'tenants_replication_is_none_database_or_physical'],
  ...SECRETS.map((row) => [row, 'tenants_secrets_are_envelopes_by_place'] as const),
  ...UNPLACED.map((row) => [row, 'tenants_secrets_have_places_in_the_row'] as const),
  [{ secrets: { databaseUrl: ENVELOPE } }, 'tenants_secrets_version_counts_changes_of_secrets'],
  ...[[], { 'a b': 'x' }, { work_mem: null }, { work_mem: {} }].map(
    (settings) => [{ settings }, 'tenants_settings_are_values_by_name'] as const,
  ),
  ...['role', 'SESSION_AUTHORIZATION', 'pgusher.tenant'].map(
    (name) => [{ settings: { [name]: 'x' } }, 'tenants_settings_leave_the_link_alone'] as const,
  ),
  ...[
    [],
    { other: 1 },
    { mode: 'statement' },
    { mode: null },
    { size: 0 },
    { size: 1.5 },
    { size: '5' },
    { pins: 'maybe' },
    { carriedSettings: 'a' },
    { carriedSettings: ['a b'] },
    { carriedSettings: [5] },
  ].map((pool) => [{ pool }, 'tenants_pool_is_as_in_the_configuration'] as const),
  ...[[], { other: 1 }, { waitMs: -1 }, { queryMs: '5s' }, { queryMs: 2_147_483_648 }].map(
    (timeouts) => [{ timeouts }, 'tenants_timeouts_are_milliseconds'] as const,
  ),
  ...[[], { other: 1 }, { maxClients: -1 }, { maxReplication: 1_000_001 }].map(
    (limits) => [{ limits }, 'tenants_limits_are_from_0_to_1000000'] as const,
  ),
  ...[[], 'x', { plan: 5 }].map(
    (labels) => [{ labels }, 'tenants_labels_are_texts_by_name'] as const,
  ),
  [{ name: 'eu-*' }, 'tenants_templates_keep_their_tenants_apart'],
]

const BAD_SCHEMAS: readonly BadRow[] = [
  [{ database_url: SHARED_URL }, 'tenants_database_url_is_for_strategy_database'],
  [{ server: null }, 'tenants_of_strategy_schema_or_row_have_a_server'],
  [{ server: 'nowhere' }, 'tenants_server_is_in_servers'],
  [{ schema: '' }, 'tenants_schema_is_a_name_of_1_to_63_bytes'],
  [{ schema: 'é'.repeat(32) }, 'tenants_schema_is_a_name_of_1_to_63_bytes'],
  [{ name: 'x'.repeat(57) }, 'tenants_schema_is_a_name_of_1_to_63_bytes'],
  ...['pg_temp', '$user', 'information_schema'].map(
    (schema) => [{ schema }, 'tenants_schema_is_none_of_postgres'] as const,
  ),
  [{ search_path: [''] }, 'tenants_search_path_is_of_names'],
  [{ search_path: [null] }, 'tenants_search_path_is_of_names'],
  [{ search_path: [['a'], ['b']] }, 'tenants_search_path_is_of_names'],
  [{ schema: 'tenant_hooli' }, 'tenants_have_a_schema_of_their_own'],
  [{ search_path: ['tenant_hooli'] }, 'tenants_see_no_schema_and_no_rows_of_others'],
  [{ schema: 'common' }, 'tenants_see_no_schema_and_no_rows_of_others'],
  [{ schema: 'public' }, 'tenants_see_no_schema_and_no_rows_of_others'],
  [{ server: 'alias', schema: 'tenant_hooli' }, 'tenants_see_no_schema_and_no_rows_of_others'],
  [{ users: {} }, 'tenants_users_are_for_strategy_database'],
  [{ server_user: 'route' }, 'tenants_server_user_is_for_strategy_database'],
  [{ auth_query: {} }, 'tenants_auth_query_is_for_strategy_database'],
  [{ replication: 'database' }, 'tenants_replication_is_for_strategy_database'],
  [{ settings: { Search_Path: 'x' } }, 'tenants_settings_leave_the_link_alone'],
  [{ pool: { size: 5 } }, 'tenants_pool_size_is_for_a_pool_of_their_own'],
  [
    { secrets: { databaseUrl: ENVELOPE }, secrets_version: 1 },
    'tenants_secrets_are_for_strategy_database_or_server_login',
  ],
  [{ name: 'eu-*', schema: 'one' }, 'tenants_templates_keep_their_tenants_apart'],
]

const BAD_ROWS: readonly BadRow[] = [
  [{ schema: 's' }, 'tenants_schema_is_for_strategy_schema'],
  [{ id: '43' }, 'tenants_have_an_id_of_their_own'],
  [{ id: '43', server: 'alias' }, 'tenants_see_no_schema_and_no_rows_of_others'],
  [{ search_path: ['tenant_hooli'] }, 'tenants_see_no_schema_and_no_rows_of_others'],
  [{ name: '*' }, 'tenants_templates_keep_their_tenants_apart'],
]

const BAD_LOGINS: readonly BadRow[] = [
  [{ user: '' }, 'logins_user_is_a_name_of_1_to_63_bytes'],
  [{ user: LONG }, 'logins_user_is_a_name_of_1_to_63_bytes'],
  [{ user: 'known' }, 'logins_are_told_apart_by_user'],
  [{ user: '*', secret: VERIFIER }, 'logins_user_star_has_no_secret'],
  ...['hush', '', 'md5hush', `md5${'A'.repeat(32)}`, VERIFIER.slice(0, -1), ` ${VERIFIER}`].map(
    (secret) => [{ secret }, 'logins_secret_is_a_scram_verifier_or_an_md5_hash'] as const,
  ),
]

const BAD_GRANTS: readonly BadRow[] = [
  [{ user: 'nobody' }, 'grants_user_is_in_logins'],
  [{ tenant: 'nowhere' }, 'grants_tenant_is_in_tenants'],
  [{ tenant: 'hooli' }, 'grants_are_given_once'],
]

/** Each of its parts has what the tables above look for. */
export const NEIGHBOURS: readonly (readonly [Table, Columns])[] = [
  ['servers', { name: 'shared', url: 'postgresql://pool@db/saas' }],
  ['servers', { name: 'alias', url: 'postgresql://other@DB:5432/saas?sslmode=require' }],
  ['tenants', { name: 'acme', strategy: 'database', database_url: 'postgresql://acme@db/acme' }],
  ['tenants', { name: 'hooli', strategy: 'schema', server: 'shared', search_path: ['common'] }],
  ['tenants', { name: 'initrode', strategy: 'row', server: 'shared', id: '43' }],
  ['logins', { user: 'known', secret: VERIFIER }],
  ['grants', { user: 'known', tenant: 'hooli' }],
]

/** Rows that are as full as they can be. */
export const GOOD: readonly (readonly [Table, Columns])[] = [
  [
    'servers',
    {
      ...SERVER,
      pool_size: 10_000,
      users: { app: { user: 'owner' }, '*': { user: 'x' } },
      server_user: 'client',
      auth_query: {
        url: SHARED_URL,
        query: 'SELECT $1',
        cacheMs: 0,
        timeoutMs: 1,
        maxConnections: 100,
      },
      secrets: { url: ENVELOPE, 'authQuery.url': ENVELOPE, 'users.app': ENVELOPE },
      secrets_version: 1,
    },
  ],
  [
    'tenants',
    {
      ...DATABASE,
      id: '7',
      status: 'suspended',
      role: 'r',
      users: { app: { user: 'owner' } },
      server_user: 'client',
      auth_query: {},
      replication: 'physical',
      settings: { 'app.plan': 'gold', work_mem: 64, jit: false, search_path: 'x' },
      pool: { mode: 'session', size: 5, pins: 'refuse', carriedSettings: ['app.user'] },
      timeouts: { waitMs: 0, idleClientMs: 1, idleInTransactionMs: 2, queryMs: 2_147_483_647 },
      limits: { maxClients: 0, maxReplication: 1_000_000 },
      labels: { plan: 'gold' },
      secrets: { databaseUrl: ENVELOPE, 'users.app': ENVELOPE },
      secrets_version: 1,
    },
  ],
  ...[
    'postgres://u@[::1]:5432/d',
    'postgresql://u@/d?host=/var/run&sslmode=verify-full',
    'postgresql://u%40x:@db:/d%20x',
  ].map((database_url) => ['tenants', { ...DATABASE, database_url }] as const),
  ['tenants', { ...SCHEMA, schema: 'mine', search_path: ['shared', 'common'] }],
  ['tenants', ROW],
  ['tenants', { ...SCHEMA, name: 'eu-*' }],
  ['tenants', { ...SCHEMA, name: '*-eu', schema: '{tenant}_data' }],
  ['tenants', { ...ROW, name: '*', id: 'id-{tenant}' }],
  ['tenants', { ...DATABASE, name: 'a*b', database_url: 'postgresql://u@db/{tenant}' }],
  ['logins', { user: '*' }],
  ['logins', { user: 'some user 7', secret: `md5${'0a'.repeat(16)}`, has_all_tenants: true }],
  ['logins', { user: 'short', secret: VERIFIER }],
  ['grants', { user: 'known', tenant: 'acme' }],
]

export const BAD: readonly (readonly [Table, Columns, readonly BadRow[]])[] = [
  ['servers', SERVER, BAD_SERVERS],
  ['tenants', DATABASE, BAD_DATABASES],
  ['tenants', SCHEMA, BAD_SCHEMAS],
  ['tenants', ROW, BAD_ROWS],
  ['logins', { user: 'new' }, BAD_LOGINS],
  ['grants', { user: 'known', tenant: 'acme' }, BAD_GRANTS],
]
