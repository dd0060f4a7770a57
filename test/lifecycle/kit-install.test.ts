import t from 'tap'
import { migrate } from '../../src/catalog/postgres/schema/migrate.ts'
import { MIGRATIONS } from '../../src/catalog/postgres/schema/migrations.ts'
import { kitScript } from '../../src/lifecycle/sql-kit/kit-script.ts'
import { sql } from '../support/postgres.ts'
import {
  columnOf,
  connect,
  createDatabase,
  fieldOf,
  KitDatabase,
  MAJORS,
  startKitServer,
  tenantBy,
  tenantOf,
} from './kit-fixture.ts'

const SCRIPT = kitScript('app.tenant_id')

/** What `unprotected` says of things that were done to a protected table. */
const OPENINGS = [
  { text: 'DROP POLICY pgusher_tenant ON items', problem: 'it has no policy of the kit' },
  { text: 'ALTER TABLE items NO FORCE ROW LEVEL SECURITY', problem: 'row security is not forced' },
  { text: 'ALTER TABLE items DISABLE ROW LEVEL SECURITY', problem: 'row security is off' },
  {
    text: 'ALTER POLICY pgusher_tenant ON items USING (true)',
    problem: 'its policy was changed',
  },
  { text: 'ALTER POLICY pgusher_tenant ON items TO owner', problem: 'its policy was changed' },
  {
    text: `ALTER POLICY pgusher_tenant ON items USING (tenant_id = (SELECT pgusher.tenant_id()) OR true)
      WITH CHECK (tenant_id = (SELECT pgusher.tenant_id()) OR true)`,
    problem: 'its policy was changed',
  },
  {
    text: `ALTER POLICY pgusher_tenant ON items USING (coalesce('x', tenant_id) = (SELECT pgusher.tenant_id()))
      WITH CHECK (coalesce('x', tenant_id) = (SELECT pgusher.tenant_id()))`,
    problem: 'its policy was changed',
  },
  { text: 'GRANT TRUNCATE ON items TO app', problem: /^app may truncate it/ },
  { text: 'GRANT TRIGGER ON items TO PUBLIC', problem: /^everybody may put triggers on it/ },
  { text: 'GRANT REFERENCES ON items TO app', problem: /^app may refer by foreign keys/ },
  { text: 'ALTER TABLE items OWNER TO passing', problem: /its owner passing passes row security/ },
  {
    text: 'CREATE VIEW seen AS SELECT * FROM items; ALTER VIEW seen OWNER TO passing',
    object: 'public.seen',
    problem: /passes row security by/,
  },
  {
    text: `CREATE VIEW inner_view AS SELECT * FROM items; CREATE VIEW seen AS SELECT * FROM inner_view;
      ALTER VIEW seen OWNER TO passing`,
    object: 'public.seen',
    problem: /passes row security by/,
  },
  {
    text: 'CREATE MATERIALIZED VIEW seen AS SELECT * FROM items',
    object: 'public.seen',
    problem: /materialized view/,
  },
  {
    text: `CREATE FUNCTION seen() RETURNS SETOF items LANGUAGE sql SECURITY DEFINER AS 'TABLE items';
      ALTER FUNCTION seen() OWNER TO passing`,
    object: 'public.seen()',
    problem: /passing, who passes row security by/,
  },
  { text: 'CREATE TABLE more (tenant_id int)', object: 'public.more', problem: /no policy/ },
  {
    text: 'GRANT passing TO app',
    object: 'app',
    problem: 'it may act for passing, who passes row security by',
  },
  { text: 'ALTER ROLE app BYPASSRLS', object: 'app', problem: 'it passes row security by' },
  { text: 'ALTER ROLE app SUPERUSER', object: 'app', problem: 'it is a superuser' },
  {
    text: 'GRANT owner TO app',
    object: 'app',
    problem: 'it may act for owner, who owns public.items',
  },
]

