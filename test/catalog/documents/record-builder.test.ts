import t from 'tap'
import { RecordRefusedError } from '../../../src/catalog/catalog-errors.ts'
import { RecordBuilder } from '../../../src/catalog/documents/record-builder.ts'
import type { CatalogRow } from '../../../src/catalog/entry.ts'
import type { AuthMethod } from '../../../src/catalog/login.ts'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { deriveVerifier, formatVerifier } from '../../../src/wire/scram/scram.ts'
import { DEFAULTS, documentOf, named, RING, rowOf } from './documents-fixture.ts'

const REFUSED = { code: 'CATALOG_RECORD_REFUSED' }
const ACME = named('acme')
const builder = new RecordBuilder({ defaults: DEFAULTS, ring: RING })

function databaseRow(settings: object = {}, passwords?: Record<string, string>): CatalogRow {
  const databaseUrl = 'postgresql://app@db/acme'
  return rowOf(
    'acme',
    { strategy: 'database', databaseUrl, ...settings },
    { ...(passwords && { passwords }) },
  )
}

function serverRow(settings: object = {}, passwords: Record<string, string> = { url: 'hush' }) {
  const all = { url: 'postgresql://pool@db/saas', ...settings }
  return rowOf('shared', all, { kind: 'server', passwords })
}

/** What is said of a document that is refused. */
function refusalOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    if (error instanceof RecordRefusedError) return error.message
    throw error
  }
  throw new Error('not refused')
}

t.test('a tenant with a database of its own: all of its settings', async (t) => {
  const row = databaseRow(
    {
      id: '42',
      status: 'suspended',
      users: { app: { user: 'app_rw' } },
      authQuery: { url: 'postgresql://asker@db/acme', query: 'SELECT $1', cacheMs: 9 },
      role: 'acme_role',
      replication: 'database',
      settings: { work_mem: '1MB', 'app.x': 1 },
      pool: { mode: 'session', size: 3, pins: 'refuse', carriedSettings: ['a.b'] },
      timeouts: { waitMs: 11, idleClientMs: 12, idleInTransactionMs: 13, queryMs: 14 },
      limits: { maxClients: 15, maxReplication: 16 },
      labels: { plan: 'pro' },
    },
    { databaseUrl: 'p@ss', 'users.app': 'app pass', 'authQuery.url': 'asker/pass' },
  )
  const record = builder.tenant(ACME, documentOf(row))
  t.match(record, {
    name: 'acme',
    id: '42',
    status: 'suspended',
    server: undefined,
    target: { host: 'db', port: 5432, database: 'acme', user: 'app', password: 'p@ss' },
    users: [{ login: 'app', user: 'app_rw', password: 'app pass' }],
    serverUser: 'route',
    authQuery: {
      query: 'SELECT $1',
      cacheMs: 9,
      target: { user: 'asker', password: 'asker/pass' },
    },
    tenancy: { strategy: 'database' },
    role: 'acme_role',
    settings: [
      { name: 'work_mem', value: '1MB' },
      { name: 'app.x', value: '1' },
    ],
    pool: { mode: 'session', size: 3, pins: 'refuse', carriedSettings: ['a.b'] },
    timeouts: { waitMs: 11, idleClientMs: 12, idleInTransactionMs: 13, queryMs: 14 },
    maxClients: 15,
    replication: { allowed: 'database', maxSessions: 16 },
    labels: { plan: 'pro' },
  })
  t.ok(Object.isFrozen(record))
})

t.test('what a record does not say comes from the defaults', async (t) => {
  const record = builder.tenant(ACME, documentOf(databaseRow()))
  const { serverLoginSize: _, ...pool } = DEFAULTS.pool
  t.match(record, {
    id: 'acme',
    status: 'active',
    target: { password: undefined },
    pool,
    timeouts: DEFAULTS.timeouts,
    maxClients: 5,
    replication: { allowed: 'none', maxSessions: 6 },
  })
})

t.test('tenants of a shared server', async (t) => {
  const server = serverRow({ pool: { size: 7 }, users: { app: { user: 'x' } } })
  const schema = rowOf('acme', { strategy: 'schema', server: 'shared', searchPath: ['common'] })
  t.match(builder.tenant(ACME, documentOf(schema, server)), {
    server: 'shared',
    target: { user: 'pool', password: 'hush', database: 'saas' },
    users: [{ login: 'app', user: 'x', password: undefined }],
    tenancy: {
      strategy: 'schema',
      searchPath: ['tenant_acme', 'common'],
      setting: 'app.tenant_id',
    },
    pool: { size: 7 },
  })
  const row = rowOf('acme', { strategy: 'row', server: 'shared', id: '42' })
  t.match(builder.tenant(ACME, documentOf(row, server)), {
    tenancy: { strategy: 'row', searchPath: ['public'], setting: 'app.tenant_id', value: '42' },
  })
})

