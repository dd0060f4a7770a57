import { writeFile } from 'node:fs/promises'
import type { Test } from 'tap'
import { runTool } from '../support/driver-program.ts'
import { fromEverySeat, runChecks, type Seat } from '../support/driver-seats.ts'

const MODES = ['simple', 'extended', 'prepared']
const TRANSACTIONS = 10

/** One Sync for all of it, so all of it is one transaction. */
const PIPELINE = `\\set aid random(1, 100000)
\\startpipeline
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, 1, now());
\\endpipeline
`
/** Fails, by a division, where anything but the tenant's row is to be seen. */
const ownRow = (tenant: string) =>
  `SELECT 1 / (count(*) = 1 AND max(owner) = '${tenant}' AND max(id) = :id)::int FROM items;\n`

await fromEverySeat(
  (t, seat) =>
    runChecks(t, seat, {
      initialization,
      ...Object.fromEntries(MODES.map((mode) => [mode, (t, seat) => bench(t, seat, ['-M', mode])])),
      'a connection for each transaction': (t, seat) => bench(t, seat, ['-C']),
      'pipelines, extended': (t, seat) => pipelines(t, seat, 'extended'),
      'pipelines, prepared': (t, seat) => pipelines(t, seat, 'prepared'),
      'own rows alone': ownRows,
      'the tables are dropped': dropped,
    }),
  { majors: [18] },
)

async function initialization(t: Test, seat: Seat): Promise<void> {
  const args = ['--initialize', '--init-steps=dtgvpf', '--quiet']
  t.match(await runTool(seat, { command: 'pgbench', args }), { exitCode: 0 })
  t.equal(await count(seat, 'pgbench_accounts'), 100_000)
}

async function pipelines(t: Test, seat: Seat, mode: string): Promise<void> {
  const script = `${t.testdir({})}/pipeline.sql`
  await writeFile(script, PIPELINE)
  await bench(t, seat, [`--file=${script}`, '-M', mode])
}

async function ownRows(t: Test, seat: Seat): Promise<void> {
  const script = `${t.testdir({})}/own-rows.sql`
  await writeFile(script, ownRow(seat.tenant))
  for (const mode of MODES) {
    const args = ['-D', 'id=1', `--file=${script}`, '-M', mode]
    t.match(await runTool(seat, pgbench(seat, args)), everything(seat), mode)
  }
}

async function dropped(t: Test, seat: Seat): Promise<void> {
  const args = ['--initialize', '--init-steps=d']
  t.match(await runTool(seat, { command: 'pgbench', args }), { exitCode: 0 })
}

/** Runs it, and compares what it did with what the history says. */
async function bench(t: Test, seat: Seat, args: readonly string[]): Promise<void> {
  const before = await count(seat, 'pgbench_history')
  t.match(await runTool(seat, pgbench(seat, args)), everything(seat))
  const after = await count(seat, 'pgbench_history')
  t.equal(after - before, clients(seat) * TRANSACTIONS, 'transactions in the history')
}

function pgbench(seat: Seat, args: readonly string[]) {
  const count = clients(seat)
  // A thread each: pgbench waits for the answer to a Parse, and with it all clients of the thread,
  // also those whose transaction has the server connection that the first one waits for.
  const size = [`--client=${count}`, `--jobs=${count}`, `--transactions=${TRANSACTIONS}`]
  return { command: 'pgbench', args: ['--no-vacuum', ...size, ...args] }
}

/** More than there are server connections, where they can be shared. */
function clients({ mode }: Seat): number {
  return mode === 'transaction' ? 5 : 1
}

function everything(seat: Seat) {
  const wanted = clients(seat) * TRANSACTIONS
  const processed = new RegExp(`transactions actually processed: ${wanted}/${wanted}\n`)
  return { exitCode: 0, stdout: processed }
}

async function count(seat: Seat, table: string): Promise<number> {
  const client = await seat.proxy.connect(seat.tenant)
  const { rows } = await client.query(`SELECT count(*)::int AS count FROM ${table}`)
  await client.end()
  return rows[0].count
}
