import t from 'tap'
import { RecordRefusedError } from '../../../src/catalog/catalog-errors.ts'
import { absentEntry, failure, setScene, settle, TTL_MS, tenantEntry } from './layers-fixture.ts'

const UNAVAILABLE = { code: 'CATALOG_UNAVAILABLE', sqlState: '57P03' }

t.test('an ageing entry whose source is down serves without a complaint', async (t) => {
  const { find, source, clock, seen } = setScene({ redis: false })
  source.script = () => tenantEntry('acme', 1)
  await find('acme')
  clock.advance(TTL_MS * 0.8)
  source.script = () => {
    throw failure('postgres')
  }
  t.match(await find('acme'), { isStale: false })
  await settle()
  t.match(await find('acme'), { isStale: false })
  await settle()
  t.strictSame(seen.staleMs, [], 'its time is not over')
})

t.test('versions that went back with a backup cost one question each time', async (t) => {
  const { find, source, changed, clock } = setScene({ redis: false })
  source.script = () => tenantEntry('acme', 900)
  await find('acme')
  clock.advance(TTL_MS)
  source.script = () => tenantEntry('acme', 5)
  t.match(await find('acme'), { layer: 'postgres', entry: { asOf: 5 } })
  t.match(await find('acme'), { layer: 'memory', entry: { asOf: 5 } }, 'the source is right')
  changed('globex', 900)
  source.script = () => tenantEntry('globex', 5)
  const asked = source.count
  t.match(await find('globex'), { layer: 'postgres', entry: { asOf: 5 } })
  t.equal(source.count - asked, 1)
})

t.test('the source is down: the last record serves, and rests between questions', async (t) => {
  const { find, source, clock, seen, lookups } = setScene({ redis: false })
  source.script = () => tenantEntry('acme', 1)
  await find('acme')
  clock.advance(TTL_MS)
  source.script = () => {
    throw failure('postgres')
  }
  seen.take()
  t.match(await find('acme'), { layer: 'memory', isStale: true, ageMs: TTL_MS })
  t.strictSame(seen.take(), ['memory miss', 'postgres error'])
  t.match(await find('acme'), { layer: 'memory', isStale: true })
  t.strictSame(seen.take(), ['memory stale'])
  t.strictSame(seen.staleMs, [TTL_MS, TTL_MS])
  clock.advance(1000)
  await find('acme')
  t.strictSame(seen.take(), ['memory miss', 'postgres error'])
  await t.rejects(find('globex'), UNAVAILABLE, 'never seen')
  t.ok(lookups.hasAnswered)
  source.script = () => tenantEntry('acme', 2)
  clock.advance(1000)
  t.match(await find('acme'), { layer: 'postgres', entry: { asOf: 2 } })
})

t.test('the last record serves until maxStaleMs, and not after', async (t) => {
  const { find, source, clock } = setScene({ redis: false })
  source.script = () => tenantEntry('acme', 1)
  await find('acme')
  source.script = () => {
    throw failure('postgres')
  }
  clock.advance(60_000)
  t.match(await find('acme'), { isStale: true })
  clock.advance(1000)
  await t.rejects(find('acme'), UNAVAILABLE)
})

t.test('a record that is known to be wrong does not serve, also while it rests', async (t) => {
  const { find, source, clock, changed, all } = setScene({ redis: false })
  source.script = ({ name }) => tenantEntry(name, 1)
  await find('acme')
  await find('globex')
  clock.advance(TTL_MS)
  source.script = () => {
    throw failure('postgres')
  }
  t.match(await find('acme'), { isStale: true })
  all(2)
  t.match(await find('acme'), { isStale: true }, 'it may not be meant')
  changed('acme', 3)
  await t.rejects(find('acme'), UNAVAILABLE)
  t.match(await find('globex'), { isStale: true }, 'others serve')
})

t.test('a change that is told while the source fails', async (t) => {
  const { find, source, clock, changed } = setScene({ redis: false })
  source.script = () => tenantEntry('acme', 1)
  await find('acme')
  clock.advance(TTL_MS)
  source.script = undefined
  const found = find('acme')
  await settle()
  changed('acme', 2)
  source.next().fail(failure('postgres'))
  await t.rejects(found, UNAVAILABLE)
})

t.test('that there is no such name is never served past its time', async (t) => {
  const { find, source, clock, cache } = setScene()
  source.script = () => absentEntry(1)
  t.match(await find('acme'), { entry: { kind: 'absent' } })
  t.ok(cache.fills[0] && cache.fills[0].keptMs >= 800 && cache.fills[0].keptMs <= 1000)
  clock.advance(1000)
  source.script = () => {
    throw failure('postgres')
  }
  await t.rejects(find('acme'), UNAVAILABLE)
  source.script = () => tenantEntry('acme', 2)
  t.match(await find('acme'), { entry: { kind: 'tenant' } })
})

t.test('the source is down, and Redis knows what memory does not', async (t) => {
  const { find, source, cache, clock, changed } = setScene()
  source.script = () => {
    throw failure('postgres')
  }
  cache.script = ({ name }) => ({ entry: tenantEntry(name, 3), ageMs: TTL_MS * 2 })
  t.match(await find('acme'), { layer: 'redis', isStale: true, ageMs: TTL_MS * 2 })
  clock.advance(1000)
  changed('acme', 4)
  await t.rejects(find('acme'), UNAVAILABLE)
  cache.script = ({ name }) => ({ entry: tenantEntry(name, 3), ageMs: 60_001 })
  await t.rejects(find('globex'), UNAVAILABLE, 'too old')
})

