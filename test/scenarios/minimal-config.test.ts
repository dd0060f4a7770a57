import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { processEnvironment } from '../../src/config/sources/process-environment.ts'
import { failOnLeaks } from '../support/leaks.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { probePort } from '../support/postgres-cluster.ts'

const run = promisify(execFile)

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const CONFIG = 'config/minimal.yaml'
/** The address that the file has for its servers. */
const WRITTEN_ADDRESS = '@db:5432/'
/** With characters that a URL would not take as they are. */
const SECRETS = { APP_PASSWORD: 'open sesame', POOL_PASSWORD: 'p@ol/1', ACME_PASSWORD: 'a:c%me' }
const TENANTS = ['acme', 'globex', 'initech'] as const
/** pgbench asks for a database; PgUsher gives the tenant's, whatever the name. */
const DATABASE = 'any'

/** Makes what `config/minimal.yaml` names: two databases, three logins, a schema, a policy. */
async function startServer(): Promise<PostgresServer> {
  const server = await startPostgres({ major: 18, auth: 'scram-sha-256' })
  const logins = { pool: SECRETS.POOL_PASSWORD, acme: SECRETS.ACME_PASSWORD }
  for (const [user, password] of Object.entries(logins)) {
    await sql(server, 'postgres', `CREATE ROLE ${user} LOGIN PASSWORD '${password}'`)
  }
  await sql(server, 'postgres', 'CREATE DATABASE acme OWNER acme')
  await sql(server, 'postgres', 'CREATE DATABASE saas OWNER pool')
  await sql(
    server,
    'acme',
    "SET ROLE acme; CREATE TABLE items (owner text); INSERT INTO items VALUES ('acme')",
  )
  await sql(
    server,
    'saas',
    `SET ROLE pool;
     CREATE SCHEMA tenant_globex;
     CREATE TABLE tenant_globex.items (owner text);
     INSERT INTO tenant_globex.items VALUES ('globex');
     CREATE TABLE public.items (
       owner text, tenant_id text DEFAULT current_setting('app.tenant_id')
     );
     INSERT INTO public.items VALUES ('initech', '42'), ('initrode', '43');
     ALTER TABLE public.items ENABLE ROW LEVEL SECURITY;
     ALTER TABLE public.items FORCE ROW LEVEL SECURITY;
     CREATE POLICY tenant ON public.items
       USING (tenant_id = current_setting('app.tenant_id', true))`,
  )
  return server
}

/** The file as it is; only the address of its servers and its ports come from the environment. */
async function environmentFor(server: PostgresServer): Promise<NodeJS.ProcessEnv> {
  const { servers, tenants } = parse(readFileSync(CONFIG, 'utf8'))
  const moved = (value: unknown) =>
    JSON.stringify(value).replaceAll(WRITTEN_ADDRESS, `@${server.host}:${server.port}/`)
  return {
    ...processEnvironment,
    ...SECRETS,
    PGUSHER_SERVERS: moved(servers),
    PGUSHER_TENANTS: moved(tenants),
    PGUSHER_LISTEN_PORT: String(await probePort()),
    PGUSHER_ADMIN_PORT: String(await probePort()),
  }
}

interface Served {
  readonly port: number
  readonly adminUrl: string
}

/** `pgusher serve --config config/minimal.yaml`, up to the line that says where. */
async function serve(t: Test, env: NodeJS.ProcessEnv): Promise<Served> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', CONFIG], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGTERM')
    const [exitCode] = await closed
    if (exitCode !== 0) throw new Error(`pgusher serve ended with ${exitCode}`)
  })
  const lines = createInterface({ input: child.stdout })
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const { event, address, admin } = JSON.parse(line)
      if (event !== 'serving') return
      resolve({ port: Number(String(address).split(':').at(-1)), adminUrl: String(admin) })
    })
    void closed.then(() => reject(new Error('pgusher serve ended without serving')))
  })
}

