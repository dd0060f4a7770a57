import type pg from 'pg'
import { sealedSettings, startSealedTown } from '../test/isolation/sealed-town.ts'
import type { PostgresServer } from '../test/support/postgres.ts'
import { saasSettings, startSaas } from '../test/support/saas.ts'
import { readArguments } from './support/arguments.ts'
import { type Cleanup, withCleanup } from './support/cleanup.ts'
import { startPgusher } from './support/pgusher.ts'
import { exactCpuUs } from './support/process-usage.ts'
import { printReport, progress } from './support/report.ts'
import { startSlowLine } from './support/slow-line.ts'
import { median } from './support/statistics.ts'
import { openClient } from './support/tenant-clients.ts'

const USAGE = `Usage: node dist/bench/link-cost.js [--rounds N] [--markdown]

What a change of tenant costs: two tenants in turn on one shared server connection, against one
tenant alone. Also over a line that is slow by 4 ms both ways, where a round trip would show.
`

const DELAY_MS = 2
const STATEMENTS = 2000
const STATEMENTS_SLOW = 200
const QUERY = 'SELECT owner FROM items WHERE id = 1'
const SCHEMA = { strategy: 'schema', names: ['globex', 'hooli'] } as const
const ROW = { strategy: 'row', names: ['initech', 'initrode'] } as const
/** A sealed schema tenant has a server login of its own: its connections never change tenant. */
const PLANS = [
  { ...SCHEMA, level: 'convenience' },
  { ...SCHEMA, level: 'guarded' },
  { ...ROW, level: 'convenience' },
  { ...ROW, level: 'guarded' },
  { ...ROW, level: 'sealed' },
] as const

/** What one statement took. */
interface Cost {
  readonly latencyUs: number
  /** CPU time of the server's backend. */
  readonly serverUs: number
}

const COLUMNS = [
  'strategy',
  'level',
  'added latency µs',
  'added server CPU µs',
  `added latency µs, ${2 * DELAY_MS} ms line`,
]
const NOTE = `A statement behind a change of tenant, less the same statement without one; medians of the rounds.
One more round trip would add ${2000 * DELAY_MS} µs or more on the slow line.`

const options = readArguments(USAGE, {
  rounds: { type: 'string' },
  markdown: { type: 'boolean' },
})

await withCleanup(async (cleanup) => {
  const rounds = options.number('rounds', 7)
  const open = await startSaas(18)
  cleanup.defer(() => open.stop())
  const sealed = await startSealedTown(18)
  cleanup.defer(() => sealed.stop())
  const rows: (readonly string[])[] = []
  for (const plan of PLANS) {
    const server = plan.level === 'sealed' ? sealed : open
    const line = await startSlowLine(server.port, DELAY_MS)
    cleanup.defer(line.stop)
    const near = await compare({ server, port: server.port, ...plan }, { rounds, cleanup })
    const far = await compare({ server, port: line.port, ...plan }, { rounds, cleanup })
    rows.push([plan.strategy, plan.level, ...near.map(shown), ...far.slice(0, 1).map(shown)])
  }
  printReport({ columns: COLUMNS, rows, notes: [NOTE] }, options.has('markdown'))
})

function shown(us: number): string {
  return us.toFixed(0)
}

/** What is compared, and over which port the proxy reaches the server. */
interface Setting {
  readonly server: PostgresServer
  readonly port: number
  readonly strategy: string
  readonly level: string
  readonly names: readonly [string, string]
}

async function compare(
  setting: Setting,
  { rounds, cleanup }: { readonly rounds: number; readonly cleanup: Cleanup },
): Promise<readonly [number, number]> {
  const daemon = await startProxy(setting)
  cleanup.defer(daemon.stop)
  const [first, second] = await Promise.all(
    setting.names.map((tenant) => openClient(daemon, tenant)),
  )
  if (first === undefined || second === undefined) throw new Error('there are two tenants')
  try {
    const count = setting.port === setting.server.port ? STATEMENTS : STATEMENTS_SLOW
    const latencies: number[] = []
    const serverTimes: number[] = []
    await run([first, second], count)
    for (let round = 0; round < rounds; round += 1) {
      const alone = await run([first, first], count)
      const inTurn = await run([first, second], count)
      latencies.push(inTurn.latencyUs - alone.latencyUs)
      serverTimes.push(inTurn.serverUs - alone.serverUs)
    }
    progress(
      `${setting.strategy}, ${setting.level}, port ${setting.port}: ${latencies.map(shown).join(' ')} µs`,
    )
    return [median(latencies), median(serverTimes)]
  } finally {
    await Promise.all([first.end(), second.end()])
    await daemon.stop()
  }
}

async function run(clients: readonly [pg.Client, pg.Client], count: number): Promise<Cost> {
  const { rows } = await clients[0].query('SELECT pg_backend_pid() AS pid')
  const pid = Number(rows[0]?.pid)
  const serverBeganUs = exactCpuUs(pid)
  const times: number[] = []
  for (let index = 0; index < count; index += 1) {
    const beganMs = performance.now()
    await clients[index % 2 === 0 ? 0 : 1].query(QUERY)
    times.push((performance.now() - beganMs) * 1000)
  }
  return { latencyUs: median(times), serverUs: (exactCpuUs(pid) - serverBeganUs) / count }
}

function startProxy({ server, port, level }: Setting) {
  // One server connection: a change of tenant can't be avoided.
  const pool = { size: 1 }
  const behind: PostgresServer = {
    ...server,
    url: (database, login) => {
      const url = new URL(server.url(database, login))
      url.port = String(port)
      return url.href
    },
  }
  const settings =
    level === 'sealed'
      ? sealedSettings(behind, { pool })
      : saasSettings(behind, { pool, isolation: { level } })
  return startPgusher(settings)
}
