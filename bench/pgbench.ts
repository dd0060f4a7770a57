import { writeFile } from 'node:fs/promises'
import { sql, startPostgres } from '../test/support/postgres.ts'
import { readArguments } from './support/arguments.ts'
import { type Cleanup, withCleanup } from './support/cleanup.ts'
import { measure, type Targets } from './support/comparison.ts'
import { comparisonReport } from './support/comparison-report.ts'
import { initialise, type PgbenchLoad, type QueryMode, runPgbench } from './support/pgbench-run.ts'
import { findPgbouncer, startPgbouncer } from './support/pgbouncer.ts'
import { LOGIN, startPgusher } from './support/pgusher.ts'
import { printReport, progress } from './support/report.ts'

const USAGE = `Usage: npm run bench -- [OPTIONS]

Compares PgUsher, PgBouncer and a direct connection with pgbench -S, in turns.

  --rounds N       rounds of each row (7)
  --seconds N      length of one run (5)
  --only LIST      rows to run, as in simple:32,prepared:1
  --quick          one round of two seconds: tells only that everything works
  --json FILE      write the single runs as well
  --markdown       the table as docs/performance.md shows it
`

const TENANT = 'bench'
const DATABASE = 'bench'
const SCALE = 10
const POOL_SIZE = 20
const MAX_CLIENTS = 100
const MODES: readonly QueryMode[] = ['simple', 'extended', 'prepared']
const CLIENTS: readonly number[] = [1, 32]

const options = readArguments(USAGE, {
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  only: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'string' },
  markdown: { type: 'boolean' },
})

await withCleanup(async (cleanup) => {
  const isQuick = options.has('quick')
  const rounds = options.number('rounds', isQuick ? 1 : 7)
  const loads = chosenLoads(options.number('seconds', isQuick ? 2 : 5))
  const version = await findPgbouncer()
  const targets = await startTargets(cleanup)
  const comparisons = []
  for (const load of loads) comparisons.push(await measure(targets, load, rounds))
  const file = options.text('json')
  if (file !== undefined) await writeFile(file, `${JSON.stringify(comparisons, null, 2)}\n`)
  printReport(comparisonReport(comparisons, { version, rounds }), options.has('markdown'))
})

function chosenLoads(seconds: number): readonly PgbenchLoad[] {
  const all = MODES.flatMap((mode) => CLIENTS.map((clients) => ({ mode, clients, seconds })))
  const wanted = options.text('only')?.split(',')
  if (wanted === undefined) return all
  const loads = all.filter(({ mode, clients }) => wanted.includes(`${mode}:${clients}`))
  if (loads.length !== wanted.length) options.refuse(`no such row in ${wanted}`)
  return loads
}

async function startTargets(cleanup: Cleanup): Promise<Targets> {
  progress('starting Postgres, PgUsher and PgBouncer')
  const server = await startPostgres({ major: 18 })
  cleanup.defer(() => server.stop())
  const direct = { port: server.port, user: server.superuser, database: DATABASE }
  await sql(server, 'postgres', `CREATE DATABASE ${DATABASE}`)
  await initialise(direct, SCALE)
  const pgusher = await startPgusher({
    pool: { mode: 'transaction', size: POOL_SIZE },
    limits: { maxClients: MAX_CLIENTS },
    tenants: [{ name: TENANT, strategy: 'database', databaseUrl: server.url(DATABASE) }],
  })
  cleanup.defer(pgusher.stop)
  const pgbouncer = await startPgbouncer({
    server,
    databases: {
      [DATABASE]: `dbname=${DATABASE}`,
      // A client keeps its server connection there: each needs one.
      session: `dbname=${DATABASE} pool_mode=session pool_size=${Math.max(...CLIENTS)}`,
    },
    poolSize: POOL_SIZE,
    maxClients: MAX_CLIENTS,
  })
  cleanup.defer(pgbouncer.stop)
  const bouncer = { port: pgbouncer.port, user: LOGIN, database: DATABASE }
  return {
    pgusher: { port: pgusher.port, user: `${LOGIN}.${TENANT}`, database: 'any', pid: pgusher.pid },
    pgbouncer: { ...bouncer, pid: pgbouncer.pid },
    pgbouncerSession: { ...bouncer, database: 'session', pid: pgbouncer.pid },
    direct: { ...direct, pid: undefined },
    isPreparedOverTransactions: await works(bouncer),
  }
}

/** PgBouncer has prepared statements in transaction mode from 1.21 on. */
async function works(target: Parameters<typeof runPgbench>[0]): Promise<boolean> {
  try {
    await runPgbench(target, { mode: 'prepared', clients: 4, seconds: 1 })
    return true
  } catch {
    return false
  }
}
