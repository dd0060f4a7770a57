// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of references
import { readFileSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/config/load-config.ts'
import { settingPaths } from '../../src/config/sources/setting-paths.ts'
import { md5Hash } from '../../src/wire/md5.ts'
import { deriveVerifier, formatVerifier } from '../../src/wire/scram/scram.ts'
import { load, SECRETS, SHARED, secretFile } from './config-fixture.ts'

t.test('the minimal file gives the three tenants of the design', async (t) => {
  const config = loadConfig({ file: 'config/minimal.yaml', env: SECRETS })
  const [acme, globex, initech] = config.records.tenants
  t.match(acme, { name: 'acme', id: 'acme', server: undefined, tenancy: { strategy: 'database' } })
  t.match(acme?.target.tls, { mode: 'prefer', channelBinding: 'prefer' })
  t.equal(acme?.target.tls, globex?.target.tls, 'URLs that ask for the same share it')
  t.match(acme?.target, {
    host: 'db',
    port: 5432,
    database: 'acme',
    user: 'acme',
    password: 'acme',
  })
  t.strictSame(globex?.tenancy, {
    strategy: 'schema',
    searchPath: ['tenant_globex'],
    setting: 'app.tenant_id',
  })
  t.strictSame(initech?.tenancy, {
    strategy: 'row',
    searchPath: ['public'],
    setting: 'app.tenant_id',
    value: '42',
  })
  t.equal(globex?.target, initech?.target, 'the tenants of a server share its target')
  t.equal(globex?.target.password, SECRETS.POOL_PASSWORD, 'a referenced password needs no encoding')
  t.equal(config.records.logins[0]?.tenants, '*')
  t.equal(config.records.logins[0]?.secret.kind, 'scram')
})

t.test('the full file holds every setting at its default', async (t) => {
  const {
    records: _,
    sharedServers: __,
    ...full
  } = loadConfig({ file: 'config/full.yaml', env: SECRETS })
  const { records, sharedServers, ...empty } = load('')
  t.strictSame(full, empty)
  t.strictSame(records, { logins: [], tenants: [], templates: [] })
  t.equal(sharedServers.size, 0)
  const text = readFileSync('config/full.yaml', 'utf8')
  for (const { path } of settingPaths()) {
    const key = path.split('.').at(-1)?.replace('[]', '')
    t.match(text, new RegExp(`^[\\s-]*${key}:`, 'm'), path)
  }
})

t.test('no plain password of a login is left', async (t) => {
  const config = loadConfig({ file: 'config/minimal.yaml', env: SECRETS })
  t.notMatch(JSON.stringify(config), SECRETS.APP_PASSWORD)
})

t.test('the configuration is frozen all through', async (t) => {
  const config = loadConfig({ file: 'config/full.yaml', env: SECRETS })
  const frozen = [
    config,
    config.tenancy.tag,
    config.records.tenants,
    config.records.tenants[0]?.pool,
  ]
  t.ok(frozen.every((part) => Object.isFrozen(part)))
})

t.test('references', async (t) => {
  const env = {
    NAME: 'acme',
    USER_NAME: 'us:er',
    DB: 'postgresql://u:p%40@h/d',
    PORT: '7000',
    EVIL: '${env:NAME}',
  }
  const config = load(
    `listen: { port: '\${env:PORT}' }
tenants:
  - name: \${env:NAME}
    strategy: database
    databaseUrl: 'postgresql://\${env:USER_NAME}:\${file:${secretFile}}@h-\${env:NAME}/d'
    labels: { literal: '$\${env:NAME} $5', twice: '\${env:EVIL}' }
  - { name: whole, strategy: database, databaseUrl: '\${env:DB}' }`,
    env,
  )
  const [first, whole] = config.records.tenants
  t.equal(config.listen.port, 7000)
  t.equal(first?.name, 'acme')
  t.match(first?.target, { user: 'us:er', password: 'from file', host: 'h-acme' })
  t.strictSame(first?.labels, { literal: '${env:NAME} $5', twice: '${env:NAME}' })
  t.equal(whole?.target.password, 'p@')
})

t.test('secrets of logins, by method', async (t) => {
  const hash = md5Hash('x', 'a')
  const verifier = formatVerifier(deriveVerifier('x'))
  const rows = [
    { method: 'scram-sha-256', password: 'x', kind: 'scram' },
    { method: 'scram-sha-256', password: verifier, kind: 'scram' },
    { method: 'md5', password: 'x', kind: 'md5' },
    { method: 'md5', password: `md5${hash}`, kind: 'md5' },
    { method: 'password', password: 'x', kind: 'scram' },
    { method: 'password', password: `md5${hash}`, kind: 'md5' },
    { method: 'trust', password: undefined, kind: 'none' },
  ]
  for (const { method, password, kind } of rows) {
    const login = JSON.stringify({ user: 'a', password, tenants: '*' })
    const [record] = load(`auth: { method: ${method} }\nlogins: [${login}]`).records.logins
    t.equal(record?.secret.kind, kind, `${method}: ${kind}`)
    if (record?.secret.kind === 'md5') t.equal(record.secret.hash, hash)
    if (password === verifier && record?.secret.kind === 'scram') {
      t.equal(formatVerifier(record.secret.verifier), verifier)
    }
  }
})

t.test(
  "a tenant's own figures win over the general ones, a server's size over pool.size",
  async (t) => {
    const config = load(`pool: { size: 5 }
timeouts: { waitMs: 1 }
limits: { maxClientsPerTenant: 9 }
servers: { shared: { url: 'postgresql://u@h/d', pool: { size: 7 } } }
tenants:
  - { name: a, strategy: row, server: shared, role: r, settings: { work_mem: 4MB, geqo: false, x.y: 1 } }
  - name: b
    strategy: database
    databaseUrl: postgresql://u@h/e
    status: suspended
    pool: { mode: session, size: 3 }
    timeouts: { queryMs: 4 }
    limits: { maxClients: 0, maxReplication: 2 }
    replication: database
  - { name: c, strategy: database, databaseUrl: 'postgresql://u@h/f' }`)
    const [a, b, c] = config.records.tenants
    t.match(a, { pool: { mode: 'transaction', size: 7 }, maxClients: 9, role: 'r' })
    t.strictSame(a?.settings, [
      { name: 'work_mem', value: '4MB' },
      { name: 'geqo', value: 'false' },
      { name: 'x.y', value: '1' },
    ])
    t.match(b, { pool: { mode: 'session', size: 3 }, maxClients: 0, status: 'suspended' })
    t.strictSame(b?.timeouts, { waitMs: 1, idleClientMs: 0, idleInTransactionMs: 0, queryMs: 4 })
    t.equal(c?.pool.size, 5)
    t.strictSame(b?.replication, { allowed: 'database', maxSessions: 2 })
    t.strictSame(c?.replication, { allowed: 'none', maxSessions: 10 })
  },
)

t.test('a key without a value is not given', async (t) => {
  t.strictSame(load('pool:\nlimits:\n  maxClients:\ntenants:\n'), load(''))
})

t.test('ten thousand tenants', async (t) => {
  let text = `${SHARED}tenants:\n`
  for (let i = 0; i < 10_000; i += 1) {
    text += `  - { name: t${i}, strategy: schema, server: shared }\n`
  }
  const before = process.cpuUsage()
  const { records } = load(text)
  const { user, system } = process.cpuUsage(before)
  t.equal(records.tenants.length, 10_000)
  // Far above what it takes, but far below one key derivation per tenant.
  t.ok(user + system < 20_000_000, `took ${user + system} µs`)
})
