import type { Client } from 'pg'
import t, { type Test } from 'tap'
import { columnOf, fieldOf, KitDatabase, MAJORS, startKitServer } from './kit-fixture.ts'

const A_UUID = '0b7e6d9c-1234-4abc-8def-0123456789ab'
const B_UUID = '0b7e6d9c-1234-4abc-8def-0123456789ac'

/** Types that a tenant column may have, two ids for each, and others that mean nobody. */
const TYPES = [
  { type: 'text', ids: ['acme', 'é.😀'], nobody: [] },
  { type: 'text COLLATE "C"', ids: ['a', 'A'], nobody: [] },
  { type: 'varchar(10)', ids: ['0123456789', '012345678'], nobody: ['0123456789x'] },
  { type: 'uuid', ids: [A_UUID, B_UUID], nobody: [A_UUID.toUpperCase(), 'x'] },
  { type: 'bigint', ids: ['9223372036854775807', '-1'], nobody: ['9223372036854775808', '01'] },
  { type: 'integer', ids: ['42', '0'], nobody: ['9223372036854775807', '+42', '4.2', '-0'] },
  { type: 'smallint', ids: ['42', '43'], nobody: ['65578', ' 42'] },
  { type: 'short_name', ids: ['a', 'b'], nobody: ['toolongforthat'] },
]

/** What can't be protected, and what is said. */
const REFUSALS = [
  { name: 'no such table', make: '', code: '42P01' },
  { name: 'no such column', make: 'CREATE TABLE x (id int)', code: '42703' },
  { name: 'a view', make: `CREATE VIEW x AS SELECT 'a' AS tenant_id`, code: '42809' },
  {
    name: 'a materialized view',
    make: `CREATE MATERIALIZED VIEW x AS SELECT 'a' AS tenant_id`,
    code: '42809',
  },
  { name: 'a temporary table', make: 'CREATE TEMP TABLE x (tenant_id text)', code: '42809' },
  { name: 'a column of blanks', make: 'CREATE TABLE x (tenant_id char(9))', code: '42804' },
  { name: 'a column of JSON', make: 'CREATE TABLE x (tenant_id jsonb)', code: '42804' },
  {
    name: 'an identity column',
    make: 'CREATE TABLE x (tenant_id int GENERATED ALWAYS AS IDENTITY)',
    code: '42809',
  },
  {
    name: 'a column without regard to case',
    make: `CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE x (tenant_id text COLLATE nocase)`,
    code: '42804',
  },
  {
    name: 'a partition',
    make: `CREATE TABLE whole (tenant_id text) PARTITION BY LIST (tenant_id);
      CREATE TABLE x PARTITION OF whole DEFAULT`,
    code: '42809',
  },
]

const KITS = await Promise.all(
  MAJORS.map(async (major) => {
    const server = await startKitServer(major)
    return { major, server, database: await KitDatabase.create(server, 'protect') }
  }),
)
t.teardown(() => Promise.all(KITS.map(({ database }) => database.end())))

/** Tables of `owner`, which `app` may read and write. */
async function make(owner: Client, text: string): Promise<void> {
  await owner.query(text)
  await owner.query('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app')
}

async function dropAll(owner: Client): Promise<void> {
  await owner.query(
    'DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO app',
  )
}

