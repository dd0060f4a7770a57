import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Cleanup } from '../cleanup.ts'
import type { Daemon } from '../daemon.ts'
import { startPgusher } from '../pgusher.ts'
import { exactCpuUs, steadyKb } from '../process-usage.ts'
import { progress, type Report } from '../report.ts'
import { median } from '../statistics.ts'
import { openClient, timed } from '../tenant-clients.ts'
import { catalogSettings, createSchemas, fileSettings, namesOf, type World } from './world.ts'

const COUNTS: readonly number[] = [10, 10_000, 100_000]
/** A proxy that has its tenants in the file and no catalog, to compare with. */
const FILE = '10, in the file'
const ROUNDS = 3
/** Long enough for a heartbeat of each link. Garbage of the start is collected in one or two of them. */
const IDLE_MS = 3000
const IDLE_WINDOWS = 5
/** Tenants that are asked, the same ones in every catalog, and how often. */
const ASKED = 10
const QUERIES = 5000
const QUERY = 'SELECT owner FROM items WHERE id = 1'

const COLUMNS = [
  'tenants',
  'start ms',
  'resident MB',
  'idle CPU µs/s',
  'first login ms',
  'query ms',
  'CPU µs/query',
]
const NOTE = `Medians of ${ROUNDS} rounds. Start: from the start of the process to the first accepted connection.
Idle: a proxy that nobody has asked for anything; the middle one of ${IDLE_WINDOWS} windows of ${IDLE_MS / 1000} s.
Queries go to ${ASKED} tenants in turn; CPU time is that of the
proxy's process.`

/** What a catalog of that size costs a proxy. */
export async function reportSizes(world: World, cleanup: Cleanup): Promise<Report> {
  const tenants = namesOf(ASKED)
  await createSchemas(world, tenants)
  const subjects: Subject[] = [{ label: FILE, settings: fileSettings(world, tenants), rounds: [] }]
  for (const count of COUNTS) {
    const settings = catalogSettings(await world.catalogOf(count), world.redis)
    subjects.push({ label: count.toLocaleString('en-US'), settings, rounds: [] })
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { label, settings, rounds } of subjects) {
      // Entries of one catalog would answer for the other.
      await world.redis.run('FLUSHALL')
      const figures = await measure(settings, tenants, cleanup)
      rounds.push(figures)
      progress(`${label}: ${figures.map((figure) => figure.toFixed(1)).join(' ')}`)
    }
  }
  return { columns: COLUMNS, rows: subjects.map(rowOf), notes: [NOTE] }
}

/** One row of the table, and what each round came to. */
interface Subject {
  readonly label: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly rounds: (readonly number[])[]
}

function rowOf({ label, rounds }: Subject): readonly string[] {
  const figures = [0, 0, 0, 2, 3, 1].map((digits, index) =>
    median(rounds.map((round) => round[index] ?? Number.NaN)).toFixed(digits),
  )
  return [label, ...figures]
}

/** The figures of one row. */
async function measure(
  settings: Subject['settings'],
  tenants: readonly string[],
  cleanup: Cleanup,
): Promise<readonly number[]> {
  const daemon = await startPgusher(settings)
  cleanup.defer(daemon.stop)
  try {
    const residentMb = (await steadyKb(daemon.pid)) / 1024
    const idleUs = await idleUsPerSecond(daemon.pid)
    return [daemon.startMs, residentMb, idleUs, ...(await ask(daemon, tenants))]
  } finally {
    await daemon.stop()
  }
}

async function idleUsPerSecond(pid: number): Promise<number> {
  const windows: number[] = []
  for (let window = 0; window < IDLE_WINDOWS; window += 1) {
    const beganUs = exactCpuUs(pid)
    await sleep(IDLE_MS)
    windows.push((exactCpuUs(pid) - beganUs) / (IDLE_MS / 1000))
  }
  return median(windows)
}

async function ask(daemon: Daemon, tenants: readonly string[]): Promise<readonly number[]> {
  const clients: pg.Client[] = []
  try {
    const loginMs = await timed(tenants, async (tenant) => {
      clients.push(await openClient(daemon, tenant))
    })
    const turns = Array.from({ length: QUERIES / clients.length }, () => clients).flat()
    await timed(turns.slice(0, QUERIES / 5), (client) => client.query(QUERY))
    const beganUs = exactCpuUs(daemon.pid)
    const queryMs = await timed(turns, (client) => client.query(QUERY))
    const cpuUs = (exactCpuUs(daemon.pid) - beganUs) / turns.length
    return [median(loginMs), median(queryMs), cpuUs]
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}
