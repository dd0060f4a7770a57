import { readFileSync } from 'node:fs'
import pg from 'pg'
import t from 'tap'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'

const PASSWORD = 'hush'
/** As psql would run them: the database of the page, and the statements for each tenant. */
const [ONCE, FOR_ACME] = sqlOfPage('### Strategy `schema`')

const REFUSED = [
  ['reads by a qualified name', 'SELECT * FROM tenant_globex.items'],
  ['writes', `INSERT INTO tenant_globex.items VALUES ('acme')`],
  ['takes the role of another', 'SET ROLE tenant_globex'],
  ['takes the role of the pool', 'SET ROLE pool'],
  ['logs in as another', 'SET SESSION AUTHORIZATION tenant_globex'],
  ['makes things in another schema', 'CREATE TABLE tenant_globex.mine ()'],
  ['makes things in public', 'CREATE TABLE public.mine ()'],
  ['makes a schema', 'CREATE SCHEMA mine'],
  ['makes a temporary table', 'CREATE TEMP TABLE mine ()'],
  ['gives itself rights', 'GRANT tenant_globex TO tenant_acme'],
  ['sets settings of another', 'ALTER ROLE tenant_globex SET work_mem = 64'],
  ['drops another schema', 'DROP SCHEMA tenant_globex CASCADE'],
  ['runs a program', "COPY (SELECT 1) TO PROGRAM 'true'"],
  [
    'hides it in a function',
    `CREATE FUNCTION tenant_acme.peek() RETURNS SETOF text LANGUAGE plpgsql AS
       $$ BEGIN RETURN QUERY EXECUTE 'SELECT owner FROM tenant_' || 'globex.items'; END $$;
     SELECT tenant_acme.peek()`,
  ],
] as const

const places = await Promise.all(
  ([15, 18] as const).map(async (major) => {
    const server = await startSealed(major)
    t.teardown(() => server.stop())
    const proxy = await startSealedProxy(server)
    t.teardown(() => proxy.stop())
    return { major, server, proxy }
  }),
)
for (const { major, server, proxy } of places) {
  t.test(`${major}: each tenant is its own login, in a small pool of its own`, async (t) => {
    for (const tenant of ['acme', 'globex']) {
      const client = await proxy.connect(tenant)
      const { rows } = await client.query('SELECT owner, current_user, session_user FROM items')
      const user = `tenant_${tenant}`
      t.strictSame(rows, [{ owner: tenant, current_user: user, session_user: user }])
      await client.end()
    }
    const convenient = await proxy.connect('hooli')
    t.match((await convenient.query('SELECT current_user')).rows, [{ current_user: 'pool' }])
    await convenient.end()
  })

  for (const [name, text] of REFUSED) {
    t.test(`${major}: Postgres itself refuses a tenant that ${name}`, async (t) => {
      const client = await connect(server)
      await t.rejects(client.query(text), { code: '42501' })
      await client.end()
    })
  }

  t.test(`${major}: a search_path that leads elsewhere finds nothing there`, async (t) => {
    const client = await connect(server)
    await client.query('SET search_path = tenant_globex')
    await t.rejects(client.query('SELECT * FROM items'), { code: '42P01' })
    await client.end()
  })

  t.test(`${major}: the login can't connect to other databases`, async (t) => {
    await t.rejects(connect(server, 'elsewhere'), { code: '42501' })
  })

  t.test(
    `${major}: names of others are seen, their statements and statistics are not`,
    async (t) => {
      const client = await connect(server)
      const names = await client.query(
        `SELECT nspname FROM pg_namespace WHERE nspname = 'tenant_globex'`,
      )
      t.equal(names.rowCount, 1)
      const statistics = await client.query(
        `SELECT 1 FROM pg_stats WHERE schemaname = 'tenant_globex'`,
      )
      t.equal(statistics.rowCount, 0)
      const globex = await connect(server, 'saas', 'tenant_globex')
      const { rows } = await globex.query('SELECT pg_backend_pid() AS pid')
      const seen = await client.query('SELECT query FROM pg_stat_activity WHERE pid = $1', [
        rows[0].pid,
      ])
      t.strictSame(seen.rows, [{ query: '<insufficient privilege>' }])
      await t.rejects(client.query('SELECT pg_terminate_backend($1)', [rows[0].pid]), {
        code: '42501',
      })
      await globex.end()
      await client.end()
    },
  )

  t.test(`${major}: what one tenant notifies, another can hear`, async (t) => {
    const listener = await connect(server)
    const heard = new Promise<string | undefined>((resolve) => {
      listener.once('notification', ({ payload }) => resolve(payload))
    })
    await listener.query('LISTEN news')
    const globex = await connect(server, 'saas', 'tenant_globex')
    await globex.query(`NOTIFY news, 'of globex'`)
    t.equal(await heard, 'of globex')
    await globex.end()
    await listener.end()
  })

  t.test(`${major}: a tenant can lock itself out, and nobody else`, async (t) => {
    const client = await connect(server)
    await client.query(`ALTER ROLE tenant_acme PASSWORD 'other'`)
    await t.rejects(client.query(`ALTER ROLE tenant_globex PASSWORD 'other'`), { code: '42501' })
    await client.end()
    await t.rejects(connect(server), { code: '28P01' })
    await (await connect(server, 'saas', 'tenant_globex')).end()
  })
}