t.test('a template is filled in, and what its passwords hold is not', async (t) => {
  const row = rowOf(
    'eu-*',
    {
      strategy: 'database',
      databaseUrl: 'postgresql://{tenant}@db/saas_{tenant}',
      users: { '{tenant}': { user: 'u_{tenant}' } },
      settings: { 'app.list': 'of {tenant}' },
    },
    { passwords: { databaseUrl: 'p{tenant}@', 'users.{tenant}': '{tenant}' } },
  )
  const record = builder.tenant(named('eu-acme'), documentOf(row))
  t.match(record, {
    name: 'eu-acme',
    id: 'eu-acme',
    target: { database: 'saas_eu-acme', user: 'eu-acme', password: 'p{tenant}@' },
    users: [{ login: '{tenant}', user: 'u_eu-acme', password: '{tenant}' }],
    settings: [{ name: 'app.list', value: 'of eu-acme' }],
  })
})

t.test('a plain tenant is taken as it is written', async (t) => {
  const row = databaseRow({ settings: { 'app.template': 'hello {tenant}' } })
  const record = builder.tenant(ACME, documentOf(row))
  t.strictSame(record.settings, [{ name: 'app.template', value: 'hello {tenant}' }])
})

t.test('a record serves nobody but its own tenant', async (t) => {
  const other = named('globex')
  t.throws(() => builder.tenant(other, documentOf(databaseRow())), REFUSED)
  const template = rowOf('eu-*', { strategy: 'database', databaseUrl: 'postgresql://u@h/{tenant}' })
  t.throws(() => builder.tenant(other, documentOf(template)), REFUSED)
  t.ok(builder.tenant(named('eu-globex'), documentOf(template)))
  const schema = rowOf('acme', { strategy: 'schema', server: 'mine' })
  t.match(
    refusalOf(() => builder.tenant(ACME, documentOf(schema, serverRow()))),
    'server',
  )
  t.throws(() => builder.tenant(ACME, documentOf(schema)), REFUSED)
})

t.test('no template leads to the catalog itself', async (t) => {
  const template = rowOf('*', { strategy: 'database', databaseUrl: 'postgresql://u@DB/{tenant}' })
  const target = builder.tenant(named('control'), documentOf(template)).target
  const home = { ...target, host: 'db', user: 'pgusher' }
  const careful = new RecordBuilder({ defaults: DEFAULTS, ring: RING, home })
  t.throws(() => careful.tenant(named('control'), documentOf(template)), REFUSED)
  t.ok(careful.tenant(ACME, documentOf(template)))
})

t.test('a template leads nobody to what belongs to all or to none', async (t) => {
  const database = rowOf('*', { strategy: 'database', databaseUrl: 'postgresql://u@h/{tenant}' })
  for (const name of ['postgres', 'template0', 'template1']) {
    t.throws(() => builder.tenant(named(name), documentOf(database)), REFUSED, name)
  }
  const schema = rowOf('*', { strategy: 'schema', server: 'shared', schema: '{tenant}' })
  for (const name of ['public', 'pgusher', 'pg_catalog', 'information_schema']) {
    t.throws(() => builder.tenant(named(name), documentOf(schema, serverRow())), REFUSED, name)
  }
  const long = rowOf('*', { strategy: 'schema', server: 'shared' })
  t.throws(() => builder.tenant(named('a'.repeat(63)), documentOf(long, serverRow())), REFUSED)
  const row = rowOf('*', { strategy: 'row', server: 'shared' })
  t.ok(builder.tenant(named('public'), documentOf(row, serverRow())), 'rows are told apart by id')
  const own = rowOf('public', { strategy: 'schema', server: 'shared', schema: 'public' })
  t.ok(builder.tenant(named('public'), documentOf(own, serverRow())), 'who lists it means it')
})

t.test('all that is wrong is named at once, without secrets', async (t) => {
  const row = rowOf('acme', {
    strategy: 'schema',
    server: 'shared',
    schema: 'pg_mine',
    databaseUrl: 'postgresql://app@db/acme',
    replication: 'physical',
    pool: { size: 4 },
    settings: { role: 'root' },
  })
  const text = refusalOf(() =>
    builder.tenant(ACME, documentOf(row, serverRow({ url: 'mysql://x/y' }, {}))),
  )
  for (const place of [
    'tenant acme',
    'servers.shared.url',
    'databaseUrl',
    'schema',
    'pool.size',
    'replication',
    'settings.role',
  ]) {
    t.ok(text.includes(place), place)
  }
  const typed = refusalOf(() =>
    builder.tenant(
      ACME,
      documentOf(databaseRow({ status: 'gone', pools: {}, limits: { maxClients: -1 } })),
    ),
  )
  for (const place of ['status', 'pools', 'limits.maxClients']) t.ok(typed.includes(place), place)
})

