import t from 'tap'
import { MemoryCache, youthOf } from '../../../src/catalog/layers/memory-cache.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { absentEntry, OPTIONS, TTL_MS, tenantEntry, tenantName } from './layers-fixture.ts'

const ACME = tenantName('acme')

function newMemory(changed: Partial<typeof OPTIONS> = {}) {
  const clock = new FakeClock()
  const memory = new MemoryCache({ ...OPTIONS, ...changed }, clock)
  const now = (isLatest = true, ageMs = 0) => ({ ageMs, era: memory.era, isLatest })
  return { clock, memory, now }
}

t.test('an entry is fresh, then ageing, then due, by its age at the source', async (t) => {
  const { clock, memory, now } = newMemory()
  memory.keep(ACME, tenantEntry('acme', 1), now(true, 1000))
  t.match(memory.find(ACME), { standing: 'fresh', ageMs: 1000, isStale: false })
  clock.advance(TTL_MS * 0.5 - 1001)
  t.equal(memory.find(ACME)?.standing, 'fresh')
  clock.advance(TTL_MS * 0.25 + 1)
  t.equal(memory.find(ACME)?.standing, 'ageing')
  clock.advance(TTL_MS * 0.25 - 1)
  t.equal(memory.find(ACME)?.standing, 'ageing')
  clock.advance(1)
  t.match(memory.find(ACME), { standing: 'due', ageMs: TTL_MS, isStale: false })
})

t.test('that there is no such name holds for the negative time at most, with jitter', async (t) => {
  const { clock, memory, now } = newMemory()
  memory.keep(ACME, absentEntry(1), now())
  clock.advance(799)
  t.equal(memory.find(ACME)?.standing, 'fresh')
  clock.advance(201)
  t.equal(memory.find(ACME)?.standing, 'due')
})

t.test('young is drawn anew between half and three quarters of the time', async (t) => {
  const drawn = Array.from({ length: 200 }, () => youthOf(TTL_MS))
  t.ok(drawn.every((ms) => ms >= TTL_MS * 0.5 && ms < TTL_MS * 0.75))
  t.ok(new Set(drawn).size > 100)
})

t.test('a told version makes older entries vanish, and keeps them out', async (t) => {
  const { memory, now } = newMemory()
  memory.keep(ACME, tenantEntry('acme', 4), now())
  memory.voidName(ACME, 4)
  t.equal(memory.find(ACME)?.standing, 'fresh', 'it has the change in it')
  memory.voidName(ACME, 5)
  t.equal(memory.find(ACME), undefined)
  memory.keep(ACME, tenantEntry('acme', 4), now())
  t.equal(memory.find(ACME), undefined)
  memory.voidName(ACME, 3)
  t.equal(memory.supersededBelow(ACME), 5, 'it does not fall')
  memory.keep(ACME, tenantEntry('acme', 5), now())
  t.equal(memory.find(ACME)?.standing, 'fresh')
  t.equal(memory.minimumOf(tenantName('globex')), 0, 'others are not meant')
})

t.test('a change stays known when ten thousand others are told after it', async (t) => {
  const { memory, now } = newMemory()
  memory.keep(ACME, tenantEntry('acme', 1), now())
  memory.voidName(ACME, 2)
  for (let count = 0; count < 10_001; count += 1) memory.voidName(tenantName(`t${count}`), 3)
  t.equal(memory.find(ACME), undefined)
})

t.test('a change without a version makes what is held due, and ends its rest', async (t) => {
  const { memory, now } = newMemory()
  memory.keep(ACME, tenantEntry('acme', 4), now())
  memory.voidName(ACME, undefined)
  t.match(memory.find(ACME), { standing: 'due', isStale: false })
  memory.rest(ACME, 1000)
  t.match(memory.find(ACME), { standing: 'due', isStale: true })
  memory.voidName(ACME, undefined)
  t.match(memory.find(ACME), { standing: 'due', isStale: false })
  memory.keep(ACME, tenantEntry('acme', 4), now(false))
  t.equal(memory.find(ACME)?.standing, 'fresh', 'read again')
})

