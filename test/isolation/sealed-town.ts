import { randomBytes } from 'node:crypto'
import { kitScript } from '../../src/lifecycle/sql-kit/kit-script.ts'
import type { TokenKey } from '../../src/tenancy/tenant-token.ts'
import { type PostgresOptions, type PostgresServer, sql } from '../support/postgres.ts'
import type { PostgresMajor } from '../support/postgres-binaries.ts'
import { type Addressed, startSaas } from '../support/saas.ts'

/** The key of `sealedTown`, as the configuration and the SQL kit take it. */
const TOWN_KEY: TokenKey = { id: 'town', key: randomBytes(32).toString('base64') }

/**
 * The tenants of `startSaas` with Postgres itself between them.
 *
 * @param options - Of the server; see `startSaas`.
 */
export async function startSealedTown(
  major: PostgresMajor,
  options: Omit<PostgresOptions, 'major'> = {},
): Promise<PostgresServer> {
  const server = await startSaas(major, options)
  await sql(server, 'saas', `${SCHEMAS}; SET ROLE pool; ${kitScript('app.tenant_id')}`)
  const key = Buffer.from(TOWN_KEY.key, 'base64').toString('hex')
  await sql(
    server,
    'saas',
    `SET ROLE pool; SELECT pgusher.add_key('${TOWN_KEY.id}', '\\x${key}'); ${ROWS}`,
  )
  return server
}

/** Settings of a proxy with its schema and row tenants, at level `sealed`. */
export function sealedSettings(
  server: Addressed,
  overrides: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const login = (user: string) => ({ user, password: user })
  return {
    isolation: { level: 'sealed', keys: [TOWN_KEY] },
    servers: {
      shared: { url: server.url('saas', login('pool')) },
      rows: { url: server.url('saas', login('app')) },
    },
    tenants: [
      ...['globex', 'hooli'].map((name) => ({
        name,
        strategy: 'schema',
        server: 'shared',
        serverLogin: login(name),
      })),
      { name: 'initech', strategy: 'row', server: 'rows', id: '42' },
      { name: 'initrode', strategy: 'row', server: 'rows', id: '43' },
    ],
    ...overrides,
  }
}

const SCHEMAS = ['globex', 'hooli']
  .map(
    (name) => `
      CREATE ROLE ${name} LOGIN PASSWORD '${name}';
      ALTER SCHEMA tenant_${name} OWNER TO ${name};
      ALTER TABLE tenant_${name}.items OWNER TO ${name}`,
  )
  .concat(
    `CREATE ROLE app LOGIN PASSWORD 'app'`,
    'REVOKE ALL ON SCHEMA public FROM PUBLIC',
    'GRANT USAGE, CREATE ON SCHEMA public TO pool',
    'GRANT USAGE ON SCHEMA public TO app',
  )
  .join(';')

const ROWS = `
  DROP POLICY tenant ON public.items;
  ALTER TABLE public.items ALTER COLUMN tenant_id DROP DEFAULT;
  SELECT pgusher.protect('public.items', 'tenant_id');
  GRANT SELECT, INSERT, UPDATE, DELETE ON public.items TO app`
