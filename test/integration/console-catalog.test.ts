import t from 'tap'
import { startTown } from '../support/catalog-town.ts'
import { PASSWORD } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { CONSOLE, operator, refusalOf, STATS, show } from './console-fixture.ts'

const town = await startTown(t)

function factsOf(rows: readonly Record<string, unknown>[]): ReadonlyMap<unknown, unknown> {
  return new Map(rows.map(({ key, value }) => [key, value]))
}

t.test('tenants that stand in Postgres', async (t) => {
  const proxy = await town.proxy(t, {}, { console: CONSOLE })
  const looker = await operator(t, proxy, STATS)
  t.strictSame(await show(looker, 'SHOW TENANTS'), [], 'none that is used; all are not listed')
  const acme = factsOf(await show(looker, 'SHOW TENANT acme'))
  t.match(acme.get('strategy'), 'database')
  t.equal(acme.get('database'), 'acme')
  t.equal(acme.get('sessions'), '0')
  t.equal(JSON.stringify([...acme]).includes('password'), false)
  t.equal((await refusalOf(looker.query('SHOW TENANT nobody')))?.code, '42704')
  const route = factsOf(await show(looker, "EXPLAIN ROUTE FOR 'user=app.globex'"))
  t.match(route.get('admitted'), /^yes/)
  t.match(route.get('catalog'), /tenant globex: found in (?:memory|redis|postgres)/)
  const client = await proxy.connect('globex')
  t.match(await show(looker, 'SHOW TENANTS'), [{ name: 'globex', sessions: 1 }])
  await client.end()
  const catalog = factsOf(await show(looker, 'SHOW CATALOG'))
  t.match(Object.fromEntries(catalog), {
    source: 'postgres',
    has_answered: 'yes',
    postgres: 'up',
    postgres_breaker: 'closed',
    redis: 'up',
  })
  t.ok(Number(catalog.get('memory_entries')) > 0)
  const text = JSON.stringify(await show(looker, 'SHOW CONFIG'))
  t.equal(text.includes(town.source.url), false, 'the URL may hold a password')
  t.equal(text.includes(PASSWORD), false)
})

t.test('operators can act while the catalog is away', async (t) => {
  const proxy = await town.proxy(t, { redis: {} }, { console: CONSOLE })
  const admin = await operator(t, proxy)
  await town.source.server.halt('immediate')
  t.teardown(() => town.source.server.restart())
  await until(async () => factsOf(await show(admin, 'SHOW CATALOG')).get('postgres') === 'down')
  t.equal((await refusalOf(admin.query('SHOW TENANT acme')))?.code, '57P03', 'nobody can say')
  t.equal(await refusalOf(admin.query('PAUSE umbrella')), undefined, 'any name is taken')
  t.match(await show(admin, 'SHOW TENANTS'), [{ name: 'umbrella', paused: true }])
  t.equal(await refusalOf(admin.query('RESUME umbrella')), undefined)
})
