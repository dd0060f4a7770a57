import type { Client } from 'pg'
import t from 'tap'
import {
  columnOf,
  fieldOf,
  KitDatabase,
  MAJORS,
  present,
  processIdOf,
  startKitServer,
  tenantOf,
} from './kit-fixture.ts'

const TABLES = `
  CREATE TABLE items (id int PRIMARY KEY, note text, tenant_id text);
  CREATE INDEX ON items (tenant_id);
  CREATE TABLE orders (id int, item int REFERENCES items (id), tenant_id text);
  CREATE TABLE lists (id int, tenant_id text, PRIMARY KEY (tenant_id, id));
  CREATE TABLE entries (list int, tenant_id text,
    FOREIGN KEY (tenant_id, list) REFERENCES lists (tenant_id, id));
  CREATE VIEW all_items AS SELECT * FROM items;
  SELECT pgusher.protect('items', 'tenant_id'), pgusher.protect('orders', 'tenant_id'),
    pgusher.protect('lists', 'tenant_id'), pgusher.protect('entries', 'tenant_id');
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
`

/** What a hostile tenant tries, and how Postgres refuses it. */
const REFUSED = [
  ['read the keys', 'SELECT * FROM pgusher.kit_keys', '42501'],
  ['copy the keys', 'COPY pgusher.kit_keys TO STDOUT', '42501'],
  ['write a key', `INSERT INTO pgusher.kit_keys VALUES ('x', '', '')`, '42501'],
  ['lock the keys', 'BEGIN; LOCK TABLE pgusher.kit_keys', '42501'],
  ['add a key', `SELECT pgusher.add_key('x', sha256(''))`, '42501'],
  ['expire a key', `SELECT pgusher.expire_key('first')`, '42501'],
  ['unprotect a table', `SELECT pgusher.unprotect('items')`, '42501'],
  ['switch row security off', 'ALTER TABLE items DISABLE ROW LEVEL SECURITY', '42501'],
  ['drop the policy', 'DROP POLICY pgusher_tenant ON items', '42501'],
  ['add a policy', 'CREATE POLICY mine ON items USING (true)', '42501'],
  ['read past row security', 'SET row_security = off; SELECT * FROM items', '42501'],
  ['truncate', 'TRUNCATE items', '42501'],
  [
    'put a trigger on a table',
    `CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TRIGGER spy BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION spy()`,
    '42501',
  ],
  ['refer to a table', 'CREATE TABLE mine (item int REFERENCES items (id))', '42501'],
  [
    'replace tenant_id()',
    `CREATE OR REPLACE FUNCTION pgusher.tenant_id() RETURNS text LANGUAGE sql AS $$SELECT 'globex'$$`,
    '42501',
  ],
  [
    'overload tenant_id()',
    `CREATE FUNCTION pgusher.tenant_id(x int DEFAULT 1) RETURNS text LANGUAGE sql AS $$SELECT 'globex'$$`,
    '42501',
  ],
  ['rename tenant_id()', 'ALTER FUNCTION pgusher.tenant_id() RENAME TO x', '42501'],
  ['change its path', 'ALTER FUNCTION pgusher.tenant_id() SET search_path = public', '42501'],
  ['drop the schema', 'DROP SCHEMA pgusher CASCADE', '42501'],
  ['become the owner', 'SET ROLE owner', '42501'],
  ['call itself the owner', 'SET SESSION AUTHORIZATION owner', '42501'],
  ['grant itself the owner', 'GRANT owner TO app', '42501'],
  ['pass row security by', 'ALTER ROLE app BYPASSRLS', '42501'],
  [
    'make a leakproof function',
    `CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS 'SELECT true'`,
    '42501',
  ],
  ['keep the setting for all its sessions', `ALTER ROLE app SET app.tenant_id = 'x'`, '42501'],
  ['insert for another', `INSERT INTO items VALUES (50, 'x', 'globex')`, '42501'],
  ['insert for nobody', `INSERT INTO items VALUES (50, 'x', NULL)`, '42501'],
  ['give a row away', `UPDATE items SET tenant_id = 'globex'`, '42501'],
  [
    'insert for another, and return it',
    `INSERT INTO items VALUES (50, 'x', 'globex') RETURNING *`,
    '42501',
  ],
  [
    'change the row of another in a conflict',
    `INSERT INTO items VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET note = 'stolen' RETURNING *`,
    '42501',
  ],
  [
    'merge a row for another',
    `MERGE INTO items USING (VALUES (50)) AS v(id) ON items.id = v.id
     WHEN NOT MATCHED THEN INSERT VALUES (50, 'x', 'globex')`,
    '42501',
  ],
  [
    'give a row away by a merge',
    `MERGE INTO items USING (VALUES (1)) AS v(id) ON items.id = v.id
     WHEN MATCHED THEN UPDATE SET tenant_id = 'globex'`,
    '42501',
  ],
  ['copy rows in', `COPY items FROM STDIN`, '0A000'],
] as const

