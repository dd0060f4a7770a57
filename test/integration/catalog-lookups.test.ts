import t from 'tap'
import { attempt, databaseTenant, lookups, startTown, visit } from '../support/catalog-town.ts'
import { codes, fields } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const town = await startTown(t)
const { source, server } = town

t.beforeEach(() => town.reset())

t.test('every tenant gets to its own rows, cold and warm', async (t) => {
  const proxy = await town.proxy(t)
  const tenants = ['acme', 'umbrella', 'globex', 'hooli', 'initech', 'initrode']
  for (const tenant of tenants) t.equal(await visit(proxy, tenant), tenant)
  t.equal(await lookups(proxy, 'postgres', 'hit'), tenants.length + 1, 'each, and the login')
  for (const tenant of tenants) t.equal(await visit(proxy, tenant), tenant)
  t.equal(await lookups(proxy, 'postgres', 'hit'), tenants.length + 1, 'no more than once')
})

t.test('a second proxy learns from Redis', async (t) => {
  const first = await town.proxy(t)
  t.equal(await visit(first, 'globex'), 'globex')
  await until(async () => Number(await town.redis.run('DBSIZE')) >= 2)
  const second = await town.proxy(t)
  await until(async () => (await second.metric('pgusher_redis_up')) === 1)
  t.equal(await visit(second, 'globex'), 'globex')
  t.equal(await lookups(second, 'redis', 'hit'), 2)
  t.equal(await lookups(second, 'postgres'), 0)
})

t.test('a thousand sessions of a cold tenant make one lookup', async (t) => {
  const proxy = await town.proxy(t, { redis: {} }, { limits: { maxClients: 2000 } })
  const attempts = await Promise.all(Array.from({ length: 1000 }, () => attempt(proxy, 'hooli')))
  t.strictSame([...new Set(attempts.map(({ sqlState }) => sqlState))], [undefined])
  t.equal(await lookups(proxy, 'postgres'), 2, 'of the tenant and of the login')
  await Promise.all(attempts.map(({ client }) => client.end()))
})

t.test('unknown names cost one lookup, and are found once they are there', async (t) => {
  const proxy = await town.proxy(t, { negativeTtlMs: 60_000 })
  for (let tries = 0; tries < 3; tries += 1) t.equal(await visit(proxy, 'nobody'), '28P01')
  t.equal(await lookups(proxy, 'postgres', 'absent'), 1)
  await source.run(`INSERT INTO pgusher.tenants (name, strategy, server, id)
    VALUES ('nobody', 'row', 'shared', '44')`)
  await until(async () => (await visit(proxy, 'nobody')) === '')
})

t.test('unknown tenants, logins, grants and wrong passwords look alike', async (t) => {
  const proxy = await town.proxy(t)
  const refusals = await Promise.all([
    attempt(proxy, 'acme', { password: 'wrong' }),
    attempt(proxy, 'nobody'),
    attempt(proxy, 'acme', { user: 'nobody' }),
    attempt(proxy, 'nobody', { user: 'nobody' }),
    attempt(proxy, 'globex', { user: 'web' }),
  ])
  const [first, ...others] = refusals.map(({ frames }) => ({
    codes: codes(frames),
    error: JSON.stringify(fields(frames.at(-1))).replace(/user \\"\w+\\"/, 'user'),
    lengths: frames.filter(({ code }) => code === 'R').map(({ body }) => body.length),
  }))
  t.match(first, { error: /28P01/ })
  for (const other of others) t.strictSame(other, first)
  t.equal(await visit(proxy, 'acme', { user: 'web' }), 'acme')
})

t.test('changed and dropped tenants, logins and grants', async (t) => {
  const proxy = await town.proxy(t)
  const becomes = (
    wanted: string | undefined,
    ...visited: [string, { user?: string; password?: string }?]
  ) => until(async () => (await visit(proxy, ...visited)) === wanted)
  t.equal(await visit(proxy, 'globex'), 'globex')
  t.equal(await visit(proxy, 'acme', { user: 'web' }), 'acme')
  t.equal(await visit(proxy, 'globex', { user: 'web' }), '28P01')
  await source.run(`INSERT INTO pgusher.grants ("user", tenant) VALUES ('web', 'globex')`)
  await becomes('globex', 'globex', { user: 'web' })
  await source.run(`DELETE FROM pgusher.grants WHERE tenant = 'globex'`)
  await becomes('28P01', 'globex', { user: 'web' })
  await source.run(`UPDATE pgusher.logins SET has_all_tenants = true WHERE "user" = 'web'`)
  await becomes('globex', 'globex', { user: 'web' })
  await source.run(`UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'globex'`)
  await becomes('57P03', 'globex')
  t.equal(
    await visit(proxy, 'globex', { password: 'wrong' }),
    '28P01',
    'told to those who may know',
  )
  await source.run(`DELETE FROM pgusher.tenants WHERE name = 'globex'`)
  await becomes('28P01', 'globex')
  await source.run(`DELETE FROM pgusher.tenants WHERE name = 'umbrella';
    ${databaseTenant(server, 'globex', 'umbrella')}`)
  await becomes('umbrella', 'globex')
  await source.run(`DELETE FROM pgusher.logins WHERE "user" = 'web'`)
  await becomes('28P01', 'acme', { user: 'web' })
  t.equal(await visit(proxy, 'acme'), 'acme')
})
