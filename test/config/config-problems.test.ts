// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of references
import t from 'tap'
import type { ConfigError } from '../../src/config/config-errors.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { deriveVerifier, formatVerifier } from '../../src/wire/scram/scram.ts'
import { load, placesOf, problemsOf, SHARED, tenantLine } from './config-fixture.ts'

const BAD = [
  { name: 'unknown group', text: 'pol: {}', at: ['1:1 pol'] },
  { name: 'unknown key', text: 'pool:\n  sise: 3', at: ['2:3 pool.sise'] },
  { name: 'wrong type', text: 'pool:\n  size: many', at: ['2:9 pool.size'] },
  { name: 'too small', text: 'pool: { size: 0 }', at: ['1:15 pool.size'] },
  { name: 'fraction', text: 'pool: { size: 1.5 }', at: ['1:15 pool.size'] },
  { name: 'unknown choice', text: 'pool: { mode: statement }', at: ['1:15 pool.mode'] },
  { name: 'group that is a list', text: 'pool: [1]', at: ['1:7 pool'] },
  { name: 'root that is a list', text: '- 1', at: ['1:1'] },
  { name: 'no YAML', text: 'pool: { size: 1', at: ['1:16'] },
  { name: 'duplicate key', text: 'log: {}\nlog: {}', at: ['2:1'] },
  { name: 'key that is a list', text: 'pool: { [a]: 1 }', at: ['1:9 pool'] },
  {
    name: 'key that JavaScript would swallow',
    text: 'servers: { __proto__: {} }',
    at: ['1:12 servers'],
  },
  {
    name: 'aliases that multiply',
    text: 'a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]',
    at: ['1:1'],
  },
  {
    name: 'backoff turned round',
    text: 'pool: { backoffMinMs: 9, backoffMaxMs: 8 }',
    at: ['1:40 pool.backoffMaxMs'],
  },
  {
    name: 'user pattern without user',
    text: "tenancy: { tag: { user: '{tenant}' } }",
    at: ['1:25 tenancy.tag.user'],
  },
  {
    name: 'two tenants in a pattern',
    text: "tenancy: { tag: { database: '{tenant}@{tenant}' } }",
    at: ['1:29 tenancy.tag.database'],
  },
  {
    name: 'pattern that is true',
    text: 'tenancy: { tag: { database: true } }',
    at: ['1:29 tenancy.tag.database'],
  },
  {
    name: 'unknown default tenant',
    text: 'tenancy: { default: acme }',
    at: ['1:21 tenancy.default'],
  },
  {
    name: 'setting without prefix',
    text: 'tenancy: { setting: tenant }',
    at: ['1:21 tenancy.setting'],
  },
  {
    name: 'no way to name a tenant',
    text: 'tenancy: { tag: { parameter: false, user: false } }',
    at: ['1:17 tenancy.tag'],
  },
  {
    name: 'missing environment variable',
    text: "log:\n  level: '${env:NO}'",
    at: ['2:10 log.level'],
  },
  { name: 'missing file', text: "log: { level: '${file:/no/such}' }", at: ['1:15 log.level'] },
  { name: 'relative file', text: "log: { level: '${file:secret}' }", at: ['1:15 log.level'] },
  { name: 'unknown reference', text: "log: { level: '${vault:x}' }", at: ['1:15 log.level'] },
  { name: 'open reference', text: "log: { level: '${env:X' }", at: ['1:15 log.level'] },
  {
    name: 'login without user',
    text: 'logins:\n  - { password: x, tenants: [] }',
    at: ['2:5 logins[0].user'],
  },
  {
    name: 'login without password',
    text: 'logins:\n  - { user: a, tenants: [] }',
    at: ['2:5 logins[0].password'],
  },
  {
    name: 'password that is a number',
    text: 'logins:\n  - { user: a, password: 1, tenants: [] }',
    at: ['2:26 logins[0].password'],
  },
  {
    name: 'login twice',
    text: "logins:\n  - &a { user: a, password: x, tenants: '*' }\n  - *a",
    at: ['2:16 logins[1].user'],
  },
  {
    name: 'login for an unknown tenant',
    text: 'logins:\n  - { user: a, password: x, tenants: [acme] }',
    at: ['2:39 logins[0].tenants[0]'],
  },
  {
    name: 'md5 hash for scram',
    text: `logins:\n  - { user: a, password: md5${'0'.repeat(32)}, tenants: '*' }`,
    at: ['2:26 logins[0].password'],
  },
  {
    name: 'broken verifier',
    text: "logins:\n  - { user: a, password: SCRAM-SHA-256$4096, tenants: '*' }",
    at: ['2:26 logins[0].password'],
  },
  {
    name: 'verifier for md5',
    text: `auth: { method: md5 }\nlogins:\n  - { user: a, password: '${formatVerifier(deriveVerifier('x'))}', tenants: '*' }`,
    at: ['3:26 logins[0].password'],
  },
  {
    name: 'authority of a server that is not there',
    text: "servers: { a: { url: 'postgresql://u@h/d?sslrootcert=/no/such/file' } }",
    at: ['1:22 servers.a.url'],
  },
  { name: 'list of tenants that is a map', text: 'tenants: { acme: {} }', at: ['1:10 tenants'] },
  {
    name: 'malformed tenant name',
    text: tenantLine('{ name: Acme, strategy: row, server: shared }'),
    at: ['3:13 tenants[0].name'],
  },
  {
    name: 'unknown strategy',
    text: tenantLine('{ name: a, strategy: shema, server: shared }'),
    at: ['3:26 tenants[0].strategy'],
  },
  {
    name: 'unknown server',
    text: tenantLine('{ name: a, strategy: row, server: share }'),
    at: ['3:39 tenants[0].server'],
  },
  {
    name: 'no server',
    text: tenantLine('{ name: a, strategy: row }'),
    at: ['3:5 tenants[0].server'],
  },
  {
    name: 'no databaseUrl',
    text: tenantLine('{ name: a, strategy: database }'),
    at: ['3:5 tenants[0].databaseUrl'],
  },
  {
    name: 'databaseUrl of a row tenant',
    text: tenantLine("{ name: a, strategy: row, server: shared, databaseUrl: 'x' }"),
    at: ['3:47 tenants[0].databaseUrl'],
  },
  {
    name: 'schema of a row tenant',
    text: tenantLine('{ name: a, strategy: row, server: shared, schema: x }'),
    at: ['3:47 tenants[0].schema'],
  },
  {
    name: 'size of a shared pool',
    text: tenantLine('{ name: a, strategy: row, server: shared, pool: { size: 3 } }'),
    at: ['3:55 tenants[0].pool.size'],
  },
  {
    name: 'replication of a row tenant',
    text: tenantLine('{ name: a, strategy: row, server: shared, replication: database }'),
    at: ['3:47 tenants[0].replication'],
  },
  {
    name: 'replication of a schema tenant',
    text: tenantLine('{ name: a, strategy: schema, server: shared, replication: physical }'),
    at: ['3:50 tenants[0].replication'],
  },
  {
    name: 'schema name that Postgres would cut',
    text: tenantLine(`{ name: ${'a'.repeat(60)}, strategy: schema, server: shared }`),
    at: ['3:5 tenants[0].schema'],
  },
  {
    name: 'schema of the system',
    text: tenantLine('{ name: a, strategy: schema, server: shared, schema: pg_catalog }'),
    at: ['3:58 tenants[0].schema'],
  },
  {
    name: 'role among the settings',
    text: tenantLine('{ name: a, strategy: row, server: shared, settings: { ROLE: x } }'),
    at: ['3:59 tenants[0].settings.ROLE'],
  },
  {
    name: 'search_path of a schema tenant',
    text: tenantLine('{ name: a, strategy: schema, server: shared, settings: { search_path: x } }'),
    at: ['3:62 tenants[0].settings.search_path'],
  },
  {
    name: 'tenancy setting of a row tenant',
    text: tenantLine('{ name: a, strategy: row, server: shared, settings: { App.Tenant_Id: x } }'),
    at: ['3:59 tenants[0].settings.App.Tenant_Id'],
  },
  {
    name: 'malformed name of a setting',
    text: tenantLine("{ name: a, strategy: row, server: shared, settings: { 'a b': x } }"),
    at: ['3:59 tenants[0].settings.a b'],
  },
  {
    name: 'number as an id',
    text: tenantLine('{ name: a, strategy: row, server: shared, id: 42 }'),
    at: ['3:51 tenants[0].id'],
  },
]
for (const { name, text, at } of BAD) {
  t.test(`refuses: ${name}`, async (t) => t.strictSame(placesOf(text), at))
}

