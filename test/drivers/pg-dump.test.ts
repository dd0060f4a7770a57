import { join } from 'node:path'
import type { Test } from 'tap'
import { type Finished, runTool } from '../support/driver-program.ts'
import { fromEverySeat, runChecks, type Seat } from '../support/driver-seats.ts'
import { startTestProxy } from '../support/proxy.ts'
import { saasSettings } from '../support/saas.ts'

/** Names that only other tenants' data has; the tenants of the seats are the firsts of `PAIRS`. */
const OTHERS = /hooli|initrode|umbrella/

/** What a tool says of where a restored object belongs is the restoring login's business. */
const PORTABLE = ['--no-owner', '--no-privileges']

const EMPTY = 'DROP VIEW IF EXISTS dumped_sums; DROP TABLE IF EXISTS dumped'
const FILL = `${EMPTY};
  CREATE TABLE dumped (n serial PRIMARY KEY, label text DEFAULT 'none');
  INSERT INTO dumped (label) SELECT 'label ' || n FROM generate_series(1, 500) n;
  CREATE INDEX ON dumped (label);
  CREATE VIEW dumped_sums AS SELECT sum(n) FROM dumped`

/** As the tables themselves say. */
const CONTENT = `SELECT (SELECT sum FROM dumped_sums) AS sum, count(*)::int AS count,
  string_agg(label, ',' ORDER BY n) AS labels FROM dumped`

const PATHS = { database: 'public', schema: 'tenant_globex', row: 'public' }

const succeeded: Pick<Finished, 'exitCode' | 'stderr'> = { exitCode: 0, stderr: '' }

const CHECKS = {
  database: {
    'a full dump is restored to another tenant': restoredElsewhere,
    'a custom dump replaces what there is': (t: Test, seat: Seat) => replaced(t, seat, []),
    'a parallel dump': (t: Test, seat: Seat) => parallel(t, seat, []),
  },
  schema: {
    'a dump of a table by its plain name': plainName,
    "a dump of the tenant's schema holds nothing else": ownSchema,
    'a dump without --schema holds all that the login may see': allSchemas,
    'a custom dump replaces what there is': (t: Test, seat: Seat) =>
      replaced(t, seat, ['--schema=tenant_globex']),
    'a parallel dump': (t: Test, seat: Seat) => parallel(t, seat, ['--schema=tenant_globex']),
  },
  row: {
    'a dump is refused by the row policies': refusedByPolicies,
    'a dump under the row policies holds own rows': ownRows,
  },
} as const

// Debian's pg_dump 15 refuses a server that is newer than itself.
await fromEverySeat(
  async (t, seat) => {
    await change(seat, FILL)
    await runChecks(t, seat, CHECKS[seat.strategy])
    await t.test('nothing is left behind', (t) => nothingLeft(t, seat))
    await change(seat, EMPTY)
  },
  { majors: [15] },
)

async function ownSchema(t: Test, seat: Seat): Promise<void> {
  const dump = await runTool(seat, pgDump(['--schema=tenant_globex']))
  t.match(dump, { exitCode: 0, stdout: /CREATE TABLE tenant_globex\.dumped / })
  t.match(dump.stdout, /^1\tglobex$/m, 'own rows')
  t.notMatch(dump.stdout, OTHERS)
  t.notMatch(dump.stdout, /\binitech\b|public\.items/, 'nor the tables of row tenants')
}

/** For it pg_dump resets `search_path`, which must bring back the tenant's own. */
async function plainName(t: Test, seat: Seat): Promise<void> {
  const dump = await runTool(seat, pgDump(['--table=items']))
  t.match(dump, { exitCode: 0, stdout: /CREATE TABLE tenant_globex\.items / })
  t.notMatch(dump.stdout, OTHERS)
}

/** pg_dump qualifies every name, so only what the server login may see bounds it. */
async function allSchemas(t: Test, seat: Seat): Promise<void> {
  const dump = await runTool(seat, pgDump(['--schema-only']))
  t.match(dump, { exitCode: 0, stdout: /CREATE TABLE tenant_globex\.dumped / })
  t.match(dump.stdout, /CREATE TABLE tenant_hooli\.items /)
}

async function refusedByPolicies(t: Test, seat: Seat): Promise<void> {
  const dump = await runTool(seat, pgDump(['--table=public.items']))
  t.equal(dump.exitCode, 1)
  t.match(dump.stderr, /row-level security/)
  t.notMatch(dump.stdout, OTHERS)
}

