import type { RedisServer } from '../../../test/support/redis.ts'
import { until } from '../../../test/support/until.ts'
import { progress, type Report } from '../report.ts'
import { median, percentile } from '../statistics.ts'
import { type Layers, namesOf, openLayers, type World } from './world.ts'

const TENANTS = 10_000
const ASKED = 2000
const IN_MEMORY = 1000
const MEMORY_LOOKUPS = 200_000
const WARM_UPS = 20
const AT_A_TIME: readonly number[] = [1, 32]
const ROUNDS = 3

const COLUMNS = ['found in', 'at a time', 'lookups/s', 'p50 µs', 'p99 µs']
const NOTE = `Medians of ${ROUNDS} rounds. One name each, as a session that begins looks up its tenant. From Redis
and Postgres ${ASKED.toLocaleString('en-US')} of ${TENANTS.toLocaleString('en-US')} names are asked, each once, by a process that has nothing of
it in memory; Postgres is asked over 4 connections.`

/** What one round of one row came to. */
interface Figures {
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
}

/** Whom a row is about, and how to get there. */
interface Scene {
  readonly layer: 'memory' | 'redis' | 'postgres'
  readonly label: string
  readonly names: readonly string[]
  open(): Promise<Layers>
}

/** How many names each layer finds in a second. */
export async function reportLookups(world: World): Promise<Report> {
  const rows: (readonly string[])[] = []
  for (const scene of await scenesOf(world)) {
    for (const atATime of AT_A_TIME) {
      const rounds: Figures[] = []
      for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measure(scene, atATime))
      const middle = (key: keyof Figures) => median(rounds.map((figures) => figures[key]))
      rows.push([
        scene.label,
        String(atATime),
        Math.round(middle('perSecond')).toLocaleString('en-US'),
        middle('p50Us').toFixed(1),
        middle('p99Us').toFixed(1),
      ])
      progress(rows.at(-1)?.join(' ') ?? '')
    }
  }
  return { columns: COLUMNS, rows, notes: [NOTE] }
}

async function scenesOf(world: World): Promise<readonly Scene[]> {
  const { redis } = world
  const url = await world.catalogOf(TENANTS)
  const names = namesOf(ASKED)
  const few = names.slice(0, IN_MEMORY)
  return [
    {
      layer: 'memory',
      label: 'memory',
      names: Array.from({ length: MEMORY_LOOKUPS / IN_MEMORY }, () => few).flat(),
      async open() {
        const layers = await openLayers(url)
        // The first times, for code that is compiled as it becomes busy.
        for (let time = 0; time < WARM_UPS; time += 1) await eachOf(few, 1, layers.find)
        return layers
      },
    },
    {
      layer: 'redis',
      label: 'Redis',
      names,
      async open() {
        await fillRedis(url, redis, names)
        return openLayers(url, redis)
      },
    },
    { layer: 'postgres', label: 'Postgres', names, open: () => openLayers(url) },
    {
      layer: 'postgres',
      label: 'Postgres, then put into Redis',
      names,
      async open() {
        await redis.run('FLUSHALL')
        return openLayers(url, redis)
      },
    },
  ]
}

async function fillRedis(url: string, redis: RedisServer, names: readonly string[]): Promise<void> {
  if ((await redis.run('DBSIZE')) === names.length) return
  await redis.run('FLUSHALL')
  const { opened, find } = await openLayers(url, redis)
  await eachOf(names, 32, find)
  await until(async () => (await redis.run('DBSIZE')) === names.length)
  opened.close()
}

/** @throws Error - the names were not found where the row says. */
async function measure({ layer, names, open }: Scene, atATime: number): Promise<Figures> {
  const { opened, hits, find } = await open()
  const before = hits(layer)
  const times: number[] = []
  const beganMs = performance.now()
  await eachOf(names, atATime, async (name) => {
    const askedMs = performance.now()
    await find(name)
    times.push((performance.now() - askedMs) * 1000)
  })
  const tookMs = performance.now() - beganMs
  opened.close()
  if (hits(layer) - before !== names.length) throw new Error(`not all were found in ${layer}`)
  return {
    perSecond: (names.length * 1000) / tookMs,
    p50Us: percentile(times, 50),
    p99Us: percentile(times, 99),
  }
}

/** Does something with each item, for so many at a time. */
export async function eachOf<Item>(
  items: readonly Item[],
  atATime: number,
  action: (item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items.values()
  const work = async () => {
    for (const item of left) await action(item)
  }
  await Promise.all(Array.from({ length: atATime }, work))
}
