import t from 'tap'
import { setScene, settle, tenantName } from './layers-fixture.ts'

t.test('Redis is told what Postgres told', async (t) => {
  const { cache, changed, all, lookups } = setScene()
  changed('acme', 5)
  all(6)
  all(undefined)
  lookups.heard({ kind: 'name', name: tenantName('acme'), version: undefined }, 'postgres')
  lookups.heard({ kind: 'name', name: tenantName('acme'), version: 9 }, 'redis')
  t.strictSame(cache.voids, [['tenant:acme', 5]])
  t.strictSame(cache.floors, [6])
})

t.test('what could not be told is made good when Redis is back', async (t) => {
  const { cache, changed, all } = setScene()
  cache.isUp = false
  cache.isWritable = false
  changed('acme', 5)
  changed('globex', 7)
  all(6)
  await settle()
  all(undefined, 'redis')
  t.strictSame(cache.floors, [], 'it is still away')
  cache.isUp = true
  all(undefined, 'redis')
  await settle()
  cache.isWritable = true
  all(undefined, 'redis')
  await settle()
  t.strictSame(cache.floors, [7], 'the newest of them stands for all')
  all(undefined, 'redis')
  t.strictSame(cache.floors, [7], 'once')
})

t.test('what fails while the debt is paid is still owed', async (t) => {
  const { cache, changed, all } = setScene()
  cache.isWritable = false
  changed('acme', 5)
  await settle()
  cache.isWritable = true
  all(undefined, 'redis')
  cache.isWritable = false
  changed('globex', 8)
  await settle()
  cache.isWritable = true
  all(undefined, 'redis')
  await settle()
  t.strictSame(cache.floors, [5, 8])
})