t.test('Redis is down: the source is asked, Redis is left alone', async (t) => {
  const { find, source, cache, seen, lookups, clock } = setScene()
  cache.script = () => {
    throw failure('redis')
  }
  cache.isUp = false
  source.script = ({ name }) => tenantEntry(name, 1)
  for (const name of ['a', 'b', 'c', 'd']) t.match(await find(name), { layer: 'postgres' })
  t.equal(cache.count, 3)
  t.equal(lookups.breakers.redis, 'open')
  t.equal(lookups.breakers.postgres, 'closed')
  t.strictSame(seen.take().slice(-3), ['memory miss', 'redis skipped', 'postgres hit'])
  t.strictSame(cache.fills, [])
  clock.advance(1000)
  cache.script = () => undefined
  await find('e')
  t.equal(lookups.breakers.redis, 'closed')
})

t.test('the source fails in a row: it is left alone, one tries for all', async (t) => {
  const { find, source, seen, lookups, clock } = setScene({ redis: false })
  source.script = () => {
    throw failure('postgres')
  }
  for (const name of ['a', 'b', 'c', 'd']) await t.rejects(find(name), UNAVAILABLE)
  t.equal(source.count, 3)
  t.equal(lookups.breakers.postgres, 'open')
  t.ok(seen.take().includes('postgres skipped'))
  clock.advance(1000)
  source.script = undefined
  const trial = find('a')
  await settle()
  await t.rejects(find('b'), UNAVAILABLE)
  source.next().answer(tenantEntry('a', 1))
  t.match(await trial, { entry: { asOf: 1 } })
  source.script = () => tenantEntry('b', 1)
  t.match(await find('b'), { entry: { asOf: 1 } })
  t.notOk(setScene().lookups.hasAnswered)
})

t.test('too many lookups: new names wait for nothing, known ones serve', async (t) => {
  const { find, source, clock, seen } = setScene({ redis: false, maxLookups: 2 })
  source.script = () => tenantEntry('acme', 1)
  await find('acme')
  clock.advance(TTL_MS)
  source.script = undefined
  const others = [find('a'), find('b')]
  await settle()
  seen.take()
  await t.rejects(find('c'), UNAVAILABLE)
  t.strictSame(seen.take(), ['memory miss', 'postgres skipped'])
  t.match(await find('acme'), { layer: 'memory', isStale: true })
  const joined = find('a')
  source.next().answer(tenantEntry('a', 1))
  source.next().answer(tenantEntry('b', 1))
  t.match(await joined, { entry: { asOf: 1 } })
  await Promise.all(others)
  source.script = () => tenantEntry('c', 1)
  t.match(await find('c'), { entry: { asOf: 1 } }, 'there is room again')
})

t.test('a record that makes no sense after a told change is remembered as well', async (t) => {
  const { find, source, changed } = setScene({ redis: false })
  changed('acme', 5)
  source.script = () => {
    throw new RecordRefusedError('two rows')
  }
  await find('acme')
  t.match(await find('acme'), { layer: 'memory', entry: { kind: 'refused' } })
  t.equal(source.count, 1)
})

t.test('what the examination refuses is refused; where it fails, nobody knows', async (t) => {
  let verdict: Error = new RecordRefusedError('a template of nothing')
  const examine = async () => {
    throw verdict
  }
  const { find, source, cache, seen, clock } = setScene({ examine })
  source.script = () => tenantEntry('acme', 5)
  t.match(await find('acme'), { entry: { kind: 'refused', asOf: 5 } })
  t.equal(seen.refusals.length, 1)
  t.strictSame(cache.fills, [])
  clock.advance(1000)
  verdict = new Error('its server is down')
  await t.rejects(find('acme'), UNAVAILABLE)
})

t.test('a bug is no failure of Redis', async (t) => {
  const { find, cache } = setScene()
  cache.script = () => {
    throw new TypeError('a bug')
  }
  await t.rejects(find('acme'), TypeError)
})

t.test(
  'a record that makes no sense: told once, no failure, not for Redis, mended later',
  async (t) => {
    const { find, source, cache, seen, lookups, clock } = setScene()
    source.script = () => tenantEntry('acme', 5)
    await find('acme')
    cache.fills.length = 0
    clock.advance(TTL_MS)
    source.script = () => {
      throw new RecordRefusedError('two rows')
    }
    t.match(await find('acme'), { layer: 'postgres', entry: { kind: 'refused' }, isStale: false })
    t.match(await find('acme'), { layer: 'memory', entry: { kind: 'refused' } })
    t.equal(seen.refusals.length, 1)
    t.ok(seen.take().includes('postgres error'))
    t.strictSame(cache.fills, [])
    for (const name of ['a', 'b', 'c', 'd']) await find(name)
    t.equal(lookups.breakers.postgres, 'closed')
    clock.advance(1000)
    source.script = () => tenantEntry('acme', 6)
    t.match(await find('acme'), { entry: { kind: 'tenant', asOf: 6 } })
  },
)

t.test('a change that is told at the moment in which the last record is found', async (t) => {
  const { find, source, clock, changed, seen } = setScene({ redis: false })
  source.script = () => tenantEntry('acme', 1)
  await find('acme')
  clock.advance(TTL_MS)
  source.script = () => {
    throw failure('postgres')
  }
  seen.servedStale = () => changed('acme', 2)
  await t.rejects(find('acme'), UNAVAILABLE)
})
