import { type PostgresServer, sql, startPostgres } from '../../test/support/postgres.ts'
import { findLeaks, tryRefusals } from './refusals.ts'
import { LOGINS, OPERATOR, type Served, servePostgres } from './served.ts'
import { formatTable } from './table.ts'
import { createTenants, type DemoTenant, lookBelow, TENANTS } from './tenants.ts'
import { crowd, findFaults, type Visit, visit } from './visit.ts'

/** Something to be undone at the end, the last one first. */
type Cleanup = () => Promise<void>

/** Aborted once. More signals change nothing: npm hands on the Ctrl-C that we have got already. */
const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupt.abort())
}
// Somebody closed the other end of a pipe, as `head` does.
process.stdout.on('error', () => interrupt.abort())

process.exitCode = await run(process.argv.includes('--once'))

/** Shows PgUsher at work. Returns the exit code: 1 when a tenant saw what isn't its own. */
async function run(isOnce: boolean): Promise<number> {
  const cleanups: Cleanup[] = []
  try {
    return await show(cleanups, isOnce)
  } catch (error) {
    // What an interrupt breaks is not worth a word.
    if (interrupt.signal.aborted) return 0
    console.error('The demo failed:', error)
    return 1
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup()
  }
}

async function show(cleanups: Cleanup[], isOnce: boolean): Promise<number> {
  console.log('Starting Postgres 18 with six tenants …')
  const server = await startPostgres({ major: 18, auth: 'scram-sha-256' })
  cleanups.push(() => server.stop())
  interrupt.signal.throwIfAborted()
  await createTenants(server)
  interrupt.signal.throwIfAborted()
  const served = await servePostgres(server)
  cleanups.push(() => served.stop())
  console.log(`PgUsher serves from ${served.configFile}:\n\n${indent(served.configText)}`)

  const faults = [
    ...(await showVisits(served)),
    ...(await showCrowd(served, server)),
    ...(await showPlaces(server)),
    ...(await showRefusals(served)),
  ]
  for (const fault of faults) console.error(`NOT ISOLATED: ${fault}`)
  if (faults.length > 0) return 1
  console.log('Checked: no tenant saw, changed or wrote a row that is not its own.\n')
  if (isOnce) return 0
  showNextSteps(served)
  await untilInterrupted()
  console.log('\nEnding …')
  return 0
}

async function showVisits({ port }: Served): Promise<readonly string[]> {
  const faults: string[] = []
  const rows: string[][] = []
  for (const tenant of TENANTS) {
    interrupt.signal.throwIfAborted()
    const found = await visit(port, tenant)
    faults.push(...findFaults(tenant, found))
    rows.push(visitRow(tenant, found))
  }
  console.log(`The same SQL for each tenant, as user app.<tenant> on port ${port}:
  INSERT INTO orders …;  UPDATE orders SET …;  SELECT …, count(*) FROM orders\n`)
  const heading = ['tenant', 'strategy', 'database', 'search_path', 'rows', 'rows of', 'backend']
  console.log(`${formatTable([heading, ...rows])}\n`)
  return faults
}

function visitRow({ name, strategy }: DemoTenant, found: Visit): string[] {
  const { database, searchPath, orders, owners, backendPid } = found
  return [name, strategy, database, searchPath, `${orders}`, owners.join(', '), `${backendPid}`]
}

async function showCrowd({ port }: Served, server: PostgresServer): Promise<readonly string[]> {
  interrupt.signal.throwIfAborted()
  const { clients, transactions, faults } = await crowd(port, TENANTS)
  console.log(`${clients} clients of all tenants at once, ${transactions} transactions, each with
a write to every row in sight, went over these server connections:\n`)
  const rows = await sql(
    server,
    'postgres',
    `SELECT datname, usename, count(*)::text AS connections FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND usename <> current_user
     GROUP BY 1, 2 ORDER BY 1, 2`,
  )
  const tenantsOf = (database: string) =>
    TENANTS.filter(({ name, strategy }) => database === (strategy === 'database' ? name : 'saas'))
      .map(({ name }) => name)
      .join(', ')
  const cells = rows.map(({ datname, usename, connections }) => {
    const database = String(datname)
    return [database, String(usename), String(connections), tenantsOf(database)]
  })
  console.log(`${formatTable([['database', 'login', 'connections', 'for'], ...cells])}\n`)
  return faults
}

/** PgUsher's word is not taken for it: the superuser looks where the rows lie. */
async function showPlaces(server: PostgresServer): Promise<readonly string[]> {
  interrupt.signal.throwIfAborted()
  const faults: string[] = []
  for (const { name, items, ...rest } of TENANTS) {
    const below = await lookBelow(server, { name, items, ...rest })
    const expected = items.length + 1
    if (below.size !== 1 || below.get(name) !== expected) {
      const found = [...below].map(([owner, orders]) => `${orders} of ${owner}`).join(', ')
      faults.push(`where ${name} keeps its orders lie ${found || 'none'}`)
    }
  }
  return faults
}

async function showRefusals(served: Served): Promise<readonly string[]> {
  interrupt.signal.throwIfAborted()
  const refusals = await tryRefusals(served)
  console.log('Who may not come in learns nothing; the reason is in the log:\n')
  const rows = refusals.map(({ attempt, sqlState, message, reason }) => [
    attempt,
    `${sqlState} ${message}`,
    reason,
  ])
  console.log(`${formatTable([['attempt', 'told to the client', 'logged'], ...rows])}\n`)
  return findLeaks(refusals)
}

function showNextSteps({ port, adminPort, configFile }: Served): void {
  const { user, password } = LOGINS.app
  const url = `postgresql://${user}.acme:${password}@127.0.0.1:${port}/orders`
  console.log(`It goes on serving, for this machine only. In another terminal:

  psql '${url}' -c 'SELECT * FROM orders'
  PGPASSWORD=${password} psql -h 127.0.0.1 -p ${port} -U ${user}.globex orders
  PGPASSWORD=${password} psql "host=127.0.0.1 port=${port} user=${user} dbname=orders options='-c pgusher.tenant=hooli'"
  PGPASSWORD=${password} PGOPTIONS='-c pgusher.tenant=initech' psql -h 127.0.0.1 -p ${port} -U ${user} orders
  PGPASSWORD=${OPERATOR.password} psql -h 127.0.0.1 -p ${port} -U ${OPERATOR.user} pgusher -c 'SHOW POOLS' -c 'SHOW TENANTS'
  curl http://127.0.0.1:${adminPort}/metrics
  node dist/src/main.js check --config ${configFile}

No psql? apt-get install postgresql-client. Any other Postgres client will do.
Ctrl-C ends the demo and removes what it made.`)
}

/** A listener on a signal keeps no process alive; a timer does. */
function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    const keepAlive = setInterval(() => {}, 60_000)
    const end = () => {
      clearInterval(keepAlive)
      resolve()
    }
    if (interrupt.signal.aborted) end()
    else interrupt.signal.addEventListener('abort', end, { once: true })
  })
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ')
}