/** Two tenants that are set up as the page says, and one that is not. */
async function startSealed(major: 15 | 18): Promise<PostgresServer> {
  const server = await startPostgres({ major, auth: 'scram-sha-256' })
  await sql(server, 'postgres', `CREATE ROLE pool LOGIN PASSWORD '${PASSWORD}'`)
  await sql(server, 'postgres', 'CREATE DATABASE saas OWNER pool')
  await sql(server, 'postgres', 'CREATE DATABASE elsewhere')
  await sql(server, 'elsewhere', 'REVOKE CONNECT ON DATABASE elsewhere FROM PUBLIC')
  await sql(server, 'saas', ONCE ?? '')
  await sql(server, 'saas', 'CREATE SCHEMA tenant_hooli AUTHORIZATION pool')
  for (const tenant of ['acme', 'globex']) {
    const setUp = (FOR_ACME ?? '').replaceAll('acme', tenant).replace('…', PASSWORD)
    const table = `SET ROLE tenant_${tenant};
      CREATE TABLE tenant_${tenant}.items (owner text);
      INSERT INTO tenant_${tenant}.items VALUES ('${tenant}');
      ANALYZE tenant_${tenant}.items`
    await sql(server, 'saas', `${setUp}\n${table}`)
  }
  return server
}

function startSealedProxy(server: PostgresServer): Promise<TestProxy> {
  const sealed = (name: string) => ({
    name,
    strategy: 'schema',
    server: 'shared',
    isolation: { level: 'sealed' },
    serverLogin: { user: `tenant_${name}`, password: PASSWORD },
  })
  return startTestProxy({
    servers: { shared: { url: server.url('saas', { user: 'pool', password: PASSWORD }) } },
    tenants: [
      sealed('acme'),
      sealed('globex'),
      { name: 'hooli', strategy: 'schema', server: 'shared' },
    ],
  })
}

async function connect(
  server: PostgresServer,
  database = 'saas',
  user = 'tenant_acme',
): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: server.url(database, { user, password: PASSWORD }),
  })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** The SQL below a heading of the page, up to the next one. */
function sqlOfPage(heading: string): readonly string[] {
  const page = readFileSync('docs/isolation.md', 'utf8')
  const [, rest = ''] = page.split(`${heading}\n`)
  const [section = ''] = rest.split(/^#/m)
  return Array.from(section.matchAll(/^```sql\n(.*?)^```/gms), ([, text = '']) => text)
}