/** What is fine. */
const CLOSED = [
  'SELECT 1',
  'SET ROLE owner; CREATE VIEW seen AS SELECT * FROM items',
  `CREATE VIEW seen WITH (security_invoker = true) AS SELECT * FROM items;
   ALTER VIEW seen OWNER TO passing`,
  'CREATE POLICY more ON items USING (true)',
  'SET quote_all_identifiers = on',
]

const servers = await Promise.all(MAJORS.map(startKitServer))
for (const server of servers) await sql(server, 'postgres', 'CREATE ROLE passing BYPASSRLS')

for (const [index, server] of servers.entries()) {
  const major = MAJORS[index]

  t.test(`${major}: installed again, it keeps keys and tables`, async (t) => {
    const database = await KitDatabase.create(server, 'again')
    const { owner } = database
    await owner.query(`CREATE TABLE items (tenant_id text); GRANT ALL ON items TO app;
      SELECT pgusher.protect('items', 'tenant_id')`)
    const acme = await database.tenant('acme')
    await acme.query('INSERT INTO items DEFAULT VALUES')
    await owner.query(SCRIPT)
    t.strictSame(await columnOf(acme, 'SELECT tenant_id FROM items'), ['acme'])
    await owner.query(kitScript('other.tenant'))
    t.equal(await tenantOf(acme), null, 'another setting')
    await acme.query(`SELECT set_config('other.tenant', $1, false)`, [
      await database.token(acme, 'b'),
    ])
    t.equal(await tenantOf(acme), 'b')
    await owner.query(kitScript('my.ten$$ant$$'))
    await acme.query(`SELECT set_config('my.ten$$ant$$', $1, false)`, [
      await database.token(acme, 'c'),
    ])
    t.equal(await tenantOf(acme), 'c')
    await database.end()
  })

  t.test(`${major}: stands beside the catalog, whichever comes first`, async (t) => {
    for (const name of ['catalog_first', 'kit_first']) {
      await createDatabase(server, name)
      const owner = await connect(server, name, 'owner')
      if (name === 'kit_first') await owner.query(SCRIPT)
      t.equal((await migrate(owner)).length, MIGRATIONS.length)
      await owner.query(SCRIPT)
      t.strictSame(await migrate(owner), [])
      await owner.query('SELECT count(*) FROM pgusher.tenants, pgusher.kit_keys')
      await owner.end()
    }
  })

  t.test(`${major}: a newer kit stays`, async (t) => {
    const { owner, ...database } = await installed('newer')
    await owner.query('UPDATE pgusher.kit SET version = 99')
    await t.rejects(owner.query(SCRIPT), { code: '55000' })
    await owner.query('ROLLBACK')
    await database.end()
  })

  t.test(`${major}: refuses a schema that somebody else could have filled`, async (t) => {
    await createDatabase(server, 'squatted')
    await sql(server, 'squatted', 'CREATE SCHEMA pgusher AUTHORIZATION app')
    await t.rejects(sql(server, 'squatted', SCRIPT), { code: '42501' }, 'even of a superuser')
    await sql(
      server,
      'squatted',
      `ALTER SCHEMA pgusher OWNER TO owner; CREATE TABLE pgusher.kit_keys (id text);
       ALTER TABLE pgusher.kit_keys OWNER TO app`,
    )
    const owner = await connect(server, 'squatted', 'owner')
    await t.rejects(owner.query(SCRIPT), { code: '42501' })
    await owner.end()
  })

  t.test(`${major}: refuses a database that is not in UTF8`, async (t) => {
    await sql(
      server,
      'postgres',
      `CREATE DATABASE ascii OWNER owner TEMPLATE template0 ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'`,
    )
    const owner = await connect(server, 'ascii', 'owner')
    await t.rejects(owner.query(SCRIPT), { code: '0A000' })
    await owner.end()
  })

  t.test(`${major}: default privileges and readers of everything get no key`, async (t) => {
    await createDatabase(server, 'generous')
    const owner = await connect(server, 'generous', 'owner')
    await owner.query(
      `ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app, PUBLIC;
       ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
    )
    await owner.query(SCRIPT)
    await owner.query(`SELECT pgusher.add_key('one', sha256(''))`)
    const app = await connect(server, 'generous', 'app')
    await t.rejects(app.query('SELECT * FROM pgusher.kit_keys'), { code: '42501' })
    t.equal(await tenantOf(app), null, 'but whoever asks is answered')
    await sql(server, 'generous', 'GRANT pg_read_all_data TO app')
    t.strictSame(await columnOf(app, 'SELECT * FROM pgusher.kit_keys'), [])
    await sql(server, 'generous', 'REVOKE pg_read_all_data FROM app')
    await Promise.all([app.end(), owner.end()])
  })

  t.test(`${major}: keys are checked`, async (t) => {
    const { owner, ...database } = await installed('keys')
    const add = (id: string, bytes: number, fill: number) =>
      owner.query('SELECT pgusher.add_key($1, $2)', [id, Buffer.alloc(bytes, fill)])
    await add('one', 32, 1)
    await add('one', 32, 1)
    await t.rejects(add('one', 32, 2), { code: '23505' })
    await t.rejects(add('two', 31, 2), { code: '22023' })
    await t.rejects(add('t.o', 32, 2), { code: '23514' })
    await t.rejects(owner.query(`SELECT pgusher.expire_key('none')`), { code: '42704' })
    t.strictSame(await columnOf(owner, 'SELECT id FROM pgusher.kit_keys ORDER BY id'), [
      'first',
      'one',
    ])
    await database.end()
  })

  const open = await protectedItems('open')
  await open.end()

  /** What is open once the superuser has done that, which is undone. */
  function problemsAfter(text: string) {
    return sql(server, 'open', `BEGIN; ${text}; SELECT * FROM pgusher.unprotected('app')`)
  }

  for (const { text, object = 'public.items', problem } of OPENINGS) {
    t.test(`${major}: unprotected() tells of ${text}`, async (t) => {
      const rows = await problemsAfter(text)
      t.match(
        rows.filter((row) => row['object'] === object),
        [{ problem }],
      )
    })
  }

  for (const text of CLOSED) {
    t.test(`${major}: unprotected() has nothing against ${text}`, async (t) => {
      t.strictSame(await problemsAfter(text), [])
    })
  }

  t.test(
    `${major}: unprotected() knows tenant columns by what is protected, or by name`,
    async (t) => {
      const database = await protectedItems('columns')
      const { owner } = database
      const ask = (text: string) =>
        columnOf(owner, `SELECT object FROM pgusher.unprotected(${text})`)
      await owner.query('CREATE TABLE more (org int)')
      t.strictSame(await ask(''), [])
      t.strictSame(await ask(`tenant_column => 'org'`), ['public.more'])
      await owner.query(`CREATE TABLE other (org int); SELECT pgusher.protect('other', 'org')`)
      t.strictSame(await ask(''), ['public.more'])
      await t.rejects(ask(`'nobody'`), { code: '42704' })
      await database.end()
    },
  )

  t.test(`${major}: the right to use the schema is not needed`, async (t) => {
    const database = await protectedItems('unused')
    await database.owner.query(
      `REVOKE USAGE ON SCHEMA pgusher FROM PUBLIC; GRANT INSERT, SELECT ON items TO app;
       CREATE TABLE numbers (tenant_id int); GRANT INSERT, SELECT ON numbers TO app;
       SELECT pgusher.protect('numbers', 'tenant_id')`,
    )
    const client = await database.tenant('42')
    await client.query('INSERT INTO items DEFAULT VALUES; INSERT INTO numbers DEFAULT VALUES')
    t.equal(await fieldOf(client, 'SELECT count(*)::int AS value FROM items, numbers'), 1)
    await t.rejects(tenantBy(client, ''), { code: '42501' })
    await database.end()
  })

  async function installed(name: string) {
    const database = await KitDatabase.create(server, name)
    return { owner: database.owner, end: () => database.end() }
  }

  async function protectedItems(name: string): Promise<KitDatabase> {
    const database = await KitDatabase.create(server, name)
    await database.owner.query(
      `CREATE TABLE items (id int, tenant_id text); SELECT pgusher.protect('items', 'tenant_id')`,
    )
    return database
  }
}
