import t from 'tap'
import {
  absentEntry,
  failure,
  setScene,
  settle,
  TTL_MS,
  tenantEntry,
  tenantName,
} from './layers-fixture.ts'

t.test('memory, else Redis, else the source; each nearer layer learns', async (t) => {
  const { find, source, cache, seen } = setScene()
  source.script = () => tenantEntry('acme', 7)
  t.match(await find('acme'), { layer: 'postgres', entry: { asOf: 7 }, isStale: false, ageMs: 0 })
  t.strictSame(seen.take(), ['memory miss', 'redis miss', 'postgres hit'])
  t.match(cache.fills, [{ key: 'tenant:acme', entry: { asOf: 7 }, keptMs: 60_000 }])
  t.match(await find('acme'), { layer: 'memory', entry: { asOf: 7 } })
  t.strictSame(seen.take(), ['memory hit'])
  cache.script = ({ name }) => ({ entry: tenantEntry(name, 6), ageMs: 100 })
  t.match(await find('globex'), { layer: 'redis', ageMs: 100, entry: { asOf: 6 } })
  t.strictSame(seen.take(), ['memory miss', 'redis hit'])
  t.equal(source.count, 1)
})

t.test('a thousand who ask for one name make one lookup', async (t) => {
  const { find, source, cache } = setScene()
  const finds = Array.from({ length: 1000 }, () => find('acme'))
  await settle()
  t.equal(source.open.length, 1)
  source.next().answer(tenantEntry('acme', 1))
  const entries = new Set((await Promise.all(finds)).map(({ entry }) => entry))
  t.equal(entries.size, 1)
  t.equal(source.count, 1)
  t.equal(cache.count, 1)
})

t.test('an ageing entry serves while it is read again, once', async (t) => {
  const { find, source, clock, seen } = setScene({ redis: false })
  source.script = () => tenantEntry('acme', 1)
  await find('acme')
  clock.advance(TTL_MS * 0.8)
  source.script = undefined
  t.match(await find('acme'), { layer: 'memory', entry: { asOf: 1 }, isStale: false })
  t.match(await find('acme'), { entry: { asOf: 1 } })
  await settle()
  t.equal(source.open.length, 1)
  source.next().answer(tenantEntry('acme', 2))
  await settle()
  t.match(await find('acme'), { layer: 'memory', entry: { asOf: 2 }, ageMs: 0 })
  t.strictSame(seen.staleMs, [])
})

t.test('an entry is as old as the question', async (t) => {
  const { find, source, clock } = setScene({ redis: false })
  const found = find('acme')
  await settle()
  clock.advance(400)
  source.next().answer(tenantEntry('acme', 1))
  t.match(await found, { ageMs: 400 })
  t.match(await find('acme'), { layer: 'memory', ageMs: 400 })
})

t.test('what Redis has from before is read again at the source', async (t) => {
  const old = [
    { why: 'past its youth', entry: tenantEntry('acme', 5), ageMs: TTL_MS * 0.75 },
    { why: 'before a told change', entry: tenantEntry('acme', 3), ageMs: 0 },
    { why: 'before a change of all', entry: tenantEntry('acme', 1), ageMs: 0 },
    { why: 'past the negative time', entry: absentEntry(5), ageMs: 1000 },
  ]
  for (const { why, entry, ageMs } of old) {
    const { find, source, cache, changed, all } = setScene()
    all(2)
    changed('acme', 4)
    cache.script = () => ({ entry, ageMs })
    source.script = () => tenantEntry('acme', 6)
    t.match(await find('acme'), { layer: 'postgres', entry: { asOf: 6 } }, why)
  }
})

t.test('Redis does not take a name back to before what memory holds', async (t) => {
  const { find, source, cache, all } = setScene()
  source.script = () => tenantEntry('acme', 9)
  await find('acme')
  // A replica that lagged behind became the master.
  all(undefined, 'redis')
  cache.script = () => ({ entry: tenantEntry('acme', 8), ageMs: 0 })
  t.match(await find('acme'), { layer: 'postgres', entry: { asOf: 9 } })
})

