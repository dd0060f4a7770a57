import t from 'tap'
import type { OpenCatalog } from '../../src/catalog/layers/open-catalog.ts'
import {
  type Generations,
  generationInRedis,
  isMixed,
  openTownCatalog,
  openWriter,
  readGenerations,
  writeGeneration,
} from '../support/catalog-generations.ts'
import { startTown } from '../support/catalog-town.ts'
import { FaultyWire } from '../support/catalog-wire.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const WRITERS = 4
/** At each of two catalogs. */
const READERS = 2
const TTL_MS = 1000
/** A committed change takes milliseconds; this is for machines that are busy with other tests. */
const SOON_MS = 5000
/** How much later than others a slow reader gets its answers. */
const DELAY_MS = 40

const town = await startTown(t)
const { source, redis } = town

type Rows = Parameters<typeof writeGeneration>[2]

/** Returns the generation that was committed last. */
async function writeAll(writes: number, rows: Rows): Promise<number> {
  let next = 0
  const work = async () => {
    const client = await openWriter(town)
    while (next < writes) {
      next += 1
      await writeGeneration(client, next, rows)
    }
    await client.end()
  }
  await Promise.all(Array.from({ length: WRITERS }, work))
  const [row] = await source.run(
    `SELECT settings ->> 'app.generation' AS latest FROM pgusher.tenants WHERE name = 'globex'`,
  )
  return Number(row?.['latest'])
}

async function readOn(opened: OpenCatalog, isOver: () => boolean): Promise<Generations[]> {
  const seen: Generations[] = []
  while (!isOver()) {
    seen.push(await readGenerations(opened))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return seen.filter(({ setting }) => !Number.isNaN(setting))
}

/** What is seen from now on that is not of that generation, in memory and in Redis. */
async function othersThan(latest: number, catalogs: readonly OpenCatalog[]): Promise<unknown[]> {
  const others: unknown[] = []
  const endMs = performance.now() + TTL_MS
  while (performance.now() < endMs) {
    for (const opened of catalogs) {
      const { setting } = await readGenerations(opened)
      if (setting !== latest) others.push(setting)
    }
    const cached = await generationInRedis(town)
    if (cached !== undefined && cached !== latest) others.push(`${cached} in Redis`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return others
}

for (const { name, writes, rows, slow } of [
  { name: 'two proxies', writes: 1000, rows: 'tenant and server', slow: undefined },
  { name: 'one of two proxies reads slowly', writes: 300, rows: 'tenant', slow: 'source' },
  { name: 'one of two proxies is slow at Redis', writes: 300, rows: 'tenant', slow: 'redis' },
] as const) {
  t.test(`${writes} changes of ${rows}, and reads meanwhile: ${name}`, async (t) => {
    await town.reset()
    const wire = await FaultyWire.to(slow === 'redis' ? redis.port : source.server.port)
    t.teardown(() => wire.stop())
    const through = {
      source: { postgres: { url: source.url.replace(/:\d+\//, `:${wire.port}/`) } },
      redis: { redis: { url: `redis://127.0.0.1:${wire.port}` } },
    }
    const times = { ttlMs: TTL_MS }
    const quick = await openTownCatalog(t, town, times)
    const other = await openTownCatalog(t, town, { ...times, ...(slow && through[slow]) })
    wire.delayMs = slow === undefined ? 0 : DELAY_MS

    let isOver = false
    const catalogs = [quick, other]
    const readers = catalogs.flatMap((opened) =>
      Array.from({ length: READERS }, () => readOn(opened, () => isOver)),
    )
    const latest = await writeAll(writes, rows)
    const seesLatest = async (opened: OpenCatalog) =>
      (await readGenerations(opened)).setting === latest
    for (const opened of catalogs) await until(() => seesLatest(opened), SOON_MS)
    const late = await openTownCatalog(t, town, times)
    t.strictSame(await othersThan(latest, [...catalogs, late]), [], 'nothing older comes back')
    isOver = true

    const seen = (await Promise.all(readers)).flat()
    t.ok(new Set(seen.map(({ setting }) => setting)).size > 10, `${seen.length} reads`)
    const mixed = seen.filter(isMixed)
    t.strictSame(mixed, [], 'no record is of two generations')
  })
}
