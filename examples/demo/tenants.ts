import { type PostgresServer, sql } from '../../test/support/postgres.ts'

/** A tenant of the demo, and the orders that it has before anybody has come. */
export interface DemoTenant {
  readonly name: string
  readonly strategy: 'database' | 'schema' | 'row'
  /** What rows carry; only `row` tenants have one. */
  readonly id?: string
  readonly items: readonly string[]
}

/** Each has another number of orders, so that seeing somebody else's can't go unnoticed. */
export const TENANTS: readonly DemoTenant[] = [
  { name: 'acme', strategy: 'database', items: ['anvil', 'rocket skates', 'giant magnet'] },
  { name: 'umbrella', strategy: 'database', items: ['rain coat', 'first aid kit'] },
  { name: 'globex', strategy: 'schema', items: ['hammock', 'map', 'sunglasses', 'sugar'] },
  { name: 'hooli', strategy: 'schema', items: ['box'] },
  {
    name: 'initech',
    strategy: 'row',
    id: '42',
    items: ['red stapler', 'cake', 'mug', 'tie', 'fax'],
  },
  {
    name: 'initrode',
    strategy: 'row',
    id: '43',
    items: ['server', 'rack', 'lamp', 'desk', 'chair', 'plant'],
  },
]

/** The database that schema and row tenants share, and the login that PgUsher has there. */
export const SHARED = { database: 'saas', user: 'pool', password: 'pool' } as const

/** `owner` is the demo's witness: it says for whom a row was written, and no query asks for it. */
const COLUMNS = 'id bigint GENERATED ALWAYS AS IDENTITY, item text NOT NULL, owner text NOT NULL'

/** Makes databases, schemas and tables as an operator would, and fills them. */
export async function createTenants(server: PostgresServer): Promise<void> {
  const { database, user, password } = SHARED
  await sql(server, 'postgres', `CREATE ROLE ${user} LOGIN PASSWORD '${password}'`)
  await sql(server, 'postgres', `CREATE DATABASE ${database} OWNER ${user}`)
  await sql(server, database, rowTable())
  for (const tenant of TENANTS) {
    if (tenant.strategy === 'database') await createDatabase(server, tenant)
    else if (tenant.strategy === 'schema') await sql(server, database, schemaTable(tenant))
    else await sql(server, database, insert('public.orders', tenant))
  }
}

/**
 * Counts the rows of every tenant where they lie, as the superuser and past PgUsher.
 *
 * @returns the owners' names of all rows found in a tenant's place, with their number.
 */
export async function lookBelow(
  server: PostgresServer,
  tenant: DemoTenant,
): Promise<ReadonlyMap<string, number>> {
  const rows = await sql(
    server,
    tenant.strategy === 'database' ? tenant.name : SHARED.database,
    `SELECT owner, count(*)::int AS orders FROM ${placeOf(tenant)} GROUP BY owner`,
  )
  return new Map(rows.map(({ owner, orders }) => [String(owner), Number(orders)]))
}

function placeOf({ name, strategy, id }: DemoTenant): string {
  if (strategy === 'database') return 'public.orders'
  if (strategy === 'schema') return `tenant_${name}.orders`
  return `public.orders WHERE tenant_id = '${id}'`
}

async function createDatabase(server: PostgresServer, tenant: DemoTenant): Promise<void> {
  const { name } = tenant
  await sql(server, 'postgres', `CREATE ROLE ${name} LOGIN PASSWORD '${name}'`)
  await sql(server, 'postgres', `CREATE DATABASE ${name} OWNER ${name}`)
  await sql(
    server,
    name,
    `CREATE TABLE public.orders (${COLUMNS});
     ALTER TABLE public.orders OWNER TO ${name};
     ${insert('public.orders', tenant)}`,
  )
}

function schemaTable(tenant: DemoTenant): string {
  const schema = `tenant_${tenant.name}`
  return `
    CREATE SCHEMA ${schema} AUTHORIZATION ${SHARED.user};
    CREATE TABLE ${schema}.orders (${COLUMNS});
    ALTER TABLE ${schema}.orders OWNER TO ${SHARED.user};
    ${insert(`${schema}.orders`, tenant)}`
}

/** FORCE: the login that owns the table is bound by the policy as well. */
function rowTable(): string {
  return `
    CREATE TABLE public.orders (
      ${COLUMNS},
      tenant_id text NOT NULL DEFAULT current_setting('app.tenant_id')
    );
    ALTER TABLE public.orders OWNER TO ${SHARED.user};
    ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
    ALTER TABLE public.orders FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON public.orders
      USING (tenant_id = current_setting('app.tenant_id', true));`
}

function insert(table: string, { name, id, items }: DemoTenant): string {
  const idColumn = id === undefined ? '' : ', tenant_id'
  const idValue = id === undefined ? '' : `, '${id}'`
  const rows = items.map((item) => `('${item}', '${name}'${idValue})`)
  return `INSERT INTO ${table} (item, owner${idColumn}) VALUES ${rows.join(', ')};`
}
