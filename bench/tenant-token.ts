import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { kitScript } from '../src/lifecycle/sql-kit/kit-script.ts'
import { TenantTokenSigner } from '../src/tenancy/tenant-token.ts'
import { sql, startPostgres } from '../test/support/postgres.ts'
import { readArguments } from './support/arguments.ts'
import { withCleanup } from './support/cleanup.ts'
import { exactCpuUs } from './support/process-usage.ts'
import { printReport, progress } from './support/report.ts'
import { median } from './support/statistics.ts'

const USAGE = `Usage: node dist/bench/tenant-token.js [--rounds N] [--markdown]

What row policies cost the server: CPU time of its backend for queries of one tenant.
`

const TENANT = 'acme'
const ROWS = 10_000
const LIFETIME_MS = 3_600_000
const SIGNATURES = 20_000

/** A table, by how it keeps tenants apart. */
const TABLES = [
  { table: 'open', policy: 'none: tenant_id in WHERE' },
  { table: 'plain', policy: "current_setting('app.tenant')" },
  { table: 'sealed', policy: "the kit's" },
] as const

/** What is measured, how often in a round, and over how many rows one goes. */
const MEASURES = [
  { name: 'µs, 1 row', condition: 'id = 1', count: 2000, isPrepared: false },
  { name: 'µs, 1 row, prepared', condition: 'id = 1', count: 2000, isPrepared: true },
  { name: `µs, ${ROWS} rows, prepared`, condition: 'id > 0', count: 50, isPrepared: true },
] as const
const INSERTED = 2000
const INSERTS = 5

const NOTES = [
  'CPU time of the backend for one query, and for one row of an INSERT that leaves tenant_id to its',
  `default or names it once; medians of the rounds. The INSERTs are of ${INSERTED} rows.`,
]

const options = readArguments(USAGE, {
  rounds: { type: 'string' },
  markdown: { type: 'boolean' },
})

await withCleanup(async (cleanup) => {
  const rounds = options.number('rounds', 9)
  const server = await startPostgres({ major: 18 })
  cleanup.defer(() => server.stop())
  const key = { id: 'bench', key: randomBytes(32).toString('base64') }
  await sql(server, 'postgres', 'CREATE ROLE owner LOGIN; CREATE ROLE app LOGIN')
  await sql(server, 'postgres', 'CREATE DATABASE saas OWNER owner')
  await sql(server, 'saas', `SET SESSION AUTHORIZATION owner; ${kitScript('app.token')}`)
  await sql(server, 'saas', `SET SESSION AUTHORIZATION owner; ${tables(key)}`)
  await sql(server, 'saas', 'VACUUM ANALYZE')
  const client = new Client({ connectionString: server.url('saas', { user: 'app' }) })
  await client.connect()
  cleanup.defer(() => client.end())
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  const processId = Number(rows[0]?.pid)
  const signer = new TenantTokenSigner(key, LIFETIME_MS)
  const sign = () => signer.sign({ tenantId: TENANT, processId }, Date.now()).text
  await client.query(`SELECT set_config('app.tenant', $1, false)`, [TENANT])
  await client.query(`SELECT set_config('app.token', $1, false)`, [sign()])
  const table = await measureTables({ client, processId }, rounds)
  const notes = [...NOTES, `The proxy signs a token in ${signingUs(sign).toFixed(1)} µs.`]
  const columns = ['policy', ...MEASURES.map(({ name }) => name), 'µs a row, default', 'named']
  printReport({ columns, rows: table, notes }, options.has('markdown'))
})

function tables(key: { readonly id: string; readonly key: string }): string {
  const make = (table: string) => `
    CREATE TABLE ${table} (id int, note text, tenant_id text DEFAULT '${TENANT}');
    INSERT INTO ${table} SELECT n % ${ROWS}, 'x', CASE WHEN n <= ${ROWS} THEN '${TENANT}' ELSE 't' || n % 9 END
      FROM generate_series(1, ${10 * ROWS}) AS n;
    CREATE INDEX ON ${table} (tenant_id, id);
    GRANT ALL ON ${table} TO app;`
  return `${TABLES.map(({ table }) => make(table)).join('')}
    ALTER TABLE plain ENABLE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON plain USING (tenant_id = current_setting('app.tenant', true));
    ALTER TABLE plain ALTER tenant_id SET DEFAULT current_setting('app.tenant', true);
    SELECT pgusher.add_key('${key.id}', decode('${key.key}', 'base64'));
    SELECT pgusher.protect('sealed', 'tenant_id')`
}

/** A session, and the process that serves it. */
interface Backend {
  readonly client: Client
  readonly processId: number
}

async function measureTables(backend: Backend, rounds: number): Promise<string[][]> {
  const times = TABLES.map(() => [...MEASURES, 0, 0].map((): number[] => []))
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, { table }] of TABLES.entries()) {
      const found = await measureTable(backend, table)
      // The first round fills caches.
      if (round > 0) for (const [at, us] of found.entries()) times[index]?.[at]?.push(us)
    }
    progress(`round ${round} of ${rounds}`)
  }
  return TABLES.map(({ policy }, index) => [
    policy,
    ...(times[index] ?? []).map((values) => median(values).toFixed(median(values) < 10 ? 2 : 0)),
  ])
}

async function measureTable(backend: Backend, table: string): Promise<number[]> {
  const found: number[] = []
  const own = table === 'open' ? ` AND tenant_id = '${TENANT}'` : ''
  for (const { condition, count, isPrepared } of MEASURES) {
    const text = `SELECT max(note) FROM ${table} WHERE ${condition}${own}`
    const query = isPrepared ? { name: text, text } : { text }
    found.push(await serverUs(backend, count, () => backend.client.query(query)))
  }
  for (const source of ['', tenantSource(table)]) {
    const columns = source === '' ? 'id' : 'id, tenant_id'
    const text = `INSERT INTO ${table} (${columns}) SELECT -n${source} FROM generate_series(1, ${INSERTED}) AS n`
    await backend.client.query('BEGIN')
    const us = await serverUs(backend, INSERTS, () => backend.client.query(text))
    await backend.client.query('ROLLBACK')
    found.push(us / INSERTED)
  }
  return found
}

/** How an INSERT names its tenant once for all rows. */
function tenantSource(table: string): string {
  if (table === 'open') return `, '${TENANT}'`
  return table === 'plain'
    ? `, (SELECT current_setting('app.tenant'))`
    : ', (SELECT pgusher.tenant_id())'
}

/** CPU time of the backend for one call. */
async function serverUs(
  { processId }: Backend,
  count: number,
  call: () => Promise<unknown>,
): Promise<number> {
  const beganUs = exactCpuUs(processId)
  for (let index = 0; index < count; index += 1) await call()
  return (exactCpuUs(processId) - beganUs) / count
}

function signingUs(sign: () => string): number {
  for (let index = 0; index < SIGNATURES; index += 1) sign()
  const beganMs = performance.now()
  for (let index = 0; index < SIGNATURES; index += 1) sign()
  return ((performance.now() - beganMs) * 1000) / SIGNATURES
}
