import { rmSync } from 'node:fs'
import process from 'node:process'
import type { Test } from 'tap'
import { TestAuthority } from '../support/certificates.ts'
import { runTool, seatEnvironment } from '../support/driver-program.ts'
import { acrossServers, fromEverySeat, runChecks, type Seat } from '../support/driver-seats.ts'
import { sql } from '../support/postgres.ts'
import { findPostgres } from '../support/postgres-binaries.ts'
import { until } from '../support/until.ts'
import { PsqlSession } from './psql-session.ts'

const SLEEP = 'SELECT pg_sleep(60);'

const { libDir } = await findPostgres(18)
const authority = await TestAuthority.create()
process.once('exit', () => rmSync(authority.folder, { recursive: true }))
const { certFile, keyFile } = await authority.issue({
  commonName: 'localhost',
  altNames: ['IP:127.0.0.1'],
})

/** Debian's programs over the libpq of Postgres 18; it gives up where protocol 3.2 is not spoken. */
const NEWEST = { LD_LIBRARY_PATH: libDir, PGMINPROTOCOLVERSION: '3.2', PGSSLMODE: 'disable' }
/** TLS from the first byte on, and a password proof that is bound to our certificate. */
const DIRECT = {
  ...NEWEST,
  PGSSLNEGOTIATION: 'direct',
  PGSSLMODE: 'verify-full',
  PGSSLROOTCERT: authority.caFile,
  PGCHANNELBINDING: 'require',
}

/** Fails, by a division, where anything but the tenant's row is to be seen. */
const ownRow = (tenant: string) =>
  `SELECT 1 / (count(*) = 1 AND max(owner) = '${tenant}' AND max(id) = :id)::int FROM items;\n`

await fromEverySeat(
  (t, seat) =>
    runChecks(t, seat, {
      'direct TLS': directTls,
      'ways to name the tenant': waysToNameTheTenant,
      'a session across server connections': acrossConnections,
      'Ctrl-C with a long cancel key': interrupt,
      pgbench: benches,
      'the older protocol, TLS by SSLRequest': olderProtocol,
    }),
  { majors: [18], settings: { tls: { client: { cert: certFile, key: keyFile } } } },
)

async function directTls(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, { ...seatEnvironment(seat), ...DIRECT })
  const [, tls] = await psql.ask('\\conninfo')
  t.match(tls, /^SSL connection \(protocol: TLSv1\.3,/)
  await acrossServers(t, seat, () => ownServer(t, seat, psql))
  t.equal(await psql.end(), '', 'no errors')
}

async function ownServer(t: Test, seat: Seat, psql: PsqlSession): Promise<number> {
  const answer = await psql.ask('SELECT owner, pg_backend_pid() FROM items;')
  const [owner, pid] = answer[0]?.split('|') ?? []
  t.equal(owner, seat.tenant)
  return Number(pid)
}

async function waysToNameTheTenant(t: Test, seat: Seat): Promise<void> {
  const { login, tenant } = seat
  const ways = [{}, { PGUSER: login, PGOPTIONS: `-c pgusher.tenant=${tenant}` }]
  for (const way of ways) {
    const args = ['-XAt', '-c', 'SELECT owner FROM items']
    const answer = await runTool(seat, { command: 'psql', args, env: { ...NEWEST, ...way } })
    t.match(answer, { exitCode: 0, stdout: `${tenant}\n`, stderr: '' })
  }
}

async function acrossConnections(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, { ...seatEnvironment(seat), ...NEWEST })
  await acrossServers(t, seat, () => ownServer(t, seat, psql))
  t.equal(await psql.end(), '', 'no errors')
}

async function interrupt(t: Test, seat: Seat): Promise<void> {
  const psql = new PsqlSession(t, { ...seatEnvironment(seat), ...NEWEST })
  psql.type(SLEEP)
  await until(async () => (await sleepers(seat)) === 1)
  psql.interrupt()
  t.match(await psql.end(), /ERROR:\s+57014/)
  await until(async () => (await sleepers(seat)) === 0)
}

async function benches(t: Test, seat: Seat): Promise<void> {
  const script = `${t.testdir({ 'own.sql': ownRow(seat.tenant) })}/own.sql`
  for (const mode of ['simple', 'extended', 'prepared']) {
    const clients = seat.mode === 'transaction' ? 4 : 1
    const args = [
      '-n',
      '-M',
      mode,
      `-c${clients}`,
      `-j${clients}`,
      '-t20',
      '-D',
      'id=1',
      '-f',
      script,
    ]
    const answer = await runTool(seat, { command: 'pgbench', args, env: NEWEST })
    const wanted = clients * 20
    const processed = new RegExp(`transactions actually processed: ${wanted}/${wanted}\n`)
    t.match(answer, { exitCode: 0, stdout: processed }, mode)
  }
}

async function olderProtocol(t: Test, seat: Seat): Promise<void> {
  const env = { LD_LIBRARY_PATH: libDir, PGSSLMODE: 'require', PGMAXPROTOCOLVERSION: '3.0' }
  const args = ['-XAt', '-c', 'SELECT owner FROM items']
  const answer = await runTool(seat, { command: 'psql', args, env })
  t.match(answer, { exitCode: 0, stdout: `${seat.tenant}\n`, stderr: '' })
}

async function sleepers({ server }: Seat): Promise<number> {
  const text = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = '${SLEEP}'`
  return (await sql(server, 'postgres', text)).length
}