/** Whatever goes first, these give rows of `acme` and nobody else's. */
const SHOWN = [
  'SELECT tenant_id FROM items',
  'SELECT tenant_id FROM all_items',
  'SELECT max(tenant_id) FROM items HAVING count(*) > 0',
  'SELECT i.tenant_id FROM items i JOIN items j ON true',
  'SELECT tenant_id FROM items WHERE tenant_id = pgusher.tenant_id()',
  'SELECT tenant_id FROM items FOR UPDATE',
  `SELECT tenant_id FROM items WHERE tenant_id = 'globex' OR true`,
  `WITH moved AS (UPDATE items SET note = note RETURNING tenant_id) SELECT * FROM moved`,
  `SELECT (xpath('//tenant_id/text()', query_to_xml('SELECT * FROM items', true, false, '')))[1]::text`,
  `SELECT unnest(array_agg(tenant_id)) FROM (TABLE items) AS t`,
]

/** What goes first. */
const ATTACKS = [
  { name: 'nothing', sql: '' },
  {
    name: 'a temporary table named like the keys',
    sql: `CREATE TEMP TABLE kit_keys (id text, inner_pad bytea, outer_pad bytea, expires_at timestamptz);
      SET search_path = pg_temp, public`,
  },
  {
    name: 'functions and operators that shadow those of Postgres',
    sql: `CREATE SCHEMA shadow; GRANT USAGE ON SCHEMA shadow TO PUBLIC;
      CREATE FUNCTION shadow.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$SELECT ''::bytea$$;
      CREATE FUNCTION shadow.tenant_id() RETURNS text LANGUAGE sql AS $$SELECT 'globex'$$;
      CREATE FUNCTION shadow.always(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
      CREATE OPERATOR shadow.= (LEFTARG = text, RIGHTARG = text, FUNCTION = shadow.always);
      CREATE FUNCTION shadow.always(bytea, bytea) RETURNS boolean LANGUAGE sql AS 'SELECT true';
      CREATE OPERATOR shadow.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = shadow.always);
      SET search_path = shadow, public, pg_catalog`,
  },
  {
    name: 'a setting that is always a stolen token',
    sql: `CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO PUBLIC;
      CREATE FUNCTION other.current_setting(text, boolean) RETURNS text LANGUAGE sql
        AS $$SELECT 'globex'$$;
      SET search_path = other, public, pg_catalog`,
  },
  {
    name: 'a function with the rights of its maker, and a view',
    sql: `CREATE FUNCTION pg_temp.peek() RETURNS SETOF items LANGUAGE sql SECURITY DEFINER
        AS 'SELECT * FROM public.items'`,
  },
  { name: 'plans of prepared statements', sql: 'SET plan_cache_mode = force_generic_plan' },
  {
    name: 'parallel workers',
    sql: `SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0;
      SET parallel_tuple_cost = 0; SET enable_indexscan = off; SET enable_bitmapscan = off;
      SET parallel_leader_participation = off;
      SELECT set_config(name, 'on', false) FROM pg_settings
        WHERE name IN ('force_parallel_mode', 'debug_parallel_query')`,
  },
]

const KITS = await Promise.all(
  MAJORS.map(async (major) => {
    const server = await startKitServer(major)
    const database = await KitDatabase.create(server, 'hostile')
    await database.asSuperuser('GRANT CREATE, TEMPORARY ON DATABASE hostile TO app')
    await database.owner.query(TABLES)
    for (const [index, tenant] of ['acme', 'globex'].entries()) {
      const client = await database.tenant(tenant)
      await client.query(`INSERT INTO items VALUES (${index + 1}, 'note of ${tenant}')`)
      await client.query('INSERT INTO lists VALUES ($1)', [index + 1])
    }
    return { major, database }
  }),
)
t.teardown(() => Promise.all(KITS.map(({ database }) => database.end())))