t.test('a change of all: by version, or of everything that was read before', async (t) => {
  const { memory, now } = newMemory()
  memory.keep(ACME, tenantEntry('acme', 4), now())
  memory.voidAll(4)
  t.equal(memory.find(ACME)?.standing, 'fresh')
  memory.voidAll(5)
  t.equal(memory.find(ACME)?.standing, 'due', 'held as last known good')
  t.equal(memory.supersededBelow(ACME), 0)
  memory.voidAll(3)
  t.equal(memory.minimumOf(ACME), 5, 'it does not fall')
  const before = now()
  memory.voidAll(undefined)
  memory.keep(ACME, tenantEntry('acme', 6), before)
  t.equal(memory.find(ACME)?.standing, 'due', 'read in the era before')
  memory.keep(ACME, tenantEntry('acme', 6), now())
  t.equal(memory.find(ACME)?.standing, 'fresh')
})

t.test('a newer entry stays, unless the source itself goes back', async (t) => {
  const { memory, now } = newMemory()
  memory.keep(ACME, tenantEntry('acme', 9), now())
  t.equal(memory.versionOf(ACME), 9)
  memory.keep(ACME, tenantEntry('acme', 8), now(false))
  t.equal(memory.find(ACME)?.entry.asOf, 9)
  memory.keep(ACME, absentEntry(8), now(false))
  t.equal(memory.find(ACME)?.entry.kind, 'tenant')
  memory.keep(ACME, tenantEntry('acme', 8), now())
  t.equal(memory.find(ACME)?.entry.asOf, 8, 'a backup was restored')
})

t.test('an entry takes the place of its opposite', async (t) => {
  const { memory, now } = newMemory()
  memory.keep(ACME, absentEntry(1), now())
  memory.keep(ACME, tenantEntry('acme', 2), now())
  t.equal(memory.count, 1)
  memory.keep(ACME, absentEntry(3), now())
  t.match(memory.find(ACME), { entry: { kind: 'absent' } })
  t.equal(memory.count, 1)
  memory.keep(ACME, { kind: 'refused', asOf: 3 }, now())
  t.match(memory.find(ACME), { entry: { kind: 'refused' } })
  t.equal(memory.count, 1)
})

t.test('what nobody can be asked about serves for a while', async (t) => {
  const { clock, memory, now } = newMemory()
  memory.keep(ACME, tenantEntry('acme', 1), now())
  memory.rest(ACME, 1000)
  t.equal(memory.find(ACME)?.isStale, false, 'its time is not over')
  clock.advance(TTL_MS)
  memory.rest(ACME, 1000)
  clock.advance(999)
  t.match(memory.find(ACME), { standing: 'due', isStale: true, ageMs: TTL_MS + 999 })
  clock.advance(1)
  t.equal(memory.find(ACME)?.isStale, false)
  for (const version of [undefined, 7]) {
    memory.rest(ACME, 1000)
    t.equal(memory.find(ACME)?.isStale, true)
    memory.voidAll(version)
    t.equal(memory.find(ACME)?.isStale, false, 'what was told of all is asked about at once')
  }
})

t.test('names that nobody knows push out no tenant, and count in bytes', async (t) => {
  const { memory, now } = newMemory({ maxEntries: 50, maxBytes: 1_048_576 })
  memory.keep(ACME, tenantEntry('acme', 1), now())
  for (let count = 0; count < 500; count += 1) {
    const name = { kind: 'login', name: `${count}`.padEnd(5000, 'x') } as const
    memory.keep(name, absentEntry(1), now())
    t.ok(memory.bytes <= 1_048_576)
  }
  t.equal(memory.find(ACME)?.standing, 'fresh')
  t.ok(memory.count <= 1 + 5, 'the long names fill the share of such names')
})

t.test('tenants are held within their bounds, the longest unused goes first', async (t) => {
  const { memory, now } = newMemory({ maxEntries: 3 })
  for (const name of ['a', 'b', 'c']) memory.keep(tenantName(name), tenantEntry(name, 1), now())
  memory.find(tenantName('a'))
  memory.keep(tenantName('d'), tenantEntry('d', 1), now())
  t.equal(memory.find(tenantName('b')), undefined)
  t.ok(memory.find(tenantName('a')))
  t.equal(memory.count, 3)
})

t.test('a record that is too large is not held, nor is the one before it', async (t) => {
  const { memory, now } = newMemory({ maxBytes: 100_000 })
  memory.keep(ACME, tenantEntry('acme', 1), now())
  const large = tenantEntry('acme', 2)
  if (large.kind !== 'tenant') throw new Error('not a tenant')
  const labels = { note: 'x'.repeat(100_000) }
  const tenant = { ...large.document.tenant, settings: { labels } }
  memory.keep(ACME, { ...large, document: { ...large.document, tenant } }, now())
  t.equal(memory.find(ACME), undefined)
  t.equal(memory.bytes, 0)
})
