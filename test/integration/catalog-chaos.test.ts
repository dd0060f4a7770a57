import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { CatalogUnavailableError } from '../../src/catalog/catalog-errors.ts'
import type { OpenCatalog } from '../../src/catalog/layers/open-catalog.ts'
import {
  type Generations,
  isMixed,
  openTownCatalog,
  openWriter,
  readGenerations,
  writeGeneration,
} from '../support/catalog-generations.ts'
import { startTown } from '../support/catalog-town.ts'
import { FaultyWire, type WireFault } from '../support/catalog-wire.ts'

t.setTimeout(120_000)

const LASTS_MS = 10_000
const TTL_MS = 200
/** For machines that are busy with other tests; what is missed shows for all the rest of the time. */
const SLACK_MS = 1500
/** Between changes; the long ones are for what was missed to show. */
const PAUSES_MS = [10, 30, 900, 900]
const FAULTS: readonly WireFault[] = ['cut', 'silent', 'garbage', 'none']

const town = await startTown(t)
const { source, redis } = town

function pick<T>(values: readonly T[]): T | undefined {
  return values[Math.floor(Math.random() * values.length)]
}

/** What becomes of messages between a proxy and Redis. */
async function disturb(wire: FaultyWire): Promise<void> {
  wire.fault = Math.random() < 0.2 ? (pick(FAULTS) ?? 'none') : 'none'
  wire.delayMs = pick([0, 0, 20]) ?? 0
  if (Math.random() < 0.1) wire.cutAll()
  if (Math.random() < 0.1) await redis.run('FLUSHALL')
}

/** Ends all connections of the proxies to the source: of what changes now, nobody is told. */
async function deafen(): Promise<void> {
  await source.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'pgusher-catalog'`)
}

/** `undefined` where the source can't be asked: then nothing is known, or nothing that is current. */
async function readOrNot(opened: OpenCatalog): Promise<Generations | undefined> {
  try {
    const seen = await readGenerations(opened)
    return seen.isStale ? undefined : seen
  } catch (error) {
    if (error instanceof CatalogUnavailableError) return undefined
    throw error
  }
}

/** What was read over all, and when each generation was surely there for all to see. */
class Journal {
  readonly committedMs: number[] = [0]
  readonly mixed: Generations[] = []
  reads = 0
  /** Longest time by which an answer was out of date. */
  oldestMs = 0

  note(seen: Generations, startedMs: number): void {
    // It was outdated as soon as its successor was there.
    const outdatedMs = this.committedMs[seen.setting + 1] ?? startedMs
    this.oldestMs = Math.max(this.oldestMs, startedMs - outdatedMs)
    if (isMixed(seen)) this.mixed.push(seen)
    this.reads += 1
  }
}

async function writeOn({ committedMs }: Journal, isOver: () => boolean): Promise<void> {
  const client = await openWriter(town)
  while (!isOver()) {
    if (Math.random() < 0.5) await deafen()
    await writeGeneration(client, committedMs.length, 'tenant')
    committedMs.push(performance.now())
    await sleep(pick(PAUSES_MS))
  }
  await client.end()
}

async function readOn(opened: OpenCatalog, journal: Journal, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const startedMs = performance.now()
    const seen = await readOrNot(opened)
    if (seen !== undefined) journal.note(seen, startedMs)
    await sleep(1)
  }
}

t.test('whatever is lost on the way, nothing serves longer than its time', async (t) => {
  const wires = [await FaultyWire.to(redis.port), await FaultyWire.to(redis.port)]
  for (const wire of wires) t.teardown(() => wire.stop())
  const catalogs = await Promise.all(
    wires.map(({ port }) =>
      openTownCatalog(t, town, {
        ttlMs: TTL_MS,
        redis: { url: `redis://127.0.0.1:${port}`, timeoutMs: 50 },
        breakerMaxMs: 300,
      }),
    ),
  )
  const endMs = performance.now() + LASTS_MS
  const isOver = () => performance.now() > endMs
  const disturbing = (async () => {
    while (!isOver()) {
      for (const wire of wires) await disturb(wire)
      await sleep(Math.random() * 2000)
    }
  })()
  const journal = new Journal()
  const reading = catalogs.map((opened) => readOn(opened, journal, isOver))
  await Promise.all([...reading, writeOn(journal, isOver), disturbing])
  const { reads, oldestMs, mixed } = journal
  t.strictSame(mixed, [])
  t.ok(reads > 100, `${reads} reads`)
  t.ok(oldestMs < TTL_MS + SLACK_MS, `the oldest was out of date for ${Math.round(oldestMs)} ms`)
})