t.test('config/minimal.yaml serves', async (t) => {
  failOnLeaks(t)
  const server = await startServer()
  t.teardown(() => server.stop())
  const env = await environmentFor(server)
  t.not(env['PGUSHER_TENANTS']?.includes(WRITTEN_ADDRESS), true, 'the address was in the file')
  const { port, adminUrl } = await serve(t, env)

  const client = { PGHOST: '127.0.0.1', PGPORT: String(port), PGPASSWORD: SECRETS.APP_PASSWORD }
  const clientEnv = { PATH: processEnvironment['PATH'], ...client }
  await t.test('psql', (t) => throughPsql(t, clientEnv))
  await t.test('pgbench', (t) => throughPgbench(t, clientEnv))
  await t.test('node-postgres', (t) => throughPools(t, port))
  await t.test('who may not come in', (t) => refusals(t, port))
  await t.test('admin', async (t) => {
    const metrics = await (await fetch(`${adminUrl}/metrics`)).text()
    t.match(metrics, /^pgusher_catalog_tenants 3$/m)
    t.match(metrics, /^pgusher_sessions 0$/m, 'nobody is left')
  })
})

async function throughPsql(t: Test, env: NodeJS.ProcessEnv): Promise<void> {
  const ask = async (args: readonly string[], extra: NodeJS.ProcessEnv = {}) => {
    const query = ['-X', '-At', '-c', 'SELECT owner FROM items']
    const { stdout } = await run('psql', [...args, ...query], { env: { ...env, ...extra } })
    return stdout.trim()
  }
  for (const tenant of TENANTS) {
    const option = `-c pgusher.tenant=${tenant}`
    t.equal(await ask([`user=app options='${option}'`]), tenant, 'options in the string')
    t.equal(await ask(['-U', `app.${tenant}`]), tenant, 'in the user')
    t.equal(await ask(['-U', 'app'], { PGOPTIONS: option }), tenant, 'PGOPTIONS')
    const url = `postgresql://app@/${DATABASE}?options=${encodeURIComponent(option)}`
    t.equal(await ask([url]), tenant, 'in a URL')
  }
}

async function refusals(t: Test, port: number): Promise<void> {
  const password = SECRETS.APP_PASSWORD
  const refused = [
    { user: 'app.nobody', password, code: '28P01' },
    { user: 'nobody.acme', password, code: '28P01' },
    { user: 'app.acme', password: 'guess', code: '28P01' },
    { user: 'app', password, code: '28000' },
    { user: 'app.acme', password, options: '-c pgusher.tenant=globex', code: '28000' },
  ]
  for (const { code, ...login } of refused) {
    const client = new pg.Client({ host: '127.0.0.1', port, database: DATABASE, ...login })
    await t.rejects(client.connect(), { code }, JSON.stringify(login))
  }
}

async function throughPgbench(t: Test, env: NodeJS.ProcessEnv): Promise<void> {
  for (const tenant of TENANTS) {
    const bench = (args: readonly string[]) =>
      run('pgbench', ['-U', `app.${tenant}`, ...args, DATABASE], { env })
    await bench(['-i', '-q'])
    for (const mode of ['simple', 'extended', 'prepared']) {
      const { stdout } = await bench(['-M', mode, '-c', '4', '-j', '2', '-t', '20'])
      t.match(stdout, /transactions actually processed: 80\/80/, `${tenant}, ${mode}`)
      t.match(stdout, /failed transactions: 0 /, `${tenant}, ${mode}`)
    }
  }
}

async function throughPools(t: Test, port: number): Promise<void> {
  const pools = TENANTS.map((tenant) => {
    const pool = new pg.Pool({
      host: '127.0.0.1',
      port,
      user: 'app',
      password: SECRETS.APP_PASSWORD,
      database: DATABASE,
      options: `-c pgusher.tenant=${tenant}`,
      max: 4,
    })
    return { tenant, pool }
  })
  const rounds = Array.from({ length: 40 }, (_, round) => round)
  await Promise.all(
    rounds.flatMap((round) =>
      pools.map(async ({ tenant, pool }) => {
        const { rows } = await pool.query({
          ...(round % 2 === 0 ? { name: 'owners' } : {}),
          text: 'SELECT owner, $1::int AS round FROM items',
          values: [round],
        })
        t.strictSame(rows, [{ owner: tenant, round }])
      }),
    ),
  )
  await Promise.all(pools.map(({ pool }) => pool.end()))
}