for (const { major, database } of KITS) {
  const { owner } = database

  for (const { type, ids, nobody } of TYPES) {
    t.test(`${major}: ${type}: each tenant its rows`, async (t) => {
      await owner.query('CREATE DOMAIN short_name AS varchar(5)')
      await make(owner, `CREATE TABLE items (id int, tenant_id ${type})`)
      await owner.query(`SELECT pgusher.protect('items', 'tenant_id')`)
      t.strictSame(await problemsOf(owner), [])
      const clients = await Promise.all(ids.map((id) => database.tenant(id)))
      for (const client of clients) await client.query('INSERT INTO items VALUES (1), (2)')
      for (const [index, client] of clients.entries()) {
        t.strictSame(await columnOf(client, 'SELECT DISTINCT tenant_id::text FROM items'), [
          ids[index],
        ])
        t.equal(await fieldOf(client, 'SELECT count(*)::int AS value FROM items'), 2)
      }
      for (const id of nobody) {
        const client = await database.tenant(id)
        t.strictSame(await columnOf(client, 'SELECT tenant_id FROM items'), [], id)
      }
      t.strictSame(await columnOf(owner, 'SELECT * FROM items'), [], 'not even the owner')
      await dropAll(owner)
    })
  }

  for (const { name, make: text, code } of REFUSALS) {
    t.test(`${major}: refuses ${name}`, async (t) => {
      await owner.query(text)
      await t.rejects(owner.query(`SELECT pgusher.protect('x', 'tenant_id')`), { code })
      await owner.query('DROP TABLE IF EXISTS pg_temp.x')
      await dropAll(owner)
    })
  }

  t.test(
    `${major}: refuses a table with a foreign partition, and leaves it as it was`,
    async (t) => {
      await make(
        owner,
        `CREATE TABLE logs (at int, tenant_id text) PARTITION BY RANGE (at);
       CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10)`,
      )
      await database.asSuperuser(
        `CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
       CREATE FOREIGN TABLE public.logs_2 PARTITION OF public.logs FOR VALUES FROM (10) TO (20)
         SERVER files OPTIONS (filename '/dev/null')`,
      )
      await t.rejects(owner.query(`SELECT pgusher.protect('logs', 'tenant_id')`), { code: '42809' })
      t.equal(await fieldOf(owner, 'SELECT count(*)::int AS value FROM pg_policy'), 0)
      t.match(await problemsOf(owner), [
        { object: 'public.logs', problem: 'it has no policy of the kit' },
        { object: 'public.logs_1' },
        { object: 'public.logs_2', problem: 'a foreign table has no row security' },
      ])
      await database.asSuperuser('DROP EXTENSION file_fdw CASCADE')
      await dropAll(owner)
    },
  )

  t.test(`${major}: partitions, and tables that inherit`, async (t) => {
    await make(
      owner,
      `CREATE TABLE logs (at int, tenant_id text) PARTITION BY RANGE (at);
       CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10) PARTITION BY LIST (at);
       CREATE TABLE logs_1_1 PARTITION OF logs_1 DEFAULT;
       CREATE TABLE base (tenant_id text); CREATE TABLE child (more int) INHERITS (base);
       SELECT pgusher.protect('logs', 'tenant_id'), pgusher.protect('base', 'tenant_id')`,
    )
    const [acme, globex] = [await database.tenant('acme'), await database.tenant('globex')]
    for (const table of ['logs', 'logs_1', 'logs_1_1', 'base', 'child']) {
      const row = table.startsWith('logs') ? '(at) VALUES (1)' : 'DEFAULT VALUES'
      await acme.query(`INSERT INTO ${table} ${row}`)
      t.ok((await columnOf(acme, `SELECT tenant_id FROM ${table}`)).length > 0, table)
      t.strictSame(await columnOf(globex, `SELECT tenant_id FROM ${table}`), [], table)
    }
    t.strictSame(await problemsOf(owner), [])
    await make(owner, 'CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (10) TO (20)')
    t.match(await problemsOf(owner), [{ object: 'public.logs_2' }])
    await owner.query(`SELECT pgusher.protect('logs', 'tenant_id')`)
    t.strictSame(await problemsOf(owner), [])
    await dropAll(owner)
  })

  t.test(`${major}: twice is once, another column takes over, and it can be undone`, async (t) => {
    await make(owner, `CREATE TABLE items (id int DEFAULT 7, tenant_id text, "Other" text)`)
    const before = await shapeOf(owner, 'items')
    await owner.query(`SELECT pgusher.protect('items', 'tenant_id')`)
    const once = await shapeOf(owner, 'items')
    await owner.query(`SELECT pgusher.protect('public.items', 'tenant_id')`)
    t.strictSame(await shapeOf(owner, 'items'), once)
    await owner.query(`SELECT pgusher.protect('items', 'Other')`)
    const acme = await database.tenant('acme')
    t.strictSame((await acme.query('INSERT INTO items DEFAULT VALUES RETURNING *')).rows, [
      { id: 7, tenant_id: null, Other: 'acme' },
    ])
    await owner.query(`SELECT pgusher.unprotect('items')`)
    t.strictSame(await shapeOf(owner, 'items'), before)
    await owner.query(`SELECT pgusher.unprotect('items')`)
    await dropAll(owner)
  })

  t.test(`${major}: other policies of a table narrow it, and never widen it`, async (t) => {
    await make(
      owner,
      `CREATE TABLE items (id int, tenant_id text);
       ALTER TABLE items ENABLE ROW LEVEL SECURITY;
       CREATE POLICY small ON items USING (id < 10);
       SELECT pgusher.protect('items', 'tenant_id');
       CREATE POLICY everything ON items USING (true)`,
    )
    const [acme, globex] = [await database.tenant('acme'), await database.tenant('globex')]
    await acme.query('INSERT INTO items VALUES (1), (20)')
    t.strictSame(await columnOf(globex, 'SELECT id FROM items'), [])
    await owner.query('DROP POLICY everything ON items')
    t.strictSame(await columnOf(acme, 'SELECT id FROM items'), [1])
    t.strictSame(await problemsOf(owner), [])
    await owner.query(`SELECT pgusher.unprotect('items')`)
    t.same(await shapeOf(owner, 'items'), {
      policies: ['small'],
      row: true,
      force: true,
      defaults: [],
    })
    await dropAll(owner)
  })

  t.test(`${major}: asks for the tenant once a query, and uses the index`, async (t) => {
    await make(
      owner,
      `CREATE TABLE items (id int, tenant_id text); CREATE TABLE numbers (id int, tenant_id int);
       INSERT INTO items SELECT n, n % 500 FROM generate_series(1, 20000) AS n;
       INSERT INTO numbers SELECT n, n % 500 FROM generate_series(1, 20000) AS n;
       CREATE INDEX ON items (tenant_id, id); CREATE INDEX ON numbers (tenant_id, id);
       ANALYZE items, numbers;
       SELECT pgusher.protect('items', 'tenant_id'), pgusher.protect('numbers', 'tenant_id')`,
    )
    const client = await database.tenant('42')
    for (const table of ['items', 'numbers']) await isPlannedWell(t, client, table)
    await dropAll(owner)
  })

  t.test(
    `${major}: workers scan a protected table, and the leader asks for the tenant`,
    async (t) => {
      await make(
        owner,
        `CREATE TABLE items (id int, tenant_id text);
       INSERT INTO items SELECT n, n % 2 FROM generate_series(1, 20000) AS n;
       ANALYZE items; SELECT pgusher.protect('items', 'tenant_id')`,
      )
      const client = await database.tenant('1')
      await client.query(
        `SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0;
       SET parallel_tuple_cost = 0; SET parallel_leader_participation = off`,
      )
      const nodes = await planOf(client, 'SELECT count(*) FROM items')
      t.ok(nodes.some((node) => node['Node Type'] === 'Gather'))
      t.equal(await fieldOf(client, 'SELECT count(*)::int AS value FROM items'), 10_000)
      const asking =
        'SELECT count(*)::int AS value FROM items WHERE tenant_id = pgusher.tenant_id()'
      t.equal(await fieldOf(client, asking), 10_000)
      await dropAll(owner)
    },
  )
}

