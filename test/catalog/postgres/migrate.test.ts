import t from 'tap'
import { migrate } from '../../../src/catalog/postgres/schema/migrate.ts'
import {
  checksumOf,
  MIGRATIONS,
  type Migration,
} from '../../../src/catalog/postgres/schema/migrations.ts'
import { connect, ENVELOPE, refusalOf, startCatalogs } from './catalog-fixture.ts'

for (const { major, server, client: admin } of await startCatalogs(t)) {
  let databases = 0
  const empty = async () => {
    databases += 1
    await admin.query(`CREATE DATABASE empty${databases}`)
    return `empty${databases}`
  }

  t.test(`${major}: creates the schema once`, async (t) => {
    const client = await connect(t, server, await empty())
    t.strictSame(await migrate(client), MIGRATIONS)
    t.strictSame(await migrate(client), [])
    const { rows } = await client.query('SELECT number, name, checksum FROM pgusher.migrations')
    t.strictSame(
      rows,
      MIGRATIONS.map((step) => ({
        number: step.number,
        name: step.name,
        checksum: checksumOf(step),
      })),
    )
  })

  t.test(`${major}: ten at once take each step once`, async (t) => {
    const database = await empty()
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => connect(t, server, database)),
    )
    const taken = await Promise.all(clients.map((client) => migrate(client)))
    t.strictSame(
      taken.flat().map(({ number }) => number),
      MIGRATIONS.map(({ number }) => number),
    )
  })

  t.test(
    `${major}: a step that fails leaves nothing behind, and lets the next one try`,
    async (t) => {
      const database = await empty()
      const client = await connect(t, server, database)
      const broken: Migration = {
        number: 2,
        name: 'broken',
        sql: 'CREATE TABLE pgusher.half (); SELECT 1 / 0;',
      }
      const first: Migration = { number: 1, name: 'first', sql: 'CREATE TABLE pgusher.one ();' }
      await t.rejects(migrate(client, [first, broken]), { code: '22012' })
      const other = await connect(t, server, database)
      const { rows } = await other.query(
        `SELECT to_regclass('pgusher.one') AS one, to_regclass('pgusher.half') AS half`,
      )
      t.strictSame(rows, [{ one: 'pgusher.one', half: null }])
      const mended = { ...broken, sql: 'CREATE TABLE pgusher.half ();' }
      t.strictSame(await migrate(other, [first, mended]), [mended])
    },
  )

  t.test(`${major}: rows from before levels of isolation stay as they are`, async (t) => {
    const client = await connect(t, server, await empty())
    const before = MIGRATIONS.findIndex(({ name }) => name === 'isolation')
    await migrate(client, MIGRATIONS.slice(0, before))
    await client.query(`
      INSERT INTO pgusher.servers (name, url) VALUES ('shared', 'postgresql://pool@db/saas');
      INSERT INTO pgusher.tenants (name, strategy, server, role) VALUES ('acme', 'schema', 'shared', 'r');
      INSERT INTO pgusher.tenants (name, strategy, database_url, pool, secrets, secrets_version)
        VALUES ('hooli', 'database', 'postgresql://hooli@db/hooli', '{"size":3}',
          '{"databaseUrl":"${ENVELOPE}"}', 1)`)
    const read = 'SELECT name, role, pool, secrets, version FROM pgusher.tenants ORDER BY name'
    const { rows } = await client.query(read)
    await migrate(client)
    t.strictSame((await client.query(read)).rows, rows)
    const login = `UPDATE pgusher.tenants SET server_login = '{"user":"pool"}' WHERE name = 'acme'`
    t.equal(await refusalOf(client, login), 'tenants_share_their_server_logins_with_nobody')
    await client.query(login.replace('pool', 'tenant_acme'))
  })

  t.test(`${major}: a changed step is refused`, async (t) => {
    const client = await connect(t, server, await empty())
    const step: Migration = { number: 1, name: 'first', sql: 'CREATE TABLE pgusher.one ();' }
    await migrate(client, [step])
    const changed = { ...step, sql: 'CREATE TABLE pgusher.other ();' }
    const next: Migration = { number: 2, name: 'next', sql: 'CREATE TABLE pgusher.two ();' }
    await t.rejects(migrate(client, [changed, next]), { code: 'CATALOG_SCHEMA_MISMATCH' })
    const { rows } = await client.query(`SELECT to_regclass('pgusher.two') AS two`)
    t.strictSame(rows, [{ two: null }])
  })

  t.test(`${major}: a newer database is refused`, async (t) => {
    const client = await connect(t, server, await empty())
    await migrate(client)
    await client.query(`INSERT INTO pgusher.migrations VALUES (99, 'later', 'x')`)
    await t.rejects(migrate(client), {
      code: 'CATALOG_SCHEMA_MISMATCH',
      message: /step 99, later/,
    })
  })

  t.test(`${major}: what stands in the search path is not used`, async (t) => {
    const client = await connect(t, server, await empty())
    await client.query(`
        CREATE SCHEMA evil;
        CREATE FUNCTION evil.octet_length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
        CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE plpgsql
          AS $$ BEGIN RAISE 'evil'; END $$;
        SET search_path = evil, pg_catalog;
      `)
    await migrate(client)
    t.equal(
      await refusalOf(client, `INSERT INTO pgusher.logins ("user") VALUES (repeat('x', 64))`),
      'logins_user_is_a_name_of_1_to_63_bytes',
    )
    await client.query(`
        INSERT INTO pgusher.servers (name, url) VALUES ('one', 'postgresql://p@h/saas');
        CREATE TEMP TABLE state AS SELECT 999::bigint AS version;
        INSERT INTO pgusher.tenants (name, strategy, server) VALUES ('acme', 'schema', 'one')`)
    const { rows } = await client.query('SELECT version FROM pgusher.tenants')
    t.ok(Number(rows[0].version) < 999)
  })

  t.test(`${major}: every function is safe against the search path of its caller`, async (t) => {
    const client = await connect(t, server, await empty())
    await migrate(client)
    const { rows } = await client.query(`
        SELECT proname FROM pg_proc WHERE pronamespace = 'pgusher'::regnamespace
          AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)`)
    t.strictSame(rows, [])
  })
}