for (const { major, database } of KITS) {
  for (const [name, text, code] of REFUSED) {
    t.test(`${major}: a tenant can not ${name}`, async (t) => {
      const acme = await database.tenant('acme')
      await t.rejects(acme.query(text), { code })
      t.strictSame(await everything(acme), ['note of acme'])
    })
  }

  for (const { name, sql } of ATTACKS) {
    t.test(`${major}: a tenant sees its own rows behind ${name}`, async (t) => {
      const acme = await database.tenant('acme')
      await acme.query(sql)
      for (const statement of SHOWN) {
        t.strictSame(await columnOf(acme, statement), ['acme'], statement)
      }
      const forgeries = [
        'globex',
        '',
        `676c6f626578.9999999999999.${'0'.repeat(32)}.first.${'0'.repeat(64)}`,
      ]
      for (const forged of forgeries) {
        await acme.query(`SELECT pg_catalog.set_config('app.tenant_id', $1, false)`, [forged])
        t.strictSame(await columnOf(acme, 'SELECT note FROM public.items'), [], forged)
      }
      await acme.query('RESET ALL')
      t.strictSame(await columnOf(acme, 'SELECT note FROM public.items'), [])
    })
  }

  t.test(`${major}: functions of a tenant see no rows of others go by`, async (t) => {
    const acme = await database.tenant('acme')
    const seen: unknown[] = []
    acme.on('notice', ({ message }) => seen.push(message))
    await acme.query(
      `CREATE FUNCTION pg_temp.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
         AS $$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$;
       CREATE FUNCTION pg_temp.same(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
         AS $$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$;
       CREATE OPERATOR pg_temp.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.same)`,
    )
    await acme.query('SELECT * FROM items WHERE pg_temp.peek(note)')
    await acme.query(`SELECT * FROM items WHERE note OPERATOR(pg_temp.===) 'x'`)
    await acme.query('UPDATE items SET id = id WHERE pg_temp.peek(note)')
    await acme.query('SELECT 1 / (id - 2) FROM items')
    t.strictSame(seen, ['note of acme', 'note of acme', 'note of acme'])
  })

  t.test(`${major}: statistics of a protected table are not shown`, async (t) => {
    await database.asSuperuser('ANALYZE public.items')
    const acme = await database.tenant('acme')
    t.strictSame(await columnOf(acme, `SELECT * FROM pg_stats WHERE tablename = 'items'`), [])
  })

  t.test(`${major}: what is copied out or deleted is the tenant's own`, async (t) => {
    const acme = await database.tenant('acme')
    await acme.query('INSERT INTO items VALUES (11, NULL), (12, NULL)')
    const deleted = await acme.query('DELETE FROM items WHERE id > 10 OR id = 2 RETURNING id')
    t.strictSame(deleted.rows, [{ id: 11 }, { id: 12 }])
    const merged = await acme.query(
      `MERGE INTO items USING (VALUES (2)) AS v(id) ON items.id = v.id
       WHEN MATCHED THEN UPDATE SET note = 'stolen'`,
    )
    t.equal(merged.rowCount, 0)
    t.strictSame(await everything(await database.tenant('globex')), ['note of globex'])
  })

  t.test(
    `${major}: a token is read by others where it stands in a statement, and only there`,
    async (t) => {
      const acme = await database.tenant('acme')
      const globex = await database.connect('app')
      const token = await database.token(globex, 'globex')
      const processId = await processIdOf(globex)
      const statement = `SELECT query AS value FROM pg_stat_activity WHERE pid = ${processId}`
      await globex.query(`SELECT set_config('app.tenant_id', '${token}', false)`)
      const stolen = /[0-9a-f]+\.[^']+/.exec(String(await fieldOf(acme, statement)))?.[0]
      t.equal(stolen, token)
      await present(acme, token)
      t.equal(await tenantOf(acme), null, 'worth nothing elsewhere')
      await present(globex, token)
      t.equal(await tenantOf(globex), 'globex')
      await present(globex, token)
      t.equal(await fieldOf(acme, statement), `SELECT set_config('app.tenant_id', $1, false)`)
    },
  )

  // Documented as what the kit does not stop, with what does.
  t.test(
    `${major}: keys tell that a row is there, unless the tenant is part of them`,
    async (t) => {
      const acme = await database.tenant('acme')
      await t.rejects(acme.query(`INSERT INTO items VALUES (2)`), { code: '23505' })
      const skipped = await acme.query('INSERT INTO items VALUES (2) ON CONFLICT DO NOTHING')
      t.equal(skipped.rowCount, 0)
      await acme.query('INSERT INTO orders VALUES (1, 2)')
      await t.rejects(acme.query('INSERT INTO orders VALUES (1, 99)'), { code: '23503' })
      await t.rejects(acme.query('INSERT INTO entries VALUES (2)'), { code: '23503' })
      await acme.query('INSERT INTO lists VALUES (2)')
      await acme.query('INSERT INTO entries VALUES (2)')
      t.strictSame(await columnOf(acme, 'SELECT list FROM entries'), [2])
    },
  )
}

async function everything(client: Client): Promise<unknown[]> {
  await client.query('ROLLBACK')
  return columnOf(client, `SELECT note FROM public.items`)
}