interface Plan {
  readonly 'Node Type': string
  readonly 'Parent Relationship'?: string
  readonly 'Index Cond'?: string
  readonly 'Actual Loops'?: number
  readonly 'Actual Rows'?: number
  readonly Plans?: readonly Plan[]
}

async function isPlannedWell(t: Test, client: Client, table: string): Promise<void> {
  for (const statement of [
    `SELECT * FROM ${table}`,
    `UPDATE ${table} SET id = id`,
    `DELETE FROM ${table} WHERE id < 0`,
  ]) {
    const nodes = await planOf(client, statement)
    const asked = nodes.filter((node) => node['Parent Relationship'] === 'InitPlan')
    t.ok(asked.length >= 1, `${statement}: an InitPlan`)
    for (const node of asked) t.ok((node['Actual Loops'] ?? 0) <= 1, 'that runs once')
    const scans = nodes.filter((node) => node['Index Cond']?.includes('tenant_id'))
    t.equal(scans.length, 1, `${statement}: an index scan`)
    t.notOk(nodes.some((node) => node['Node Type'] === 'Seq Scan'))
  }
}

async function planOf(client: Client, statement: string): Promise<Plan[]> {
  const { rows } = await client.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`)
  const flat = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(flat)]
  return flat(rows[0]['QUERY PLAN'][0].Plan)
}

async function problemsOf(owner: Client): Promise<unknown[]> {
  return (await owner.query('SELECT * FROM pgusher.unprotected()')).rows
}

/** What `protect` changes. */
async function shapeOf(owner: Client, table: string): Promise<unknown> {
  const { rows } = await owner.query(
    `SELECT relrowsecurity AS row, relforcerowsecurity AS force,
       ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = class.oid ORDER BY 1) AS policies,
       ARRAY(SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = class.oid
             ORDER BY adnum) AS defaults
     FROM pg_class AS class WHERE oid = $1::regclass`,
    [table],
  )
  return rows[0]
}
