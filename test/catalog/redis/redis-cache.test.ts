import t from 'tap'
import type { CatalogEntry } from '../../../src/catalog/entry.ts'
import { until } from '../../support/until.ts'
import {
  absentEntry,
  cacheOn,
  KEPT_MS,
  loginEntry,
  loginName,
  PREFIX,
  serverFor,
  tenantEntry,
  tenantName,
} from './redis-fixture.ts'

const ACME = tenantName('acme')
const KEY = `${PREFIX}tenant:acme`

t.test('entries of each kind are found as they were stored', async (t) => {
  const { cache } = await cacheOn(t, (await serverFor(t)).url)
  const rows: readonly (readonly [typeof ACME, CatalogEntry])[] = [
    [ACME, tenantEntry('acme', 5)],
    [tenantName('eu-acme'), tenantEntry('eu-*', 5)],
    [tenantName('nobody'), absentEntry(5)],
    [loginName('app'), loginEntry('app', 5)],
    [loginName('zoë, {the} "first"'), loginEntry('*', 5)],
    [loginName('ghost'), absentEntry(5)],
  ]
  for (const [name] of rows) t.equal(await cache.read(name), undefined, `${name.name} before`)
  for (const [name, entry] of rows) t.equal(await cache.fill(name, entry, KEPT_MS), true)
  for (const [name, entry] of rows) {
    const found = await cache.read(name)
    t.strictSame(found?.entry, entry, name.name)
    t.equal(found?.keptMs, KEPT_MS)
  }
})

t.test('the age of an entry is what is gone of its time', async (t) => {
  const server = await serverFor(t)
  const { cache } = await cacheOn(t, server.url)
  await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  const fresh = await cache.read(ACME)
  t.ok(fresh && fresh.ageMs < 5000, 'just stored')

  await server.run('PEXPIRE', KEY, String(KEPT_MS - 60_000))
  const old = await cache.read(ACME)
  t.ok(old && old.ageMs >= 60_000 && old.ageMs < 65_000, 'a minute old')

  await server.run('PEXPIRE', KEY, String(2 * KEPT_MS))
  t.equal((await cache.read(ACME))?.ageMs, 0, 'never negative')
  await server.run('PERSIST', KEY)
  t.equal((await cache.read(ACME))?.ageMs, 0, 'without an expiry it counts as new')

  await cache.fill(ACME, tenantEntry('acme', 6), 40)
  await until(async () => (await cache.read(ACME)) === undefined)
  t.equal(await server.run('EXISTS', KEY), 0, 'gone after its time')
})

t.test('the newer entry stays, whoever comes last', async (t) => {
  const { cache } = await cacheOn(t, (await serverFor(t)).url)
  t.equal(await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS), true)
  t.equal(await cache.fill(ACME, tenantEntry('acme', 4), KEPT_MS), false, 'older')
  t.equal(await cache.fill(ACME, absentEntry(4), KEPT_MS), false, 'older and absent')
  t.equal(await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS), true, 'as new')
  t.equal(await cache.fill(ACME, absentEntry(6), KEPT_MS), true, 'newer and absent')
  t.equal(await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS), false, 'older than its absence')
  t.strictSame((await cache.read(ACME))?.entry, absentEntry(6))
})

t.test('races of many fills and tombstones end with the newest', async (t) => {
  const server = await serverFor(t)
  const caches = await Promise.all([cacheOn(t, server.url), cacheOn(t, server.url)])
  const versions = Array.from({ length: 400 }, () => 1 + Math.floor(Math.random() * 1_000_000))
  const newest = Math.max(...versions) + 1
  const fills = [...versions, newest, ...versions].map((asOf, at) => {
    const { cache } = caches[at % 2 === 0 ? 0 : 1]
    if (at % 5 === 4) return cache.voidName(ACME, asOf)
    return cache.fill(ACME, at % 3 === 0 ? absentEntry(asOf) : tenantEntry('acme', asOf), KEPT_MS)
  })
  await Promise.all(fills)
  await caches[0].cache.fill(ACME, tenantEntry('acme', newest), KEPT_MS)
  t.equal((await caches[1].cache.read(ACME))?.entry.asOf, newest)
  t.equal(await caches[1].cache.fill(ACME, tenantEntry('acme', newest - 1), KEPT_MS), false)
})