const OVERLAPS = [
  {
    name: 'one name',
    first: 'name: a, strategy: row',
    second: 'name: a, strategy: row, id: x',
    at: 'name',
  },
  {
    name: 'one row id',
    first: 'name: a, strategy: row',
    second: 'name: b, strategy: row, id: a',
    at: 'id',
  },
  {
    name: 'one schema',
    first: 'name: a, strategy: schema',
    second: 'name: b, strategy: schema, schema: tenant_a',
    at: 'schema',
  },
  {
    name: "a tenant's schema in another search path",
    first: 'name: a, strategy: schema',
    second: 'name: b, strategy: row, searchPath: [public, tenant_a]',
    at: 'searchPath[1]',
  },
]
for (const { name, first, second, at } of OVERLAPS) {
  t.test(`refuses two tenants with ${name}, also over two servers of one database`, async (t) => {
    const text = `servers:
  one: { url: 'postgresql://pool@db/saas' }
  two: { url: 'postgresql://other@DB:5432/saas' }
tenants:
  - { ${first}, server: one }
  - { ${second}, server: two }`
    t.strictSame(
      problemsOf(text).map(({ path }) => path),
      [`tenants[1].${at}`],
    )
  })
}

t.test('refuses two database tenants with one database and login', async (t) => {
  const tenant = (name: string, user: string) =>
    `  - { name: ${name}, strategy: database, databaseUrl: 'postgresql://${user}@db/x' }\n`
  t.strictSame(placesOf(`tenants:\n${tenant('a', 'u')}${tenant('b', 'u')}`), [
    '3:49 tenants[1].databaseUrl',
  ])
  t.strictSame(placesOf(`tenants:\n${tenant('a', 'u')}${tenant('b', 'v')}`), [])
})

