import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import pg from 'pg'
import { readMetric } from '../../../test/support/proxy.ts'
import type { RedisServer } from '../../../test/support/redis.ts'
import type { Cleanup } from '../cleanup.ts'
import { startPgusher } from '../pgusher.ts'
import { exactCpuUs } from '../process-usage.ts'
import { progress, type Report } from '../report.ts'
import { percentile } from '../statistics.ts'
import { openClient } from '../tenant-clients.ts'
import { eachOf } from './lookups.ts'
import { catalogSettings, createSchemas, namesOf, openLayers, type World } from './world.ts'

const CHANGES = 200
const TENANTS = 10_000
const MANY = 100_000
/** Known to the proxy when all of them change, and those with a session. */
const KNOWN = 1000
const SESSIONS = 100
const AFTERWARDS_MS = 10_000
const LONGEST_MS = 5000

/** How soon a change of one tenant is seen by others. */
export async function reportChanges(world: World): Promise<Report> {
  const url = await world.catalogOf(TENANTS)
  const rows: (readonly string[])[] = []
  for (const redis of [world.redis, undefined]) {
    const times = await measureChanges(url, redis)
    const figures = [50, 99, 100].map((share) => percentile(times, share).toFixed(2))
    rows.push([redis === undefined ? 'no' : 'yes', ...figures])
    progress(rows.at(-1)?.join(' ') ?? '')
  }
  const notes = [
    `${CHANGES} changes of one tenant that is in memory: from the answer to COMMIT until a lookup through
another catalog, which is asked without a pause, leads to what is new.`,
  ]
  return { columns: ['Redis', 'p50 ms', 'p99 ms', 'longest ms'], rows, notes }
}

/** In ms. */
async function measureChanges(
  url: string,
  redis: RedisServer | undefined,
): Promise<readonly number[]> {
  const writer = new pg.Client(url)
  await writer.connect()
  const { opened, find } = await openLayers(url, redis)
  const times: number[] = []
  for (let change = 0; change < CHANGES; change += 1) {
    const name = `t${change % 100}`
    const { isSuspended } = await find(name)
    await writer.query('UPDATE pgusher.tenants SET status = $1 WHERE name = $2', [
      isSuspended ? 'active' : 'suspended',
      name,
    ])
    const committedMs = performance.now()
    while ((await find(name)).isSuspended === isSuspended) {
      if (performance.now() - committedMs > LONGEST_MS) throw new Error('a change was not seen')
      await turn()
    }
    times.push(performance.now() - committedMs)
  }
  opened.close()
  await writer.end()
  return times
}

/** What it costs that all tenants change in one statement. */
export async function reportMassChange(world: World, cleanup: Cleanup): Promise<Report> {
  const url = await world.catalogOf(MANY)
  const known = namesOf(KNOWN)
  await createSchemas(world, known.slice(0, SESSIONS))
  const daemon = await startPgusher(catalogSettings(url, world.redis))
  cleanup.defer(daemon.stop)
  const visit = async (name: string) => (await openClient(daemon, name)).end()
  await eachOf(known, 16, visit)
  const clients: pg.Client[] = []
  for (const name of known.slice(0, SESSIONS)) clients.push(await openClient(daemon, name))
  const { adminPort, pid } = daemon
  const asked = () => readMetric(adminPort, 'pgusher_catalog_lookups_total', { layer: 'postgres' })
  const told = () => readMetric(adminPort, 'pgusher_catalog_changes_total', { via: 'postgres' })
  const before = { asked: await asked(), told: await told(), cpuUs: exactCpuUs(pid) }
  const statementMs = await changeAll(url)
  const during = { cpuUs: exactCpuUs(pid) }
  await sleep(AFTERWARDS_MS)
  const after = { asked: await asked(), told: await told(), cpuUs: exactCpuUs(pid) }
  const againBeganMs = performance.now()
  await eachOf(known, 16, visit)
  const againMs = performance.now() - againBeganMs
  const again = await asked()
  await Promise.all(clients.map((client) => client.end()))
  await daemon.stop()
  const rows = [
    ['the statement', `${(statementMs / 1000).toFixed(1)} s`],
    ['messages to each proxy', String(after.told - before.told)],
    ['lookups at Postgres before anybody asks', String(after.asked - before.asked)],
    ['CPU of the proxy during the statement', ms(during.cpuUs - before.cpuUs)],
    [`CPU of the proxy in the ${AFTERWARDS_MS / 1000} s behind it`, ms(after.cpuUs - during.cpuUs)],
    [`lookups at Postgres when ${KNOWN} tenants log in again`, String(again - after.asked)],
    ['which takes', `${againMs.toFixed(0)} ms`],
  ]
  const notes = [
    `${MANY.toLocaleString('en-US')} tenants get another label in one UPDATE. The proxy has ${KNOWN.toLocaleString('en-US')} of them in memory, and an idle
session of ${SESSIONS}.`,
  ]
  return { columns: ['what', 'figure'], rows, notes }
}

/** Resolves to how long it took, in ms. */
async function changeAll(url: string): Promise<number> {
  const writer = new pg.Client(url)
  await writer.connect()
  const beganMs = performance.now()
  await writer.query(`UPDATE pgusher.tenants SET labels = '{"plan": "gold"}'`)
  const tookMs = performance.now() - beganMs
  await writer.end()
  return tookMs
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(0)} ms`
}