t.test('a tombstone makes void what is older, and keeps it out', async (t) => {
  const server = await serverFor(t)
  const { cache } = await cacheOn(t, server.url)
  await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  await cache.voidName(ACME, 5)
  t.equal((await cache.read(ACME))?.entry.asOf, 5, 'the change is in the entry already')
  await cache.voidName(ACME, 7)
  t.equal(await cache.read(ACME), undefined)
  const leftMs = Number(await server.run('PTTL', KEY))
  t.ok(leftMs > 55_000 && leftMs <= 60_000, 'kept a minute')
  t.equal(await cache.fill(ACME, tenantEntry('acme', 6), KEPT_MS), false, 'a slow reader')
  await cache.voidName(ACME, 6)
  t.equal(await cache.fill(ACME, tenantEntry('acme', 6), KEPT_MS), false, 'never goes back')
  t.equal(await cache.fill(ACME, tenantEntry('acme', 7), KEPT_MS), true)

  await cache.voidName(loginName('app'), 9)
  t.equal(
    await cache.fill(loginName('app'), loginEntry('app', 8), KEPT_MS),
    false,
    'also of nothing',
  )
})

t.test('below the floor everything is void', async (t) => {
  const server = await serverFor(t)
  const { cache } = await cacheOn(t, server.url)
  await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  await cache.raiseFloor(5)
  t.equal((await cache.read(ACME))?.entry.asOf, 5, 'the floor itself is not below it')
  await Promise.all([8, 6, 12, 7].map((version) => cache.raiseFloor(version)))
  t.equal(await server.run('GET', `${PREFIX}floor`), '12', 'only ever raised')
  t.equal(await cache.read(ACME), undefined)
  t.equal(await cache.fill(ACME, tenantEntry('acme', 11), KEPT_MS), false)
  t.equal(await cache.fill(ACME, tenantEntry('acme', 12), KEPT_MS), true)
})

t.test('a floor that makes no sense makes all void until it is raised', async (t) => {
  const server = await serverFor(t)
  const { cache, unreadable } = await cacheOn(t, server.url)
  await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  for (const floor of ['many', '-1', '1e3', '0x10', '99999999999999999999']) {
    await server.run('SET', `${PREFIX}floor`, floor)
    t.equal(await cache.read(ACME), undefined, floor)
    t.equal(await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS), false, floor)
  }
  t.strictSame(unreadable, [`${PREFIX}floor: it is no version`])
  await cache.raiseFloor(5)
  t.equal((await cache.read(ACME))?.entry.asOf, 5)
  await server.run('DEL', `${PREFIX}floor`)
  await server.run('LPUSH', `${PREFIX}floor`, '1')
  t.equal(await cache.read(ACME), undefined, 'a list')
  await cache.raiseFloor(5)
  t.equal((await cache.read(ACME))?.entry.asOf, 5)
})

t.test('what can not be read is a miss, is told once, and gives way', async (t) => {
  const server = await serverFor(t)
  const { cache, unreadable } = await cacheOn(t, server.url)
  const newer = { format: 1, asOf: 99, keptMs: 1, tenant: { tenant: 'acme' } }
  const values = ['', '{', '[]', '\u0000', JSON.stringify(newer), 'x'.repeat(1_048_577)]
  for (const value of values) {
    await server.run('SET', KEY, value)
    t.equal(await cache.read(ACME), undefined, value.slice(0, 40))
    t.equal(await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS), true, value.slice(0, 40))
    t.equal((await cache.read(ACME))?.entry.asOf, 5)
  }
  t.equal(unreadable.length, 1, 'once a minute')
  t.match(unreadable[0], KEY)

  await server.run('DEL', `${PREFIX}login:app`)
  await server.run('SADD', `${PREFIX}login:app`, 'x')
  t.equal(await cache.read(loginName('app')), undefined, 'a set')
  t.equal(await cache.fill(loginName('app'), loginEntry('app', 5), KEPT_MS), true)
  t.equal((await cache.read(loginName('app')))?.entry.asOf, 5)
  t.strictSame(unreadable.slice(1), [`${PREFIX}login:app: it is no string`])
})

t.test('an entry that was copied to another key is not believed', async (t) => {
  const server = await serverFor(t)
  const { cache } = await cacheOn(t, server.url)
  await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  await server.run('COPY', KEY, `${PREFIX}tenant:globex`)
  t.equal(await cache.read(tenantName('globex')), undefined)
})

t.test('Redis forgets its scripts', async (t) => {
  const server = await serverFor(t)
  const { cache } = await cacheOn(t, server.url)
  await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  await server.run('SCRIPT', 'FLUSH')
  t.equal(await cache.fill(ACME, tenantEntry('acme', 6), KEPT_MS), true)
  await server.run('SCRIPT', 'FLUSH')
  await cache.voidName(ACME, 7)
  await server.run('SCRIPT', 'FLUSH')
  await cache.raiseFloor(8)
  t.equal(await cache.fill(ACME, tenantEntry('acme', 7), KEPT_MS), false)
})

t.test('a Redis that is full fails to store, and goes on answering', async (t) => {
  const server = await serverFor(t, {
    args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'],
  })
  const { cache } = await cacheOn(t, server.url)
  const fill = cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  await t.rejects(fill, { code: 'CATALOG_LAYER_FAILED', layer: 'redis' })
  t.equal(await cache.read(ACME), undefined)
  t.equal(cache.isUp, true)
})
