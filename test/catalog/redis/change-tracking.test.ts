import t, { type Test } from 'tap'
import type { CatalogChange } from '../../../src/catalog/change.ts'
import { until } from '../../support/until.ts'
import {
  absentEntry,
  cacheOn,
  fillQuietly,
  KEPT_MS,
  loginName,
  PREFIX,
  serverFor,
  tenantEntry,
  tenantName,
  type WatchedCache,
  watchedCache,
} from './redis-fixture.ts'

const ACME = tenantName('acme')
const KEY = `${PREFIX}tenant:acme`
const ALL: CatalogChange = { kind: 'all', version: undefined }
const ACME_CHANGED: CatalogChange = { kind: 'name', name: ACME, version: undefined }

t.test('edits by hand are told by name', async (t) => {
  const server = await serverFor(t)
  const watched = await cacheOn(t, server.url)
  await server.run('SET', KEY, '{}')
  await tells(t, watched, [ACME_CHANGED])
  await server.run('DEL', KEY)
  await tells(t, watched, [ACME_CHANGED])

  const odd = 'o, {so} "odd":zoë\n'
  await server.run('MSET', `${PREFIX}login:${odd}`, '1', `${PREFIX}login:`, '2')
  await tells(t, watched, [
    { kind: 'name', name: loginName(''), version: undefined },
    { kind: 'name', name: loginName(odd), version: undefined },
  ])
  await server.run('SET', `${PREFIX}floor`, '7')
  await tells(t, watched, [ALL])
})

t.test('what proxies write is told to all of them', async (t) => {
  const server = await serverFor(t)
  const watched = await cacheOn(t, server.url)
  const other = await cacheOn(t, server.url)
  await watched.cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  await watched.cache.voidName(loginName('app'), 6)
  await watched.cache.raiseFloor(3)
  const app: CatalogChange = { kind: 'name', name: loginName('app'), version: undefined }
  await tells(t, other, [ACME_CHANGED, app, ALL])
  await tells(t, watched, [ACME_CHANGED, app, ALL])
})

t.test('what is refused is not told', async (t) => {
  const watched = await cacheOn(t, (await serverFor(t)).url)
  await fillQuietly(watched, ACME, tenantEntry('acme', 5))
  await watched.cache.fill(ACME, tenantEntry('acme', 4), KEPT_MS)
  await watched.cache.voidName(ACME, 5)
  await watched.cache.raiseFloor(5)
  await tells(t, watched, [ALL])
})

t.test('an entry whose time is up is told', async (t) => {
  const watched = await cacheOn(t, (await serverFor(t)).url)
  await watched.cache.fill(ACME, absentEntry(5), 30)
  await tells(t, watched, [ACME_CHANGED, ACME_CHANGED])
})

t.test('an entry that made room for others is told', async (t) => {
  const server = await serverFor(t)
  const watched = await cacheOn(t, server.url)
  await fillQuietly(watched, ACME, tenantEntry('acme', 5))
  await server.run('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru')
  await server.run('CONFIG', 'SET', 'maxmemory', '1')
  await tells(t, watched, [ACME_CHANGED])
})

t.test('everything is told when all was flushed', async (t) => {
  const server = await serverFor(t)
  const watched = await cacheOn(t, server.url)
  await server.run('FLUSHALL')
  await tells(t, watched, [ALL])
})

t.test('keys of others are not told', async (t) => {
  const server = await serverFor(t)
  const watched = await cacheOn(t, server.url)
  for (const key of ['acme', 'tenant:acme', `${PREFIX}floor:2`, `${PREFIX}other`, 'x']) {
    await server.run('SET', key, '1')
  }
  await server.run('SET', KEY, '1')
  await tells(t, watched, [ACME_CHANGED])
})

t.test('each prefix has its own names', async (t) => {
  const server = await serverFor(t)
  const one = await cacheOn(t, server.url)
  const two = watchedCache(t, { servers: { kind: 'single', url: server.url }, prefix: 'two:' })
  await until(() => two.cache.isUp)
  two.told.length = 0
  await fillQuietly(one, ACME, tenantEntry('acme', 5))
  t.equal(await two.cache.read(ACME), undefined)
  await server.run('SET', 'two:tenant:acme', '1')
  await tells(t, two, [ACME_CHANGED])
  t.strictSame(one.told, [])
})

t.test(
  'when either connection is killed, everything is told at the loss and after it',
  async (t) => {
    const server = await serverFor(t)
    const watched = await cacheOn(t, server.url)
    for (const type of ['pubsub', 'normal']) {
      await server.run('CLIENT', 'KILL', 'TYPE', type)
      await tells(t, watched, [ALL, ALL])
      t.equal(watched.cache.isUp, true)
      await server.run('SET', KEY, '1')
      await tells(t, watched, [ACME_CHANGED])
    }
    t.equal(watched.lost.length, 2)
    t.equal(watched.up.length, 3)
  },
)

/** Waits for exactly these, in this order, and forgets them. */
async function tells(
  t: Test,
  { told }: WatchedCache,
  expected: readonly CatalogChange[],
): Promise<void> {
  await until(() => told.length >= expected.length)
  t.strictSame(told.splice(0), expected)
}
