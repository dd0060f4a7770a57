import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import pg from 'pg'
import t, { type Test } from 'tap'
import { probePort } from '../support/postgres-cluster.ts'
import { startTestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'
import { CONSOLE, refusalOf, STATS } from './console-fixture.ts'

const PGBOUNCER = '/usr/sbin/pgbouncer'
const EXPORTER = '/usr/bin/prometheus-pgbouncer-exporter'
const NOBODY = 65_534

const server = await startSaas(18)
// The exporter knows no other name.
const proxy = await startTestProxy(
  saasSettings(server, { console: { ...CONSOLE, database: 'pgbouncer' } }),
)
const bouncer = await startPgBouncer()
const exporterPort = await probePort()
const exporter = spawn(
  EXPORTER,
  [
    ...['--host', '127.0.0.1', '--port', String(exporterPort), '--pgbouncer-host', '127.0.0.1'],
    ...['--pgbouncer-port', String(proxy.port), '--pgbouncer-user', STATS.user],
  ],
  { env: { PGPASSWORD: STATS.password, PATH: '/usr/bin:/bin' }, stdio: 'ignore' },
)
const exporterEnded = once(exporter, 'close')
t.teardown(async () => {
  exporter.kill('SIGKILL')
  await exporterEnded
  await bouncer.stop()
  await proxy.stop()
  await server.stop()
})

/** The real one, to compare with. Everybody may look. */
async function startPgBouncer() {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-bouncer-'))
  await chmod(folder, 0o755)
  const port = await probePort()
  const file = join(folder, 'pgbouncer.ini')
  await writeFile(
    file,
    `[databases]
acme = host=127.0.0.1 port=${server.port} dbname=acme
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
stats_users = looker
`,
  )
  const isRoot = process.getuid?.() === 0
  const child = spawn(PGBOUNCER, [file], { stdio: 'ignore', ...(isRoot ? { uid: NOBODY } : {}) })
  const closed = once(child, 'close')
  const connect = async () => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'looker', database: 'pgbouncer' })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  let client: pg.Client | undefined
  await until(async () => {
    client = await connect().catch(() => undefined)
    return client !== undefined || child.exitCode !== null
  })
  if (client === undefined) throw new Error(`${PGBOUNCER} does not start`)
  const connected = client
  return {
    client: connected,
    async stop() {
      await connected.end()
      child.kill('SIGKILL')
      await closed
      await rm(folder, { recursive: true })
    },
  }
}

/** Commands that PgBouncer has, with columns of its own that stand elsewhere here. */
const SHOWN: readonly (readonly [command: string, moved: readonly string[]])[] = [
  ['VERSION', []],
  ['STATS', []],
  ['STATS_TOTALS', []],
  ['STATS_AVERAGES', []],
  ['TOTALS', []],
  ['POOLS', []],
  ['CLIENTS', []],
  ['SERVERS', []],
  // Newer versions call it reserve_pool_size.
  ['DATABASES', ['reserve_pool']],
  ['USERS', []],
  ['LISTS', []],
  ['CONFIG', []],
  ['DNS_HOSTS', []],
  ['DNS_ZONES', []],
]

for (const [command, moved] of SHOWN) {
  t.test(`SHOW ${command} has the columns of PgBouncer, in its order`, async (t) => {
    const ours = await operatorOf(t, `SHOW ${command}`)
    const theirs = await bouncer.client.query(`SHOW ${command}`)
    const names = new Set(theirs.fields.map(({ name }) => name))
    const inOrder = (fields: readonly pg.FieldDef[]) =>
      fields
        .filter(({ name }) => names.has(name) && !moved.includes(name))
        .map(({ name, dataTypeID }) => [name, dataTypeID])
    t.strictSame(inOrder(ours.fields), inOrder(theirs.fields))
    for (const name of moved) t.ok(ours.fields.some((field) => field.name === name))
    t.equal(ours.command, theirs.command)
  })
}

async function operatorOf(t: Test, command: string) {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: proxy.port,
    ...{ user: STATS.user, password: STATS.password, database: 'pgbouncer' },
  })
  await client.connect()
  t.teardown(() => client.end())
  return client.query(command)
}

t.test('lists have the rows of PgBouncer', async (t) => {
  for (const command of ['SHOW LISTS', 'SHOW TOTALS']) {
    const [ours, theirs] = [await operatorOf(t, command), await bouncer.client.query(command)]
    const names = ({ rows }: pg.QueryResult) => rows.map(({ list, name }) => list ?? name)
    t.strictSame(names(ours), names(theirs))
  }
})

t.test("Debian's exporter for PgBouncer scrapes it", async (t) => {
  const idle = await proxy.connect('acme')
  const busy = await proxy.connect('globex')
  t.teardown(() => Promise.all([idle.end(), busy.end()]))
  await idle.query('SELECT 1')
  await busy.query('BEGIN')
  await busy.query('SELECT 1')
  const url = `http://127.0.0.1:${exporterPort}/metrics`
  await until(async () => (await refusalOf(fetch(url))) === undefined || exporter.exitCode !== null)
  const response = await fetch(url)
  t.equal(response.status, 200)
  const text = await response.text()
  const value = (series: string) => {
    const line = text.split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }
  const shared = `saas@127.0.0.1:${server.port}`
  t.equal(value('pgbouncer_used_clients'), 2)
  t.equal(value('pgbouncer_free_clients'), 998)
  t.equal(value('pgbouncer_pools'), 2)
  t.equal(value('pgbouncer_used_servers'), 2)
  t.equal(value('pgbouncer_active_clients{database="acme",user="acme"}'), 1)
  t.equal(value(`pgbouncer_active_clients{database="${shared}",user="pool"}`), 1)
  t.equal(value('pgbouncer_waiting_clients{database="acme",user="acme"}'), 0)
  t.equal(value('pgbouncer_pool_size{database="acme"}'), 20)
  t.equal(value('pgbouncer_reserve_pool{database="acme"}'), 0)
  const before = value('pgbouncer_requests_total{database="acme"}') ?? Number.NaN
  t.ok(before >= 1, 'requests are counted by tenant')
  await idle.query('SELECT 1')
  const after = await (await fetch(url)).text()
  const [, requests] = /^pgbouncer_requests_total\{database="acme"\} (\S+)$/m.exec(after) ?? []
  t.equal(Number(requests), before + 1)
})
