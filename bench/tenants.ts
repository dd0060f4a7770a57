import type pg from 'pg'
import { sql, startPostgres } from '../test/support/postgres.ts'
import { readArguments } from './support/arguments.ts'
import { type Cleanup, withCleanup } from './support/cleanup.ts'
import { startPgusher } from './support/pgusher.ts'
import { residentKb } from './support/process-usage.ts'
import { printReport, progress } from './support/report.ts'
import { median } from './support/statistics.ts'
import { openClient, timed } from './support/tenant-clients.ts'

const USAGE = `Usage: node dist/bench/tenants.js [--markdown]

What known tenants cost: 10, 1,000 and 10,000 of them in the file catalog, schema strategy, all
in one shared pool.
`

const COUNTS: readonly number[] = [10, 1000, 10_000]
/** Tenants that are asked, spread evenly over all: each for one login and a number of queries. */
const ASKED = 100
const QUERIES = 50
const DATABASE = 'saas'
const QUERY = 'SELECT owner FROM items WHERE id = 1'

const COLUMNS = [
  'tenants',
  'start ms',
  'resident MB',
  'first login ms',
  'first query ms',
  'alternating query ms',
  'same tenant query ms',
]
const NOTE = `Medians. Start: from the start of the process to the first accepted connection. Queries go one
after the other, to ${ASKED} tenants (or all there are) in turn, or to one tenant.`

const options = readArguments(USAGE, { markdown: { type: 'boolean' } })

await withCleanup(async (cleanup) => {
  const server = await startPostgres({ major: 18 })
  cleanup.defer(() => server.stop())
  await sql(server, 'postgres', `CREATE DATABASE ${DATABASE}`)
  for (const name of new Set(COUNTS.flatMap((count) => askedOf(namesOf(count))))) {
    await sql(server, DATABASE, schemaOf(name))
  }
  const rows: (readonly string[])[] = []
  for (const count of COUNTS) rows.push(await measure(count, server.url(DATABASE), cleanup))
  printReport({ columns: COLUMNS, rows, notes: [NOTE] }, options.has('markdown'))
})

async function measure(count: number, url: string, cleanup: Cleanup): Promise<readonly string[]> {
  const names = namesOf(count)
  const daemon = await startPgusher({
    servers: { shared: { url } },
    tenants: names.map((name) => ({ name, strategy: 'schema', server: 'shared' })),
  })
  cleanup.defer(daemon.stop)
  const startedKb = residentKb(daemon.pid)
  progress(`${count} tenants: up after ${Math.round(daemon.startMs)} ms`)
  const asked = askedOf(names)
  const clients: pg.Client[] = []
  try {
    const loginMs = await timed(asked, async (name) => clients.push(await openClient(daemon, name)))
    const firstMs = await timed(clients, (client) => client.query(QUERY))
    const many = Array.from({ length: (ASKED * QUERIES) / clients.length }, () => clients).flat()
    const inTurnMs = await timed(many, (client) => client.query(QUERY))
    const alone = many.flatMap(() => clients.slice(0, 1))
    const sameMs = await timed(alone, (client) => client.query(QUERY))
    const memory = (startedKb / 1024).toFixed(0)
    const figures = [loginMs, firstMs, inTurnMs, sameMs].map((values) => median(values).toFixed(3))
    return [count.toLocaleString('en-US'), daemon.startMs.toFixed(0), memory, ...figures]
  } finally {
    await Promise.all(clients.map((client) => client.end()))
    await daemon.stop()
  }
}

function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `t${index}`)
}

function askedOf(names: readonly string[]): readonly string[] {
  const step = Math.max(1, names.length / ASKED)
  return names.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step))
}

function schemaOf(name: string): string {
  const schema = `tenant_${name}`
  return `CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.items (id int PRIMARY KEY, owner text);
    INSERT INTO ${schema}.items VALUES (1, '${name}')`
}
