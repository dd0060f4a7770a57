import t from 'tap'
import { TestAuthority } from '../../support/certificates.ts'
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
  type WatchedCache,
  watchedCache,
} from './redis-fixture.ts'

const ACME = tenantName('acme')
const FAILED = { code: 'CATALOG_LAYER_FAILED', layer: 'redis' }
/** As docs/catalog.md lists them. */
const RIGHTS = [
  ...['+ping', '+info', '+client|id', '+client|tracking', '+subscribe'],
  ...['+getrange', '+pttl', '+get', '+set', '+eval', '+evalsha'],
  ...[`~${PREFIX}*`, '&__redis__:invalidate'],
]

t.test('a user with no more rights than it takes', async (t) => {
  const server = await serverFor(t)
  await server.run('ACL', 'SETUSER', 'proxy', 'reset', 'on', '>pass:w/rd?', ...RIGHTS)
  await server.run('ACL', 'SETUSER', 'default', 'nopass', 'allkeys', '+@all')
  const url = server.url.replace('://', `://proxy:${encodeURIComponent('pass:w/rd?')}@`)
  const watched = await cacheOn(t, url)
  await usesAll(watched)
  await server.run('SET', `${PREFIX}tenant:acme`, 'by hand')
  await until(() => watched.told.length > 0)
  t.strictSame(watched.lost, [])
  t.same(await server.run('ACL', 'LOG'), [], 'nothing was refused')
})

t.test('each of the rights is needed', async (t) => {
  const server = await serverFor(t)
  // Without INFO, ioredis goes on and writes a warning.
  for (const right of RIGHTS.filter((right) => right !== '+info')) {
    const rights = RIGHTS.filter((other) => other !== right)
    await server.run('ACL', 'SETUSER', 'proxy', 'reset', 'on', '>secret', ...rights)
    const url = server.url.replace('://', '://proxy:secret@')
    const watched = watchedCache(t, { servers: { kind: 'single', url } })
    await until(() => watched.cache.isUp || watched.lost.length > 0)
    await server.run('SCRIPT', 'FLUSH')
    await t.rejects(usesAll(watched), right)
    watched.cache.close()
  }
})

t.test('a password alone, and a wrong one', async (t) => {
  const server = await serverFor(t, { args: ['--requirepass', 'secret'] })
  const { cache } = await cacheOn(t, server.url.replace('://', '://:secret@'))
  t.equal(await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS), true)

  const wrong = server.url.replace('://', '://:wrong@')
  const refused = watchedCache(t, { servers: { kind: 'single', url: wrong } })
  await until(() => refused.lost.length > 0)
  t.match(refused.lost[0], /WRONGPASS/)
  t.notMatch(refused.lost[0], 'wrong@')
  await t.rejects(refused.cache.read(ACME), FAILED)
})

t.test('another database of the server', async (t) => {
  const server = await serverFor(t)
  const { cache } = await cacheOn(t, `${server.url}/3`)
  await cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS)
  const inFirst = await cacheOn(t, server.url)
  t.equal(await inFirst.cache.read(ACME), undefined)
  t.match(await server.run('INFO', 'keyspace'), /db3:keys=1/)
})

t.test('TLS, with the authority that vouches for the server', async (t) => {
  const authority = await TestAuthority.create()
  t.teardown(() => authority.remove())
  const server = await serverFor(t, { authority })
  const servers = { kind: 'single', url: server.url } as const
  const watched = watchedCache(t, { servers, ca: authority.own.cert })
  await until(() => watched.cache.isUp)
  await usesAll(watched)
  t.strictSame((await watched.cache.read(loginName('app')))?.entry, loginEntry('app', 9))

  const stranger = await TestAuthority.create()
  t.teardown(() => stranger.remove())
  for (const ca of [undefined, stranger.own.cert]) {
    const { lost, cache } = watchedCache(t, { servers, ca })
    await until(() => lost.length > 0)
    t.equal(cache.isUp, false)
    t.match(lost[0], /certificate/)
  }
  const plain = watchedCache(t, {
    servers: { kind: 'single', url: server.url.replace('rediss:', 'redis:') },
  })
  await until(() => plain.lost.length > 0)
  t.equal(plain.cache.isUp, false)
})

/** Every command that there is. */
async function usesAll({ cache }: WatchedCache): Promise<void> {
  await cache.raiseFloor(3)
  await cache.fill(ACME, absentEntry(5), KEPT_MS)
  await cache.voidName(ACME, 6)
  if (!(await cache.fill(loginName('app'), loginEntry('app', 9), KEPT_MS)))
    throw new Error('refused')
  if ((await cache.read(loginName('app'))) === undefined) throw new Error('not there')
}
