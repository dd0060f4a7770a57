import t from 'tap'
import { settingViews } from '../../src/config/setting-views.ts'
import { settingPaths } from '../../src/config/sources/setting-paths.ts'
import { load } from './config-fixture.ts'

const KEY = Buffer.alloc(32, 9).toString('base64')
const SECRET = 'nobody-may-see-this'

const config = load(`
admin: { token: '${SECRET}' }
console: { logins: [{ user: ops, password: '${SECRET}', role: admin }] }
isolation: { keys: [{ id: k1, key: '${KEY}' }] }
catalog:
  keys: [{ id: k1, key: '${KEY}' }]
  postgres: { url: 'postgresql://u:${SECRET}@h/d' }
  redis:
    sentinels: ['redis://:${SECRET}@h']
    sentinelMaster: main
    user: u
    password: '${SECRET}'
logins: [{ user: app, password: '${SECRET}', tenants: '*' }]
servers: { shared: { url: 'postgresql://pool:${SECRET}@db/saas' } }
tenants: [{ name: acme, strategy: database, databaseUrl: 'postgresql://u:${SECRET}@h/acme' }]
pool: { size: 7 }
`)
const views = new Map(settingViews(config).map((view) => [view.key, view]))

t.test('no secret is shown, wherever one can stand', async (t) => {
  const text = JSON.stringify([...views.values()])
  for (const secret of [SECRET, KEY]) t.equal(text.includes(secret), false)
  for (const key of ['admin.token', 'console.logins', 'isolation.keys', 'catalog.postgres.url']) {
    t.equal(views.get(key)?.value, '****', key)
  }
})

t.test('every setting that stands alone is shown', async (t) => {
  const due = settingPaths().filter(({ variable }) => variable !== undefined)
  const lists = new Set(['logins', 'servers', 'tenants'])
  t.strictSame(
    [...views.keys()],
    due.map(({ path }) => path).filter((path) => !lists.has(path)),
  )
})

t.test('values are as they are in force', async (t) => {
  t.match(views.get('pool.size'), { value: '7', default: '20', isReloadable: true })
  t.match(views.get('listen.port'), { value: '6432', default: '6432', isReloadable: false })
  t.match(views.get('listen.socketMode'), { value: '0777', default: '0777' })
  t.equal(views.get('tls.client.cert')?.value, undefined)
  t.match(views.get('pool.carriedSettings')?.value, /^\["bytea_output",/)
  t.equal(views.get('catalog.redis.sentinelMaster')?.value, 'main')
})
