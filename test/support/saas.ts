import { type PostgresOptions, type PostgresServer, sql, startPostgres } from './postgres.ts'
import type { PostgresMajor } from './postgres-binaries.ts'

/**
 * A Postgres server with the tenants that tests are about; see `saasSettings`.
 *
 * @param options - Of the server; everybody is asked for a SCRAM proof unless they say otherwise.
 */
export async function startSaas(
  major: PostgresMajor,
  options: Omit<PostgresOptions, 'major'> = {},
): Promise<PostgresServer> {
  const server = await startPostgres({ major, auth: 'scram-sha-256', ...options })
  await sql(server, 'postgres', `CREATE ROLE pool LOGIN PASSWORD 'pool'`)
  for (const tenant of ['acme', 'umbrella']) {
    await sql(server, 'postgres', `CREATE ROLE ${tenant} LOGIN PASSWORD '${tenant}'`)
    await sql(server, 'postgres', `CREATE DATABASE ${tenant} OWNER ${tenant}`)
    await sql(
      server,
      tenant,
      `${ITEMS}; INSERT INTO items VALUES (1, '${tenant}'); ALTER TABLE items OWNER TO ${tenant}; GRANT ALL ON SCHEMA public TO ${tenant}`,
    )
  }
  await sql(server, 'postgres', 'CREATE DATABASE saas OWNER pool')
  await sql(server, 'saas', SHARED)
  return server
}

/** A server that can be found. */
export type Addressed = Pick<PostgresServer, 'url'>

/** Settings of a proxy with six tenants, two of each strategy, over that server. */
export function saasSettings(
  server: Addressed,
  overrides: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const login = (user: string) => ({ user, password: user })
  return {
    servers: { shared: { url: server.url('saas', login('pool')) } },
    tenants: [
      ...['acme', 'umbrella'].map((name) => ({
        name,
        strategy: 'database',
        databaseUrl: server.url(name, login(name)),
      })),
      { name: 'globex', strategy: 'schema', server: 'shared' },
      { name: 'hooli', strategy: 'schema', server: 'shared' },
      { name: 'initech', strategy: 'row', server: 'shared', id: '42' },
      { name: 'initrode', strategy: 'row', server: 'shared', id: '43' },
    ],
    ...overrides,
  }
}

/** Two tenants of each strategy, as `items.owner` names them. */
export const PAIRS = [
  { strategy: 'database', first: 'acme', second: 'umbrella' },
  { strategy: 'schema', first: 'globex', second: 'hooli' },
  { strategy: 'row', first: 'initech', second: 'initrode' },
] as const

const ITEMS = 'CREATE TABLE items (id int, owner text)'

const SHARED = `
  SET ROLE pool;
  CREATE SCHEMA tenant_globex;
  CREATE TABLE tenant_globex.items (id int, owner text);
  INSERT INTO tenant_globex.items VALUES (1, 'globex');
  CREATE SCHEMA tenant_hooli;
  CREATE TABLE tenant_hooli.items (id int, owner text);
  INSERT INTO tenant_hooli.items VALUES (1, 'hooli');
  CREATE TABLE public.items (id int, owner text, tenant_id text DEFAULT current_setting('app.tenant_id'));
  INSERT INTO public.items VALUES (1, 'initech', '42'), (1, 'initrode', '43');
  ALTER TABLE public.items ENABLE ROW LEVEL SECURITY;
  ALTER TABLE public.items FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON public.items USING (tenant_id = current_setting('app.tenant_id', true));
`
