import t, { type Test } from 'tap'
import { Metrics } from '../../../src/telemetry/metrics.ts'
import {
  KEEP_MS,
  NEWCOMER_FACTOR,
  RANK_EVERY_MS,
} from '../../../src/telemetry/tenants/tenant-labels.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { samplesOf } from '../metrics-fixture.ts'

const NO_BYTES = { receivedBytes: 0, sentBytes: 0 }

/** Two labels, and tenants that can be made busy. */
function scene(options = { tenantLabels: 2, maxTenants: 100 }) {
  const clock = new FakeClock()
  let current = options
  const metrics = new Metrics({ clock, tenants: () => current })
  const { sessionObserver: observer } = metrics
  return {
    configure(next: typeof options) {
      current = next
    },
    work: (name: string, durationMs: number) =>
      observer.tenant(name).requestEnded({ queries: 1, durationMs, ...NO_BYTES }),
    wait: (name: string, waitMs: number) => observer.tenant(name).checkedOut(waitMs),
    /** The series of queries by tenant, at the next ranks. */
    async ranked(afterMs = RANK_EVERY_MS) {
      clock.advance(afterMs)
      return await this.now()
    },
    async now(): Promise<Readonly<Record<string, number>>> {
      const found: [string, number][] = []
      for (const [sample, value] of await samplesOf(metrics)) {
        const [, tenant] = /^pgusher_tenant_queries_total\{tenant="(.+)"\}$/.exec(sample) ?? []
        if (tenant !== undefined) found.push([tenant, value])
      }
      return Object.fromEntries(found)
    },
  }
}

/** `c` has won the label of `b` by rank. */
async function replaced(t: Test) {
  const town = scene()
  town.work('a', 100)
  town.work('b', 10)
  town.work('c', 50)
  t.strictSame(await town.ranked(), { a: 1, b: 1, c: 0, other: 1 }, 'b is shown once more')
  return town
}

t.test('while there are labels, who comes first has one', async (t) => {
  const town = scene()
  for (const name of ['a', 'b', 'c']) town.work(name, 10)
  t.strictSame(await town.now(), { a: 1, b: 1, other: 1 })
})

t.test('a busier tenant gets the label of the least busy', async (t) => {
  const town = await replaced(t)
  town.work('b', 1)
  town.work('c', 1)
  t.strictSame(await town.now(), { a: 1, b: 1, c: 1, other: 2 }, 'b stands still')
  t.strictSame(await town.ranked(), { a: 1, c: 1, other: 2 }, 'b is gone')
})

t.test('ranks are taken once a minute', async (t) => {
  const town = scene()
  town.work('a', 10)
  town.work('b', 10)
  town.work('c', 100)
  t.strictSame(await town.ranked(RANK_EVERY_MS - 1), { a: 1, b: 1, other: 1 })
  t.strictSame(await town.ranked(1), { a: 1, b: 1, c: 0, other: 1 })
})

t.test('a tenant that is hardly busier gets none', async (t) => {
  const town = scene()
  town.work('a', 100)
  town.work('b', 100)
  town.work('c', 100 * NEWCOMER_FACTOR)
  t.strictSame(await town.ranked(), { a: 1, b: 1, other: 1 })
})

t.test('waiting counts as much as being served', async (t) => {
  const town = scene()
  town.work('a', 100)
  town.work('b', 10)
  town.wait('c', 50)
  t.match(await town.ranked(), { c: 0 })
})

t.test('idle tenants take nothing from each other', async (t) => {
  const town = scene()
  town.work('a', 0)
  town.work('b', 0)
  town.work('c', 0.5)
  t.strictSame(await town.ranked(), { a: 1, b: 1, other: 1 })
})

t.test('a label that was won is kept for ten minutes', async (t) => {
  const town = await replaced(t)
  town.work('b', 10_000)
  town.work('a', 100_000)
  t.strictSame(await town.ranked(KEEP_MS - RANK_EVERY_MS), { a: 2, c: 0, other: 2 })
  town.work('b', 10_000)
  t.match(await town.ranked(), { b: 1 }, 'and no longer')
})

t.test('who gets its label again goes on where it was', async (t) => {
  const town = await replaced(t)
  town.work('b', 10_000)
  town.work('a', 100_000)
  t.strictSame(await town.ranked(KEEP_MS), { a: 2, b: 1, c: 0, other: 2 })
  town.work('b', 1)
  t.strictSame(await town.now(), { a: 2, b: 2, c: 0, other: 2 })
})

t.test('what was long ago counts little', async (t) => {
  const town = scene()
  town.work('a', 1000)
  town.work('b', 1000)
  await town.ranked()
  await town.ranked()
  await town.ranked()
  await town.ranked()
  town.work('c', 100)
  t.match(await town.ranked(), { c: 0 }, 'a and b have 1000 / 16 left, less than 100 / 1.5')
})

t.test('fewer labels take effect with the next ranks', async (t) => {
  const town = scene()
  town.work('a', 10)
  town.work('b', 100)
  town.configure({ tenantLabels: 1, maxTenants: 100 })
  t.strictSame(await town.ranked(), { a: 1, b: 1, other: 0 })
  t.strictSame(await town.ranked(), { b: 1, other: 0 })
  town.configure({ tenantLabels: 2, maxTenants: 100 })
  town.work('c', 10)
  t.strictSame(await town.now(), { b: 1, c: 1, other: 0 }, 'and more of them at once')
})

t.test('only half of the tenants that are counted can ever have a label', async (t) => {
  const town = scene({ tenantLabels: 1, maxTenants: 4 })
  town.work('a', 10)
  town.work('b', 100)
  t.match(await town.ranked(), { b: 0 })
  town.work('c', 10_000)
  t.strictSame(await town.ranked(KEEP_MS), { b: 0, other: 2 }, 'c would be the third')
  town.work('a', 100_000)
  t.match(await town.ranked(), { a: 1 }, 'a had one before')
})

t.test('of many newcomers the busiest get the labels', async (t) => {
  const town = scene({ tenantLabels: 3, maxTenants: 100 })
  for (const name of ['a', 'b', 'c']) town.work(name, 5)
  for (const [name, ms] of Object.entries({ d: 30, e: 50, f: 40, g: 20, h: 60, i: 10 })) {
    town.work(name, ms)
  }
  t.strictSame(await town.ranked(), { a: 1, b: 1, c: 1, e: 0, f: 0, h: 0, other: 6 })
  t.strictSame(await town.ranked(), { e: 0, f: 0, h: 0, other: 6 })
})