t.test('tells all problems of a file and of the environment in one go, in order', async (t) => {
  const text = `pool: { sise: 1, mode: x }
logins:
  - { user: app, tenants: [nobody] }
${SHARED}tenants:
  - { name: a, strategy: row, server: nowhere, colour: red }`
  t.strictSame(placesOf(text, { PGUSHER_ADMIN_PORT: 'x', PGUSHER_POOL_SIZ: '1' }), [
    '1:9 pool.sise',
    '1:24 pool.mode',
    '3:5 logins[0].password',
    '3:28 logins[0].tenants[0]',
    '6:39 tenants[0].server',
    '6:48 tenants[0].colour',
    'PGUSHER_POOL_SIZ',
    'PGUSHER_ADMIN_PORT admin.port',
  ])
})

t.test('suggests the nearest known name', async (t) => {
  const remedies = problemsOf('pol: {}\npool: { mode: transation, sise: 2 }', {
    PGUSHER_POOL_SIZ: '1',
  }).map(({ remedy }) => remedy)
  t.strictSame(remedies, [
    'Did you mean pool?',
    'Did you mean transaction?',
    'Did you mean size?',
    'Did you mean PGUSHER_POOL_SIZE?',
  ])
})

t.test('never shows a secret', async (t) => {
  const text = `logins:
  - { user: a, password: SCRAM-SHA-256$hushhush, tenants: '*' }
servers:
  a: { url: 'postgresql://u:hushhush@h:x/d' }
  b: { url: 'postgresql://u:hush/hush@h/d?sslmode=require' }
  c: { url: 'postgresql://u:hushhush@h/d?sslmode=verify-ca' }`
  try {
    load(text)
    t.fail('must throw')
  } catch (error) {
    t.match(error, { code: 'CONFIG_INVALID' })
    t.equal((error as ConfigError).problems.length, 4)
    t.notMatch((error as ConfigError).message, /hush/)
  }
})

t.test('a file that is not there', async (t) => {
  t.throws(() => loadConfig({ file: '/no/such/file', env: {} }), { code: 'CONFIG_INVALID' })
})
