import t from 'tap'
import { slotOf } from '../../../src/catalog/redis/cluster-slots.ts'
import { startRedisCluster } from '../../support/redis-groups.ts'
import { until } from '../../support/until.ts'
import {
  absentEntry,
  KEPT_MS,
  loginEntry,
  loginName,
  PREFIX,
  TIMEOUT_MS,
  tenantEntry,
  tenantName,
  watchedCache,
} from './redis-fixture.ts'

const ALL = { kind: 'all', version: undefined }
const FAILED = { code: 'CATALOG_LAYER_FAILED', layer: 'redis' }
/** Enough that each master has some. */
const NAMES = Array.from({ length: 60 }, (_, at) => `tenant-${at}`)

const cluster = await startRedisCluster({ replicas: 1 })
t.teardown(() => cluster.stop())
const [first, second] = cluster.masters
const [replica] = cluster.replicas
if (!first || !second || !replica) throw new Error('no cluster')
const newCache = () => watchedCache(t, { servers: { kind: 'cluster', urls: [second.url] } })
const { cache, told, up } = newCache()
await until(() => cache.isUp)
t.equal(up.length, 3, 'each master is found from one node')

t.test('our slots are those of Redis', async (t) => {
  const keys = ['', 'a', 'test:tenant:acme', 'x{y}z', '{}x', 'a{b', 'a}b{c}d', '{zoë}', '{{a}}']
  for (const key of keys) t.equal(slotOf(key), await first.run('CLUSTER', 'KEYSLOT', key), key)
})

t.test('entries are stored, compared and found on all masters', async (t) => {
  for (const name of NAMES) {
    t.equal(await cache.fill(tenantName(name), tenantEntry(name, 5), KEPT_MS), true)
    t.equal(await cache.fill(tenantName(name), absentEntry(4), KEPT_MS), false)
  }
  const found = await Promise.all(NAMES.map((name) => cache.read(tenantName(name))))
  t.ok(found.every((read) => read?.entry.kind === 'tenant' && read.ageMs < 10_000))
  for (const master of cluster.masters) t.ok(Number(await master.run('DBSIZE')) > 0)
})

t.test('edits by hand are told from all masters', async (t) => {
  const edited = NAMES.slice(0, 12)
  const names = () => told.map((change) => (change.kind === 'name' ? change.name.name : '*'))
  await until(() => NAMES.every((name) => names().includes(name)))
  told.length = 0
  for (const name of edited) {
    // All but one of the masters say that the key is not theirs.
    const deletions = cluster.masters.map((master) => master.run('DEL', `${PREFIX}tenant:${name}`))
    const answers = await Promise.allSettled(deletions)
    t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
  }
  await until(() => told.length >= edited.length)
  t.strictSame(names().sort(), edited.sort())
})

t.test('one floor is for all masters', async (t) => {
  told.length = 0
  await cache.raiseFloor(6)
  await until(() => told.length > 0)
  t.strictSame(told, [ALL])
  t.equal(await cache.read(tenantName('tenant-30')), undefined, 'below the floor')
  t.equal(await cache.fill(tenantName('tenant-30'), absentEntry(5), KEPT_MS), false)
  t.equal(await cache.fill(tenantName('tenant-30'), absentEntry(6), KEPT_MS), true)
})

t.test('a user with no more rights than it takes', async (t) => {
  const rights = [
    '+ping',
    '+info',
    '+client|id',
    '+client|tracking',
    '+subscribe',
    '+cluster|slots',
  ]
  const keys = ['+getrange', '+pttl', '+get', '+set', '+eval', '+evalsha', `~${PREFIX}*`]
  for (const node of [...cluster.masters, replica]) {
    const user = ['proxy', 'reset', 'on', '>secret', ...rights, ...keys, '&__redis__:invalidate']
    await node.run('ACL', 'SETUSER', ...user)
  }
  const urls = [first.url.replace('://', '://proxy:secret@')]
  const limited = watchedCache(t, { servers: { kind: 'cluster', urls } })
  await until(() => limited.cache.isUp)
  for (const name of NAMES) await limited.cache.voidName(loginName(name), 7)
  t.strictSame(limited.lost, [])
  for (const node of cluster.masters) t.same(await node.run('ACL', 'LOG'), [])
  limited.cache.close()
})

t.test('a cluster that is taken for a single server', async (t) => {
  const single = watchedCache(t, { servers: { kind: 'single', url: first.url } })
  await until(() => single.cache.isUp)
  const reads = NAMES.map((name) => single.cache.read(tenantName(name)))
  const failed = (await Promise.allSettled(reads)).filter(({ status }) => status === 'rejected')
  t.ok(failed.length > 0)
  t.match(single.lost[0], /it belongs to a cluster/)
  single.cache.close()
})

t.test('a slot that has moved is found again', async (t) => {
  const name = loginName('mover')
  await cache.fill(name, loginEntry('mover', 9), KEPT_MS)
  const slot = String(slotOf(`${PREFIX}login:mover`))
  const ids = await Promise.all(cluster.masters.map((node) => node.run('CLUSTER', 'MYID')))
  const owner = await ownerOf(slot)
  const to = (owner + 1) % 3
  const [source, target] = [cluster.masters[owner], cluster.masters[to]]
  if (!source || !target) throw new Error('no owner')
  told.length = 0
  await target.run('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(ids[owner]))
  await source.run('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(ids[to]))
  const key = `${PREFIX}login:mover`
  await source.run('MIGRATE', '127.0.0.1', String(target.port), key, '0', '2000')
  for (const node of [target, source]) {
    await node.run('CLUSTER', 'SETSLOT', slot, 'NODE', String(ids[to]))
  }
  await eventually(() => cache.read(name))
  t.strictSame((await cache.read(name))?.entry, loginEntry('mover', 9))
  await until(() => told.some(({ kind }) => kind === 'all'))
})

t.test('a master that is lost fails for its own keys, until its replica serves', async (t) => {
  told.length = 0
  await first.kill()
  await until(() => !cache.isUp)
  t.strictSame(told[0], ALL)
  const startedMs = performance.now()
  const answers = await Promise.allSettled(NAMES.map((name) => cache.read(tenantName(name))))
  t.ok(performance.now() - startedMs < 2 * TIMEOUT_MS, 'nobody waits')
  const failed = answers.filter(({ status }) => status === 'rejected')
  t.ok(failed.length > 0)

  await until(() => cache.isUp)
  t.ok(up.includes(`127.0.0.1:${replica.port}`))
  await t.resolves(Promise.all(NAMES.map((name) => cache.read(tenantName(name)))))
  t.equal(await cache.fill(tenantName('after'), absentEntry(9), KEPT_MS), true)
  t.ok(told.filter(({ kind }) => kind === 'all').length >= 2, 'told after it is back as well')
  await first.restart()
})

t.test('a cache that starts while its only known node is away', async (t) => {
  await second.kill()
  const late = newCache()
  await until(() => late.lost.length > 0)
  await t.rejects(late.cache.read(tenantName('after')), FAILED)
  await second.restart()
  await until(() => late.cache.isUp)
  t.equal(late.lost.length, 1)
  late.cache.close()
})

/** Place of the master that holds the one key of a slot. */
async function ownerOf(of: string): Promise<number> {
  const counts = await Promise.all(
    cluster.masters.map((node) => node.run('CLUSTER', 'COUNTKEYSINSLOT', of)),
  )
  return counts.indexOf(1)
}

/** Waits until something is there, over failures. */
async function eventually(read: () => Promise<unknown>): Promise<void> {
  await until(async () => (await read().catch(() => undefined)) !== undefined)
}
