import type pg from 'pg'
import type { CatalogEntry, CatalogName, CatalogRow, LoginDocument } from '../entry.ts'

/** A row as JSON, by names of columns; further columns may be there. */
type JsonRow = Readonly<Record<string, unknown>>

/** Columns of `pgusher.tenants` that are settings, and the keys that they have there. */
const TENANT_KEYS = {
  name: 'name',
  id: 'id',
  status: 'status',
  strategy: 'strategy',
  database_url: 'databaseUrl',
  server: 'server',
  server_login: 'serverLogin',
  schema: 'schema',
  search_path: 'searchPath',
  role: 'role',
  users: 'users',
  server_user: 'serverUser',
  auth_query: 'authQuery',
  replication: 'replication',
  settings: 'settings',
  pool: 'pool',
  timeouts: 'timeouts',
  limits: 'limits',
  isolation: 'isolation',
  labels: 'labels',
} as const

const SERVER_KEYS = {
  url: 'url',
  max_connections: 'maxConnections',
  users: 'users',
  server_user: 'serverUser',
  auth_query: 'authQuery',
  isolation: 'isolation',
} as const

/** One statement, so one snapshot: what it finds was true together, in that version. */
const TENANT_QUERY = `
  SELECT state.version AS "asOf", to_jsonb(tenant) AS tenant, to_jsonb(shared) AS server, granted.logins
  FROM pgusher.state
  LEFT JOIN LATERAL (
    SELECT * FROM (
      SELECT * FROM pgusher.tenants WHERE name = $1
      UNION ALL
      SELECT * FROM pgusher.tenants
      WHERE is_template
        AND length($1) >= length(name) - 1
        AND starts_with($1, split_part(name, '*', 1))
        AND right($1, length(split_part(name, '*', 2))) = split_part(name, '*', 2)
    ) AS candidates
    ORDER BY is_template, length(name) DESC, name
    LIMIT 1
  ) AS tenant ON true
  LEFT JOIN pgusher.servers AS shared ON shared.name = tenant.server
  LEFT JOIN LATERAL (
    SELECT array_agg(grants."user" ORDER BY grants."user") AS logins
    FROM pgusher.grants WHERE grants.tenant = tenant.name
  ) AS granted ON true`

const LOGIN_QUERY = `
  SELECT state.version AS "asOf", to_jsonb(login) AS login
  FROM pgusher.state
  LEFT JOIN LATERAL (
    SELECT * FROM pgusher.logins WHERE logins."user" IN ($1, '*')
    ORDER BY logins."user" = '*'
    LIMIT 1
  ) AS login ON true`

interface TenantAnswer {
  readonly asOf: string
  readonly tenant: JsonRow | null
  readonly server: JsonRow | null
  readonly logins: readonly string[] | null
}

interface LoginAnswer {
  readonly asOf: string
  readonly login: JsonRow | null
}

/**
 * Looks a name up in the tables of schema `pgusher`.
 *
 * @throws Error - the schema is not there, or not whole.
 */
export async function readTables(client: pg.Client, name: CatalogName): Promise<CatalogEntry> {
  return name.kind === 'tenant' ? readTenant(client, name.name) : readLogin(client, name.name)
}

/** @throws Error - the schema is not there, or not whole. */
export async function checkTables(client: pg.Client): Promise<void> {
  const { rows } = await client.query('SELECT version FROM pgusher.state')
  onlyRow(rows)
}

/** Prepared once a connection, as planning takes longer than reading. */
async function readTenant(client: pg.Client, name: string): Promise<CatalogEntry> {
  const query = { name: 'tenant', text: TENANT_QUERY, values: [name] }
  const { rows } = await client.query<TenantAnswer>(query)
  const { asOf: version, tenant, server, logins } = onlyRow(rows)
  const asOf = Number(version)
  if (tenant === null) return { kind: 'absent', asOf }
  const document = {
    tenant: rowOf(tenant, settingsOf(tenant, TENANT_KEYS)),
    server: server === null ? undefined : rowOf(server, serverSettings(server)),
    logins: logins ?? [],
  }
  return { kind: 'tenant', asOf, document }
}

async function readLogin(client: pg.Client, user: string): Promise<CatalogEntry> {
  const query = { name: 'login', text: LOGIN_QUERY, values: [user] }
  const { rows } = await client.query<LoginAnswer>(query)
  const { asOf: version, login } = onlyRow(rows)
  const asOf = Number(version)
  if (login === null) return { kind: 'absent', asOf }
  return { kind: 'login', asOf, document: loginOf(login) }
}

function loginOf(row: JsonRow): LoginDocument {
  return {
    user: row['user'] as string,
    version: row['version'] as number,
    secret: (row['secret'] as string | null) ?? undefined,
    hasAllTenants: row['has_all_tenants'] === true,
  }
}

function rowOf(row: JsonRow, settings: CatalogRow['settings']): CatalogRow {
  return {
    name: row['name'] as string,
    version: row['version'] as number,
    settings,
    secrets: row['secrets'] as CatalogRow['secrets'],
    secretsVersion: row['secrets_version'] as number,
  }
}

function serverSettings(row: JsonRow): CatalogRow['settings'] {
  const size = row['pool_size'] ?? undefined
  return { ...settingsOf(row, SERVER_KEYS), ...(size === undefined ? {} : { pool: { size } }) }
}

function settingsOf(row: JsonRow, keys: Readonly<Record<string, string>>): CatalogRow['settings'] {
  return Object.fromEntries(
    Object.entries(keys)
      .map(([column, key]) => [key, row[column] ?? undefined] as const)
      .filter(([, value]) => value !== undefined),
  )
}

function onlyRow<Row>(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('pgusher.state has lost its row')
  return row
}
