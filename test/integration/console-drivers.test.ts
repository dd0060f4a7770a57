import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type pg from 'pg'
import t, { type Test } from 'tap'
import { startTestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { CONSOLE, operator, refusalOf, STATS, show } from './console-fixture.ts'

const SOURCES = join(import.meta.dirname, '../../../test/integration/console-drivers')
const JDBC = '/usr/share/java/postgresql.jar'
const DEADLINE_MS = 120_000

const server = await startSaas(18)
const proxy = await startTestProxy(saasSettings(server, { console: CONSOLE }))
const folder = await mkdtemp(join(tmpdir(), 'pgusher-console-'))
t.teardown(async () => {
  await proxy.stop()
  await server.stop()
  await rm(folder, { recursive: true })
})

const ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: homedir(),
  LANG: 'C.UTF-8',
  PGHOST: '127.0.0.1',
  PGPORT: String(proxy.port),
  PGUSER: STATS.user,
  PGPASSWORD: STATS.password,
  PGDATABASE: 'pgusher',
}

async function run(command: string, args: readonly string[], env: object = {}): Promise<string> {
  const options = { cwd: SOURCES, env: { ...ENV, ...env }, timeout: DEADLINE_MS }
  return (await promisify(execFile)(command, args, options)).stdout
}

/** Judges the lines that a program prints, one for each check. */
function judge(t: Test, output: string, names: readonly string[]): void {
  const reports = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): { check: string; ok: boolean; detail: string } => JSON.parse(line))
  for (const { check, ok, detail } of reports) t.equal(ok, true, check, { detail })
  t.strictSame(reports.map(({ check }) => check).sort(), [...names].sort(), 'all checks were run')
}

t.test('drivers of Python', async (t) => {
  const output = await run('/usr/bin/python3', ['-B', 'console.py'])
  judge(t, output, [
    ...['psycopg2', 'psycopg3'].flatMap((driver) => [
      `${driver}, autocommit`,
      `${driver}, in what it takes for a transaction`,
      `${driver}, refused`,
    ]),
    'psycopg3, binary and prepared',
  ])
})

t.test('lib/pq', async (t) => {
  const program = join(folder, 'console')
  await run('go', ['build', '-o', program, 'console.go'], {
    CGO_ENABLED: '0',
    GOPATH: '/usr/share/gocode',
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOCACHE: join(homedir(), '.cache', 'pgusher', 'go-build'),
  })
  const checks = ['pq, queries', 'pq, prepared', 'pq, refused', 'pq, ping']
  judge(t, await run(program, []), [
    ...checks,
    ...checks.map((check) => `${check}, binary parameters`),
  ])
})

t.test('JDBC', async (t) => {
  const args = ['-XX:TieredStopAtLevel=1', '-cp', JDBC, 'ConsoleClient.java']
  const modes = ['', '?preferQueryMode=simple', '?prepareThreshold=-1']
  judge(
    t,
    await run('java', args),
    modes.flatMap((mode) => [
      `JDBC${mode}`,
      `JDBC${mode}, without autocommit`,
      `JDBC${mode}, refused`,
    ]),
  )
})

t.test('node-postgres, in both protocols', async (t) => {
  const tenant = await proxy.connect('acme')
  t.teardown(() => tenant.end())
  const client = await operator(t, proxy, STATS)
  const simple = await show(client, 'SHOW CLIENTS')
  // Fetched row by row, which its types do not tell of.
  const byRow: pg.QueryConfig & { rows: number } = {
    name: 'clients',
    text: 'SHOW CLIENTS',
    rows: 1,
  }
  const extended = await client.query(byRow)
  t.strictSame(
    extended.rows.map(({ id, database }) => ({ id, database })),
    simple.map(({ id, database }) => ({ id, database })),
  )
  t.type(extended.rows[0]?.port, 'number')
  t.equal((await client.query({ name: 'clients', text: 'SHOW CLIENTS' })).rows.length, 1)
  t.equal(
    (await refusalOf(client.query({ text: 'SHOW TENANT $1', values: ['acme'] })))?.code,
    '0A000',
  )
  t.equal((await refusalOf(client.query({ name: 'pause', text: 'PAUSE' })))?.code, '42501')
  const several = await client.query('SHOW VERSION; SHOW STATE')
  t.equal(Array.isArray(several) ? several.length : 0, 2)
})
