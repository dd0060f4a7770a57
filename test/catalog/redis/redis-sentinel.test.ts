import t from 'tap'
import { startRedisSentinels } from '../../support/redis-groups.ts'
import { until } from '../../support/until.ts'
import {
  fillQuietly,
  KEPT_MS,
  PREFIX,
  tenantEntry,
  tenantName,
  watchedCache,
} from './redis-fixture.ts'

const ACME = tenantName('acme')
const ALL = { kind: 'all', version: undefined }

for (const fault of ['killed', 'hung'] as const) {
  t.test(`the new master is found when the old one is ${fault}`, async (t) => {
    const group = await startRedisSentinels()
    t.teardown(() => group.stop())
    // The first sentinel is not there: the next one is asked.
    const urls = ['redis://127.0.0.1:1', group.sentinel.url]
    const login = { master: 'mymaster', user: undefined, password: undefined }
    const servers = { kind: 'sentinels', urls, ...login } as const
    const watched = watchedCache(t, { servers, timeoutMs: 500 })
    const { cache, told } = watched
    await until(() => cache.isUp)
    await fillQuietly(watched, ACME, tenantEntry('acme', 5))
    await until(async () => (await group.replica.run('EXISTS', `${PREFIX}tenant:acme`)) === 1)

    if (fault === 'killed') await group.master.kill()
    else group.master.pause()
    await until(() => !cache.isUp)
    t.strictSame(told.splice(0), [ALL])
    await until(() => cache.isUp)
    t.strictSame(told.splice(0), [ALL])
    t.strictSame((await cache.read(ACME))?.entry, tenantEntry('acme', 5), 'the replica had it')
    t.equal(await cache.fill(ACME, tenantEntry('acme', 6), KEPT_MS), true, 'and takes more')
    t.match(await group.replica.run('INFO', 'replication'), /role:master/)
    told.length = 0
    await group.replica.run('DEL', `${PREFIX}tenant:acme`)
    await until(() => told.length > 0)
    group.master.resume()
  })
}

t.test('a master that was demoted without a word is left when it refuses to store', async (t) => {
  const group = await startRedisSentinels()
  t.teardown(() => group.stop())
  const { cache, lost } = watchedCache(t, {
    servers: { kind: 'single', url: group.replica.url },
  })
  await until(() => cache.isUp)
  t.equal(await cache.read(ACME), undefined, 'a replica answers')
  await t.rejects(cache.fill(ACME, tenantEntry('acme', 5), KEPT_MS), {
    code: 'CATALOG_LAYER_FAILED',
  })
  t.match(lost[0], /READONLY/)
})