async function ownRows(t: Test, seat: Seat): Promise<void> {
  const options = ['--table=public.items', '--enable-row-security', '--column-inserts']
  const dump = await runTool(seat, pgDump(options))
  t.match(dump, { exitCode: 0 })
  const rows = dump.stdout.split('\n').filter((line) => line.startsWith('INSERT'))
  t.equal(rows.length, 1)
  t.match(rows[0], /VALUES \(1, 'initech', '42'\);$/)
}

async function restoredElsewhere(t: Test, seat: Seat): Promise<void> {
  const dump = await runTool(seat, pgDump([...PORTABLE, '--exclude-table=items']))
  t.match(dump, { exitCode: 0 })
  const other: Seat = { ...seat, tenant: 'umbrella', user: `${seat.login}.umbrella` }
  const restore = { command: 'psql', args: ['-Xq', '-1', '-v', 'ON_ERROR_STOP=1'] }
  t.match(await runTool(other, { ...restore, input: dump.stdout }), succeeded)
  t.strictSame(await content(other), await content(seat))
  await change(other, EMPTY)
}

async function replaced(t: Test, seat: Seat, options: readonly string[]): Promise<void> {
  const file = join(t.testdir({}), 'tenant.dump')
  const dump = pgDump(['--format=custom', `--file=${file}`, ...options])
  t.match(await runTool(seat, dump), succeeded)
  const before = await content(seat)
  await change(seat, "DELETE FROM dumped WHERE n > 7; UPDATE dumped SET label = 'changed'")
  t.notSame(await content(seat), before)
  const args = ['--clean', '--if-exists', '--single-transaction', '--dbname=app', ...PORTABLE, file]
  t.match(await runTool(seat, { command: 'pg_restore', args }), succeeded)
  t.strictSame(await content(seat), before)
}

/** The dump's leader and its two workers have a transaction each, of one snapshot. */
async function parallel(t: Test, seat: Seat, options: readonly string[]): Promise<void> {
  const pool = { mode: seat.mode, size: 4 }
  const proxy = await startTestProxy(saasSettings(seat.server, { pool }))
  t.teardown(() => proxy.stop())
  const env = { PGPORT: String(proxy.port) }
  const folder = join(t.testdir({}), 'dump')
  const dump = pgDump(['--format=directory', '--jobs=2', `--file=${folder}`, ...options])
  t.match(await runTool(seat, { ...dump, env }), succeeded)
  const before = await content(seat)
  await change(seat, 'DELETE FROM dumped')
  const args = ['--data-only', '--table=dumped', '--jobs=2', '--dbname=app', folder]
  t.match(await runTool(seat, { command: 'pg_restore', args, env }), succeeded)
  t.strictSame(await content(seat), before)
}

/** pg_dump has set `search_path` to '' for its session; nobody else may notice. */
async function nothingLeft(t: Test, seat: Seat): Promise<void> {
  t.match(
    await runTool(seat, pgDump([`--schema=${PATHS[seat.strategy]}`, '--schema-only'])),
    succeeded,
  )
  await seat.disturbers.disturb()
  const clients = await Promise.all([1, 2].map(() => seat.proxy.connect(seat.tenant)))
  const found = clients.map(async (client) => {
    await client.query('BEGIN')
    const { rows } = await client.query(`SELECT pg_backend_pid() AS pid, owner,
      current_setting('search_path') AS path, current_setting('row_security') AS row_security,
      current_setting('extra_float_digits') AS digits FROM items`)
    return rows[0]
  })
  const rows = await Promise.all(found)
  t.equal(new Set(rows.map(({ pid }) => pid)).size, 2, 'both server connections')
  for (const { owner, path, row_security, digits } of rows) {
    t.strictSame(
      { owner, row_security, digits },
      { owner: seat.tenant, row_security: 'on', digits: '1' },
    )
    t.match(path, PATHS[seat.strategy])
  }
  await Promise.all(clients.map((client) => client.end()))
}

function pgDump(args: readonly string[]) {
  return { command: 'pg_dump', args }
}

async function content({ proxy, tenant }: Seat): Promise<unknown> {
  const client = await proxy.connect(tenant)
  const { rows } = await client.query(CONTENT)
  await client.end()
  return rows
}

async function change({ proxy, tenant }: Seat, text: string): Promise<void> {
  const client = await proxy.connect(tenant)
  await client.query(text)
  await client.end()
}
