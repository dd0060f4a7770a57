// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of references
import t from 'tap'
import { valueAt } from '../../src/catalog/documents/setting-path.ts'
import { type SettingRow, settingPaths } from '../../src/config/sources/setting-paths.ts'
import { TestAuthority } from '../support/certificates.ts'
import { load, problemsOf } from './config-fixture.ts'

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())

/** TLS needs all of its files, and some settings need TLS. */
const TLS_FILES = {
  PGUSHER_TLS_CLIENT_CERT: authority.own.certFile,
  PGUSHER_TLS_CLIENT_KEY: authority.own.keyFile,
  PGUSHER_TLS_CLIENT_CA: authority.own.certFile,
}
/** Redis is a cache of Postgres. */
const SOURCE = { PGUSHER_CATALOG_POSTGRES_URL: 'postgresql://u@h/d' }
const SENTINELS = { PGUSHER_CATALOG_REDIS_SENTINELS: '["redis://h"]' }
const NEEDS_SENTINELS = /^catalog\.redis\.(?:user|password)$/
const NEEDS_TLS = /^(?:tls\.|tenancy\.tag\.(?:sni|certificate)$)/

/** A value that each setting takes, other than its default. */
const OTHER_VALUES: Readonly<Record<string, string>> = {
  'listen.socketMode': '0770',
  'listen.socketDir': '/run/pgusher',
  'tls.client.mode': 'disable',
  'tls.client.cert': authority.caFile,
  'tls.client.key': authority.own.keyFile,
  'tls.client.ca': authority.caFile,
  'tenancy.tag.sni': '{tenant}.db.example.com',
  'tenancy.tag.certificate': '{tenant}',
  'pool.pins': 'refuse',
  'pool.carriedSettings': '["work_mem"]',
  'listen.host': '::1',
  'admin.host': '::1',
  'auth.method': 'md5',
  'auth.channelBinding': 'disable',
  'pool.mode': 'session',
  'pool.backoffMinMs': '101',
  'pool.lifetimeJitter': '0.5',
  'tenancy.default': 'acme',
  'tenancy.tag.parameter': 'false',
  'tenancy.tag.user': '{tenant}/{user}',
  'tenancy.tag.database': '{tenant}',
  'tenancy.setting': 'my.tenant',
  'isolation.level': 'convenience',
  'isolation.keys': JSON.stringify([{ id: 'one', key: Buffer.alloc(32).toString('base64') }]),
  'log.level': 'warn',
  'log.sql': 'true',
  'admin.token': 'secret',
  'admin.tokenFile': '/run/pgusher/token',
  'console.database': 'ops',
  'console.logins': JSON.stringify([{ user: 'ops', password: 'pw', role: 'admin' }]),
  'catalog.postgres.url': 'postgresql://u@h/d',
  'catalog.postgres.query': 'SELECT $1',
  'catalog.redis.url': 'redis://h',
  'catalog.redis.cluster': '["redis://h"]',
  'catalog.redis.sentinels': '["redis://h"]',
  'catalog.redis.sentinelMaster': 'main',
  'catalog.redis.user': 'pgusher',
  'catalog.redis.password': 'secret',
  'catalog.redis.ca': authority.caFile,
  'catalog.redis.prefix': 'other:',
  'catalog.maxStaleMs': '3600001',
  'catalog.keys': JSON.stringify([{ id: 'one', key: Buffer.alloc(32).toString('base64') }]),
}
const ACME = "{ name: acme, strategy: database, databaseUrl: 'postgresql://u:${env:PW}@h/d' }"

function otherValue({ path, default: standard }: SettingRow): string {
  return OTHER_VALUES[path] ?? String(Number(standard) + 1)
}

t.test('every setting has a variable of its own', async (t) => {
  const variables = settingPaths().flatMap(({ variable }) => variable ?? [])
  t.equal(new Set(variables).size, variables.length)
  t.ok(variables.includes('PGUSHER_POOL_SIZE'))
  t.ok(variables.includes('PGUSHER_TIMEOUTS_IDLE_CLIENT_MS'))
})