t.test('a change that is told while the source is asked: it is asked again', async (t) => {
  const { find, source, changed, seen } = setScene({ redis: false })
  const first = find('acme')
  await settle()
  changed('acme', 5)
  const second = find('acme')
  source.next().answer(tenantEntry('acme', 4))
  await settle()
  source.next().answer(tenantEntry('acme', 5))
  t.match(await first, { entry: { asOf: 5 } })
  t.match(await second, { entry: { asOf: 5 } })
  t.match(await find('acme'), { layer: 'memory', entry: { asOf: 5 } })
  t.equal(seen.changes, 1)
})

t.test('a change without a version that is told meanwhile, likewise', async (t) => {
  for (const kind of ['name', 'all'] as const) {
    const { find, source, lookups } = setScene({ redis: false })
    const found = find('acme')
    await settle()
    const version = undefined
    lookups.heard({ kind, name: tenantName('acme'), version }, 'redis')
    source.next().answer(tenantEntry('acme', 4))
    await settle()
    source.next().answer(tenantEntry('acme', 4, 3))
    t.match(await found, { entry: { document: { tenant: { version: 3 } } } }, kind)
    t.match(await find('acme'), { layer: 'memory' })
  }
})

t.test('a change of another name makes nobody ask again', async (t) => {
  const { find, source, changed } = setScene({ redis: false })
  const found = find('acme')
  await settle()
  changed('globex', 9)
  source.next().answer(tenantEntry('acme', 4))
  t.match(await found, { entry: { asOf: 4 } })
  t.equal(source.count, 1)
})

t.test('a change without a version that nobody could look into is not forgotten', async (t) => {
  const { find, source, clock, lookups } = setScene({ redis: false })
  const found = find('acme')
  await settle()
  lookups.heard({ kind: 'name', name: tenantName('acme'), version: undefined }, 'redis')
  source.next().answer(tenantEntry('acme', 4))
  await settle()
  source.next().fail(failure('postgres'))
  t.match(await found, { entry: { asOf: 4 }, isStale: true })
  clock.advance(1000)
  source.script = () => tenantEntry('acme', 5)
  t.match(await find('acme'), { layer: 'postgres', entry: { asOf: 5 } })
})

t.test('a name that changes faster than it can be read', async (t) => {
  const { find, source, changed } = setScene({ redis: false })
  const first = find('acme')
  await settle()
  for (const version of [2, 3]) {
    changed('acme', version)
    source.next().answer(tenantEntry('acme', version - 1))
    await settle()
  }
  changed('acme', 4)
  const late = find('acme')
  source.next().answer(tenantEntry('acme', 3))
  t.match(await first, { entry: { asOf: 3 } }, 'newer than what was told before it asked')
  await settle()
  t.equal(source.open.length, 1, 'who came after the change has it looked up')
  source.next().answer(tenantEntry('acme', 4))
  t.match(await late, { entry: { asOf: 4 } })
})

t.test('a new tenant ends the knowledge that there is none', async (t) => {
  const { find, source, changed } = setScene({ redis: false })
  source.script = () => absentEntry(1)
  await find('acme')
  changed('acme', 2)
  source.script = () => tenantEntry('acme', 2)
  t.match(await find('acme'), { layer: 'postgres', entry: { kind: 'tenant' } })
})

t.test('Redis answers when its entry has just become older than a change', async (t) => {
  const { find, source, cache, changed } = setScene()
  cache.script = undefined
  source.script = () => tenantEntry('acme', 5)
  const found = find('acme')
  await settle()
  changed('acme', 5)
  cache.next().answer({ entry: tenantEntry('acme', 4), ageMs: 0 })
  t.match(await found, { layer: 'postgres', entry: { asOf: 5 } })
})
