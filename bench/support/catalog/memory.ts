import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Cleanup } from '../cleanup.ts'
import { startPgusher } from '../pgusher.ts'
import { steadyKb } from '../process-usage.ts'
import { progress, type Report } from '../report.ts'
import { openClient } from '../tenant-clients.ts'
import { eachOf } from './lookups.ts'
import { catalogSettings, namesOf, openLayers, type World } from './world.ts'

/** Growth counts between these two: before, code is compiled and tables find their size. */
const FROM = 1000
const TO = 10_000
const AT_A_TIME = 16

const COLUMNS = [
  'in memory',
  'heap bytes each',
  'pgusher_catalog_bytes each',
  'resident bytes each',
]
const NOTE = `From ${FROM.toLocaleString('en-US')} tenants in memory to ${TO.toLocaleString('en-US')}. Heap: what is left after garbage collection, in a
process with nothing but the catalog. Resident: growth of VmRSS of a proxy by a tenant that had a
session, with all that it remembers of it beside the catalog.`

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** What a tenant in memory takes. */
export async function reportMemory(world: World, cleanup: Cleanup): Promise<Report> {
  const plain = await world.catalogOf(TO)
  const rich = await world.richCatalogOf(TO)
  const residentBytes = await measureResident(plain, cleanup)
  const rows = [
    ['schema, nothing but a name', ...(await measureHeap(plain)), residentBytes.toFixed(0)],
    ['database, with all there is', ...(await measureHeap(rich)), ''],
  ]
  return { columns: COLUMNS, rows, notes: [NOTE] }
}

async function measureHeap(url: string): Promise<readonly string[]> {
  const { opened, find } = await openLayers(url)
  const names = namesOf(TO)
  await eachOf(names.slice(0, FROM), AT_A_TIME, find)
  const before = { heap: heapBytes(), counted: opened.health().bytes }
  await eachOf(names.slice(FROM), AT_A_TIME, find)
  const after = { heap: heapBytes(), counted: opened.health().bytes }
  opened.close()
  return [after.heap - before.heap, after.counted - before.counted].map((bytes) =>
    (bytes / (TO - FROM)).toFixed(0),
  )
}

async function measureResident(url: string, cleanup: Cleanup): Promise<number> {
  const daemon = await startPgusher(catalogSettings(url, undefined))
  cleanup.defer(daemon.stop)
  const names = namesOf(TO)
  const visit = async (name: string) => {
    const client = await openClient(daemon, name)
    await client.end()
  }
  await eachOf(names.slice(0, FROM), AT_A_TIME, visit)
  const beforeKb = await steadyKb(daemon.pid)
  await eachOf(names.slice(FROM), AT_A_TIME, visit)
  const afterKb = await steadyKb(daemon.pid)
  await daemon.stop()
  progress(`${FROM} tenants: ${beforeKb} kB, ${TO} tenants: ${afterKb} kB`)
  return ((afterKb - beforeKb) * 1024) / (TO - FROM)
}

function heapBytes(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
