import type { Socket } from 'node:net'
import { type PostgresServer, startPostgres } from '../test/support/postgres.ts'
import { readArguments } from './support/arguments.ts'
import { type Cleanup, withCleanup } from './support/cleanup.ts'
import { findPgbouncer, startPgbouncer } from './support/pgbouncer.ts'
import { LOGIN, startPgusher } from './support/pgusher.ts'
import { steadyKb } from './support/process-usage.ts'
import { openRawClients, type RawLogin } from './support/raw-clients.ts'
import { printReport, progress } from './support/report.ts'

const USAGE = `Usage: node dist/bench/idle-memory.js [--markdown]

Resident memory of a logged-in client that does nothing, over plain TCP.
`

const STEPS: readonly number[] = [1000, 5000]
const MAX_CLIENTS = 6000
const DATABASE = 'postgres'

/** One proxy under test. */
interface Subject {
  readonly name: string
  readonly pid: number
  readonly login: RawLogin
  stop(): Promise<void>
}

const options = readArguments(USAGE, { markdown: { type: 'boolean' } })

await withCleanup(async (cleanup) => {
  const version = await findPgbouncer()
  const server = await startPostgres({ major: 18 })
  cleanup.defer(() => server.stop())
  const rows: (readonly string[])[] = []
  for (const start of [startOurs, startTheirs]) {
    const subject = await start(server)
    cleanup.defer(subject.stop)
    rows.push(...(await measure(subject, cleanup)))
    await subject.stop()
  }
  const notes = [
    `Growth of VmRSS of the process when clients are added, divided by their number. PgBouncer ${version}.`,
  ]
  const columns = ['proxy', 'clients', 'resident MB', 'kB per added client']
  printReport({ columns, rows, notes }, options.has('markdown'))
})

async function startOurs(server: PostgresServer): Promise<Subject> {
  const daemon = await startPgusher({
    limits: { maxClients: MAX_CLIENTS },
    tenants: [{ name: 'bench', strategy: 'database', databaseUrl: server.url(DATABASE) }],
  })
  const login = { port: daemon.port, user: `${LOGIN}.bench`, database: 'any' }
  return { name: 'PgUsher', ...daemon, login }
}

async function startTheirs(server: PostgresServer): Promise<Subject> {
  const daemon = await startPgbouncer({
    server,
    databases: { [DATABASE]: `dbname=${DATABASE}` },
    poolSize: 20,
    maxClients: MAX_CLIENTS,
  })
  const login = { port: daemon.port, user: LOGIN, database: DATABASE }
  return { name: 'PgBouncer', ...daemon, login }
}

async function measure(
  { name, pid, login }: Subject,
  cleanup: Cleanup,
): Promise<readonly (readonly string[])[]> {
  // The first client brings a server connection and compiled code with it.
  const sockets: Socket[] = [...(await openRawClients(login, 1))]
  cleanup.defer(async () => closeAll(sockets))
  const rows: (readonly string[])[] = []
  let beforeKb = await steadyKb(pid)
  for (const step of STEPS) {
    const added = step - sockets.length
    sockets.push(...(await openRawClients(login, added)))
    const afterKb = await steadyKb(pid)
    progress(`${name}: ${sockets.length} clients, ${afterKb} kB`)
    const perClient = (afterKb - beforeKb) / added
    rows.push([name, String(step), (afterKb / 1024).toFixed(1), perClient.toFixed(2)])
    beforeKb = afterKb
  }
  closeAll(sockets)
  return rows
}

function closeAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.removeAllListeners().destroy()
}
