import t from 'tap'
import { connect, ENVELOPE, refusalOf, startCatalogs } from './catalog-fixture.ts'
import { BAD, type Columns, GOOD, NEIGHBOURS, SCHEMA, SHARED_URL, type Table } from './rows.ts'
import { BAD_ISOLATION, GOOD_ISOLATION, LOGIN_NEIGHBOURS } from './rows-isolation.ts'

/** A row in SQL; what it does not name has the column's default. */
function insertion(table: Table, row: Columns): string {
  const columns = Object.keys(row).map((column) => `"${column}"`)
  const json = JSON.stringify(row).replaceAll("'", "''")
  const record = `jsonb_populate_record(NULL::pgusher.${table}, '${json}')`
  return `INSERT INTO pgusher.${table} (${columns}) SELECT ${columns} FROM ${record}`
}

for (const { major, server, client } of await startCatalogs(t)) {
  t.test(`${major}: takes some rows`, async () => {
    const rows = [...NEIGHBOURS, ...LOGIN_NEIGHBOURS]
    for (const [table, row] of rows) await client.query(insertion(table, row))
  })

  const named = new Set<string>()
  for (const [table, base, rows] of [...BAD, ...BAD_ISOLATION]) {
    for (const [row, constraint] of rows) {
      named.add(constraint)
      t.test(`${major}: ${constraint} refuses ${JSON.stringify(row)}`, async (t) => {
        t.equal(await refusalOf(client, insertion(table, { ...base, ...row })), constraint)
      })
    }
  }

  for (const [table, row] of [...GOOD, ...GOOD_ISOLATION]) {
    t.test(`${major}: ${table} take ${JSON.stringify(row)}`, async (t) => {
      await client.query('BEGIN')
      t.equal(await refusalOf(client, insertion(table, row)), undefined)
      await client.query('ROLLBACK')
    })
  }

  t.test(`${major}: every constraint is in the table above`, async (t) => {
    const { rows } = await client.query<{ conname: string }>(`
      SELECT conname FROM pg_constraint
      WHERE connamespace = 'pgusher'::regnamespace AND contype <> 'n'
        AND conname NOT LIKE 'state%' AND conname NOT LIKE 'migrations%'`)
    t.strictSame(
      rows.map(({ conname }) => conname).filter((name) => !named.has(name)),
      [],
    )
  })

  t.test(`${major}: secrets and their version change together`, async (t) => {
    const set = (changes: string) =>
      refusalOf(client, `UPDATE pgusher.tenants SET ${changes} WHERE name = 'acme'`)
    const counted = 'tenants_secrets_version_counts_changes_of_secrets'
    const envelope = (letter: string) => `'{"databaseUrl":"${ENVELOPE}${letter}"}'`
    t.equal(await set('secrets_version = 1'), counted)
    t.equal(await set(`secrets = ${envelope('a')}`), counted)
    t.equal(await set(`secrets = ${envelope('a')}, secrets_version = 2`), counted)
    t.equal(await set(`secrets = ${envelope('a')}, secrets_version = 1`), undefined)
    t.equal(await set(`secrets = ${envelope('b')}, secrets_version = 3`), counted)
    t.equal(await set(`secrets = ${envelope('b')}`), counted)
    t.equal(await set(`labels = '{}'`), undefined)
    t.equal(await set(`name = 'renamed'`), 'tenants_secrets_are_sealed_for_the_name')
    t.equal(
      await set(`name = 'renamed', secrets = ${envelope('c')}, secrets_version = 2`),
      undefined,
    )
    await client.query(
      `UPDATE pgusher.tenants SET name = 'acme', secrets = '{}', secrets_version = 3
       WHERE name = 'renamed'`,
    )
  })

  t.test(`${major}: servers that are moved together are looked at`, async (t) => {
    await client.query('BEGIN')
    await client.query(insertion('servers', { name: 'apart', url: 'postgresql://p@far/saas' }))
    await client.query(insertion('tenants', { ...SCHEMA, server: 'apart', schema: 'tenant_hooli' }))
    t.equal(
      await refusalOf(
        client,
        `UPDATE pgusher.servers SET url = '${SHARED_URL}' WHERE name = 'apart'`,
      ),
      'tenants_see_no_schema_and_no_rows_of_others',
    )
    await client.query('ROLLBACK')
  })

  t.test(`${major}: a server that moves into a cluster is looked at`, async (t) => {
    await client.query('BEGIN')
    await client.query(insertion('servers', { name: 'apart', url: 'postgresql://p@far/saas' }))
    const tenant = { ...SCHEMA, server: 'apart', server_login: { user: 'own' } }
    await client.query(insertion('tenants', tenant))
    t.equal(
      await refusalOf(
        client,
        `UPDATE pgusher.servers SET url = 'postgresql://p@db/apart' WHERE name = 'apart'`,
      ),
      'tenants_share_their_server_logins_with_nobody',
    )
    await client.query('ROLLBACK')
  })

  t.test(`${major}: many rows at a time cost no more each`, async (t) => {
    // Were each compared with each, this would take a minute.
    await client.query(`BEGIN; SET LOCAL statement_timeout = '20s'`)
    const rows = `SELECT 'many' || n, 'schema', 'shared', '{common}',
      jsonb_build_object('user', 'login' || n) FROM generate_series(1, 5000) AS n`
    const text = `INSERT INTO pgusher.tenants (name, strategy, server, search_path, server_login) ${rows}`
    t.equal(await refusalOf(client, text), undefined)
    await client.query('ROLLBACK')
  })

  t.test(`${major}: of two who take one schema at a time, one gets it`, async (t) => {
    const other = await connect(t, server)
    await client.query('BEGIN')
    await client.query(insertion('tenants', { ...SCHEMA, schema: 'wanted' }))
    const second = refusalOf(
      other,
      insertion('tenants', { ...SCHEMA, name: 'second', search_path: ['wanted'] }),
    )
    await client.query('COMMIT')
    t.equal(await second, 'tenants_see_no_schema_and_no_rows_of_others')
    await client.query(`DELETE FROM pgusher.tenants WHERE name = 'globex'`)
  })
}