t.test('a plain password is refused, and not repeated', async (t) => {
  const rows = [
    databaseRow({ databaseUrl: 'postgresql://app:hush@db/acme' }),
    databaseRow({ users: { app: { user: 'x', password: 'hush' } } }),
    databaseRow({ authQuery: { url: 'postgresql://a:hush@db/acme' } }),
  ]
  for (const row of rows) {
    t.notMatch(
      refusalOf(() => builder.tenant(ACME, documentOf(row))),
      'hush',
    )
  }
  const server = serverRow({ url: 'postgresql://pool:hush@db/saas' }, {})
  const tenant = rowOf('acme', { strategy: 'row', server: 'shared' })
  t.notMatch(
    refusalOf(() => builder.tenant(ACME, documentOf(tenant, server))),
    'hush',
  )
})

t.test('an envelope opens with its key, in its row and version alone', async (t) => {
  const row = databaseRow({}, { databaseUrl: 'hush' })
  const others = new KeyRing([{ id: 'k2', key: Buffer.alloc(32, 8).toString('base64') }])
  const stranger = new RecordBuilder({ defaults: DEFAULTS, ring: others })
  t.throws(() => stranger.tenant(ACME, documentOf(row)), REFUSED)
  t.throws(() => builder.tenant(ACME, documentOf({ ...row, secretsVersion: 4 })), REFUSED)
  const { secrets } = rowOf('globex', {}, { passwords: { databaseUrl: 'hush' } })
  t.throws(() => builder.tenant(ACME, documentOf({ ...row, secrets })), REFUSED)
  const lost = databaseRow({}, { 'users.nobody': 'hush' })
  t.throws(() => builder.tenant(ACME, documentOf(lost)), REFUSED)
})

t.test('serverUser client does not go with md5', async (t) => {
  const md5 = new RecordBuilder({ defaults: { ...DEFAULTS, auth: { method: 'md5' } }, ring: RING })
  const row = databaseRow({ serverUser: 'client' })
  t.throws(() => md5.tenant(ACME, documentOf(row)), REFUSED)
  t.equal(builder.tenant(ACME, documentOf(row)).serverUser, 'client')
})

const VERIFIER = formatVerifier(deriveVerifier('hush', { salt: Buffer.alloc(16, 1) }))
const HASH = '0123456789abcdef0123456789abcdef'

/** What becomes of a login's secret, by `auth.method`. */
const SECRETS: readonly [AuthMethod, string | undefined, string][] = [
  ['scram-sha-256', VERIFIER, 'scram'],
  ['scram-sha-256', `md5${HASH}`, 'refused'],
  ['scram-sha-256', undefined, 'authQuery'],
  ['scram-sha-256', 'hush', 'refused'],
  ['scram-sha-256', 'SCRAM-SHA-256$hush', 'refused'],
  ['scram-sha-256', '', 'refused'],
  ['md5', VERIFIER, 'refused'],
  ['md5', `md5${HASH}`, 'md5'],
  ['md5', `md5${HASH.toUpperCase()}`, 'refused'],
  ['md5', undefined, 'authQuery'],
  ['password', VERIFIER, 'scram'],
  ['password', `md5${HASH}`, 'md5'],
  ['cert', undefined, 'none'],
  ['trust', undefined, 'none'],
  ['trust', VERIFIER, 'scram'],
]

for (const [method, secret, outcome] of SECRETS) {
  t.test(`${method}: ${secret?.slice(0, 16)} is ${outcome}`, async (t) => {
    const made = new RecordBuilder({ defaults: { ...DEFAULTS, auth: { method } }, ring: RING })
    const login = { user: 'app', version: 1, secret, hasAllTenants: false }
    if (outcome !== 'refused') return t.equal(made.login(login).kind, outcome)
    const text = refusalOf(() => made.login(login))
    t.ok(text.startsWith('login app:'))
    return t.notMatch(text, 'hush')
  })
}

t.test('one secret for all users would prove none of them', async (t) => {
  const others = { user: '*', version: 1, hasAllTenants: false }
  t.throws(() => builder.login({ ...others, secret: VERIFIER }), REFUSED)
  t.strictSame(builder.login({ ...others, secret: undefined }), { kind: 'authQuery' })
})