for (const row of settingPaths()) {
  const { path, variable } = row
  if (variable === undefined || ['logins', 'servers', 'tenants'].includes(path)) continue
  t.test(`${variable} wins over the file`, async (t) => {
    const text = `tenants: [${ACME.replace('${env:PW}', 'x')}]\nlog: { level: error }`
    const files = NEEDS_TLS.test(path) ? TLS_FILES : {}
    const source = path.startsWith('catalog.') ? SOURCE : {}
    const sentinels = NEEDS_SENTINELS.test(path) ? SENTINELS : {}
    const config = load(text, { ...files, ...source, ...sentinels, [variable]: otherValue(row) })
    const value = valueAt(config, path.split('.'))
    t.equal(Array.isArray(value) ? JSON.stringify(value) : String(value), otherValue(row))
  })
}

t.test('lists and maps come as YAML or JSON, with references', async (t) => {
  const { records } = load('tenants: [{ name: old, strategy: row, server: nowhere }]', {
    PW: 'p@',
    PGUSHER_TENANTS: `- ${ACME}\n- { name: b, strategy: row, server: s }`,
    PGUSHER_SERVERS: '{"s":{"url":"postgresql://u@h/d"}}',
    PGUSHER_LOGINS: "[{ user: app, password: '${env:PW}', tenants: [b] }]",
  })
  t.strictSame(
    records.tenants.map(({ name, target }) => [name, target.password]),
    [
      ['acme', 'p@'],
      ['b', undefined],
    ],
  )
  t.strictSame(records.logins[0]?.tenants, ['b'])
})

t.test('problems inside a variable have its name and their position in it', async (t) => {
  const problems = problemsOf('', {
    PGUSHER_TENANTS: "- { name: a, strategy: row, server: s }\n- { name: '${env:NO}' }",
  })
  t.match(problems, [
    { source: 'PGUSHER_TENANTS', line: 1, column: 37, path: 'tenants[0].server' },
    { source: 'PGUSHER_TENANTS', line: 2, column: 3, path: 'tenants[1].strategy' },
    { source: 'PGUSHER_TENANTS', line: 2, column: 11, path: 'tenants[1].name' },
  ])
  t.equal(problems.length, 3)
})

const STRAY = [
  { variable: 'PGUSHER_CONFIG', value: '/etc/pgusher.yaml', isRefused: false },
  { variable: 'PGUSHER_TEST_DATABASE', value: 'x', isRefused: false },
  { variable: 'PGUSHER_SERVICE_HOST', value: '10.0.0.1', isRefused: false },
  { variable: 'PGUSHER_SERVICE_PORT_METRICS', value: '9127', isRefused: false },
  { variable: 'PGUSHER_PORT', value: 'tcp://10.0.0.1:6432', isRefused: false },
  { variable: 'PGUSHER_PORT_6432_TCP_ADDR', value: '10.0.0.1', isRefused: false },
  { variable: 'PGUSHER_PORT', value: '6432', isRefused: true },
  { variable: 'PGUSHER_LISTEN_PROT', value: '6432', isRefused: true },
  { variable: 'PGUSHER_CONFIG_FILE', value: 'x', isRefused: true },
]
for (const { variable, value, isRefused } of STRAY) {
  t.test(`${variable}=${value} is ${isRefused ? 'refused' : 'let pass'}`, async (t) => {
    const sources = problemsOf('', { [variable]: value }).map(({ source }) => source)
    t.strictSame(sources, isRefused ? [variable] : [])
  })
}

t.test('a missing reference in a plain variable', async (t) => {
  const env = { PGUSHER_LOG_LEVEL: '${env:NO}' }
  t.match(problemsOf('', env), [
    { source: 'PGUSHER_LOG_LEVEL', line: undefined, path: 'log.level' },
  ])
})
