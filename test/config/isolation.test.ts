import t from 'tap'
import { FileCatalog } from '../../src/catalog/file-catalog.ts'
import type { TenantRecord } from '../../src/catalog/records.ts'
import { tokenOptions } from '../../src/config/room-options.ts'
import { parseTenantName } from '../../src/tenancy/tenant-name.ts'
import { load, placesOf, problemsOf } from './config-fixture.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')
const KEYS = `isolation: { keys: [{ id: k1, key: '${KEY}' }] }\n`
const SERVERS = `logins: [{ user: app, password: x, tenants: '*' }]
servers:
  shared: { url: 'postgresql://pool:x@db/saas', users: { app: { user: owner } }, pool: { size: 9 } }
  sealed: { url: 'postgresql://other:x@db/saas', isolation: { level: sealed } }
  seen: { url: 'postgresql://third:x@db/saas', serverUser: client }
`
const SEALED = 'isolation: { level: sealed }'
const LOGIN = 'serverLogin: { user: own, password: hush }'

function tenantsText(...tenants: readonly string[]): string {
  return `${SERVERS}tenants:\n${tenants.map((tenant) => `  - { ${tenant} }\n`).join('')}`
}

function recordOf(text: string): TenantRecord | undefined {
  return load(text).records.tenants[0]
}

const LEVELS = [
  { says: '', tenant: 'strategy: row, server: shared', level: 'guarded' },
  {
    says: 'isolation: { level: convenience }\n',
    tenant: 'strategy: schema, server: shared',
    level: 'convenience',
  },
  {
    says: 'isolation: { level: convenience }\n',
    tenant: `strategy: schema, server: sealed, ${LOGIN}`,
    level: 'sealed',
  },
  {
    says: '',
    tenant: 'strategy: schema, server: sealed, isolation: { level: guarded }',
    level: 'guarded',
  },
  { says: KEYS, tenant: `strategy: row, server: shared, ${SEALED}`, level: 'sealed' },
  {
    says: 'isolation: { level: convenience }\n',
    tenant: "strategy: database, databaseUrl: 'postgresql://u@db/a'",
    level: 'sealed',
  },
  {
    says: '',
    tenant: `strategy: database, databaseUrl: 'postgresql://u@db/a', ${SEALED}`,
    level: 'sealed',
  },
] as const
for (const { says, tenant, level } of LEVELS) {
  t.test(`${says.trim()} ${tenant} is ${level}`, async (t) => {
    t.equal(recordOf(`${says}${tenantsText(`name: a, ${tenant}`)}`)?.isolation, level)
  })
}

t.test('a server login takes the place of all users of the server', async (t) => {
  const text = (pool: string) =>
    tenantsText(`name: a, strategy: schema, server: shared, ${LOGIN}${pool}`)
  const record = recordOf(text(''))
  t.match(record, {
    target: { host: 'db', database: 'saas', user: 'own', password: 'hush' },
    hasOwnLogin: true,
    users: [],
    serverUser: 'route',
    pool: { size: 2 },
  })
  t.equal(recordOf(text(', pool: { size: 4 }'))?.pool.size, 4)
  t.equal(recordOf(`pool: { serverLoginSize: 3 }\n${text('')}`)?.pool.size, 3)
  const other = recordOf(tenantsText('name: a, strategy: schema, server: shared'))
  t.match(other, { target: { user: 'pool' }, hasOwnLogin: false, pool: { size: 9 } })
  t.strictSame(
    other?.users.map(({ user }) => user),
    ['owner'],
  )
  const row = recordOf(
    tenantsText('name: a, strategy: row, server: seen, serverLogin: { user: u }'),
  )
  t.match(row, { target: { user: 'u', password: undefined }, serverUser: 'route' })
})

t.test('who asks the server for logins stays who it was', async (t) => {
  const record = recordOf(`servers: { s: { url: 'postgresql://pool:x@db/saas', authQuery: {} } }
tenants: [{ name: a, strategy: schema, server: s, ${LOGIN} }]`)
  t.match(record, { target: { user: 'own' }, authQuery: { target: { user: 'pool' } } })
})

const BAD = [
  {
    name: 'a database that is less than sealed',
    text: tenantsText(
      "name: a, strategy: database, databaseUrl: 'postgresql://u@db/a', isolation: { level: guarded }",
    ),
    at: 'tenants[0].isolation.level',
  },
  {
    name: 'a server login of a database',
    text: tenantsText(`name: a, strategy: database, databaseUrl: 'postgresql://u@db/a', ${LOGIN}`),
    at: 'tenants[0].serverLogin',
  },
  {
    name: 'a sealed schema without a login',
    text: tenantsText(`name: a, strategy: schema, server: shared, ${SEALED}`),
    at: 'tenants[0].serverLogin',
  },
  {
    name: 'a schema sealed by its server without a login',
    text: tenantsText('name: a, strategy: schema, server: sealed'),
    at: 'tenants[0].serverLogin',
  },
  {
    name: 'a schema sealed by default without a login',
    text: `isolation: { level: sealed }\n${tenantsText('name: a, strategy: schema, server: shared')}`,
    at: 'tenants[0].serverLogin',
  },
  {
    name: 'a sealed schema beside clients that log in as themselves',
    text: tenantsText(`name: a, strategy: schema, server: seen, ${SEALED}, ${LOGIN}`),
    at: 'tenants[0].serverLogin',
  },
  {
    name: 'a sealed tenant with a role',
    text: tenantsText(`name: a, strategy: schema, server: shared, ${SEALED}, ${LOGIN}, role: r`),
    at: 'tenants[0].role',
  },
  {
    name: 'a sealed row tenant with a role',
    text: `${KEYS}${tenantsText(`name: a, strategy: row, server: shared, ${SEALED}, role: r`)}`,
    at: 'tenants[0].role',
  },
  {
    name: 'sealed rows without keys',
    text: tenantsText(
      `name: a, strategy: row, server: shared, ${SEALED}`,
      `name: b, strategy: row, server: shared, ${SEALED}`,
    ),
    at: 'isolation.keys',
  },
  {
    name: 'an id that no token can hold',
    text: `${KEYS}${tenantsText(`name: a, strategy: row, server: shared, ${SEALED}, id: ${'é'.repeat(129)}`)}`,
    at: 'tenants[0].id',
  },
  {
    name: "the server's own login",
    text: tenantsText('name: a, strategy: schema, server: shared, serverLogin: { user: pool }'),
    at: 'tenants[0].serverLogin.user',
  },
  {
    name: 'a login of the users of the server',
    text: tenantsText('name: a, strategy: row, server: shared, serverLogin: { user: owner }'),
    at: 'tenants[0].serverLogin.user',
  },
  {
    name: 'a level of a server that is none',
    text: "servers: { s: { url: 'postgresql://u@db/d', isolation: { level: seald } } }",
    at: 'servers.s.isolation.level',
  },
  {
    name: 'two keys of one id',
    text: `isolation: { keys: [{ id: a, key: '${KEY}' }, { id: a, key: '${KEY}' }] }`,
    at: 'isolation.keys[1].id',
  },
  {
    name: 'a key that is too short',
    text: `isolation: { keys: [{ id: a, key: '${KEY.slice(4)}' }] }`,
    at: 'isolation.keys[0].key',
  },
  {
    name: 'tokens that hardly live',
    text: 'isolation: { tokenLifetimeMs: 9999 }',
    at: 'isolation.tokenLifetimeMs',
  },
]
for (const { name, text, at } of BAD) {
  t.test(`refuses: ${name}`, async (t) => {
    const problems = problemsOf(text)
    t.strictSame(
      problems.map(({ path }) => path),
      [at],
    )
    t.match(problems, [{ line: Number, column: Number, remedy: /^\w.*[.?]$/ }])
    t.notMatch(JSON.stringify(problems), /hush|AQEBAQ/)
  })
}

const SHARED_LOGINS = [
  { name: 'on one server', first: 'strategy: schema, server: shared', second: 'server: shared' },
  { name: 'of one cluster', first: 'strategy: schema, server: shared', second: 'server: sealed' },
  { name: 'of rows and schemas', first: 'strategy: row, server: shared', second: 'server: shared' },
]
for (const { name, first, second } of SHARED_LOGINS) {
  t.test(`two tenants with one server login: ${name}`, async (t) => {
    const text = tenantsText(
      `name: a, ${first}, ${LOGIN}`,
      `name: b, strategy: schema, ${second}, ${LOGIN}`,
    )
    const paths = problemsOf(text).map(({ path }) => path)
    t.strictSame(paths, ['tenants[0].serverLogin.user', 'tenants[1].serverLogin.user'])
  })
}

t.test('the login of another entry of servers, or of a database of the cluster', async (t) => {
  const sharers = [
    'name: b, strategy: row, server: sealed, isolation: { level: guarded }',
    "name: b, strategy: database, databaseUrl: 'postgresql://other@DB/elsewhere'",
  ]
  for (const sharer of sharers) {
    const text = tenantsText(
      'name: a, strategy: schema, server: shared, serverLogin: { user: other }',
      sharer,
    )
    t.strictSame(
      problemsOf(text).map(({ path }) => path),
      ['tenants[0].serverLogin.user'],
    )
  }
  const apart = tenantsText(
    'name: a, strategy: schema, server: shared, serverLogin: { user: other }',
    "name: b, strategy: database, databaseUrl: 'postgresql://other@far/elsewhere'",
  )
  t.strictSame(placesOf(apart), [])
})

t.test('a template gives each of its tenants a server login', async (t) => {
  const catalog = (login: string) =>
    `${tenantsText(
      `name: '*', strategy: schema, server: shared, ${SEALED}, serverLogin: { user: '${login}', password: hush }`,
    )}`
  const acme = parseTenantName('acme')
  if (acme === undefined) throw new Error('acme is a name')
  const made = new FileCatalog(load(catalog('t_{tenant}')).records).templateTenant(acme)?.record
  t.match(made, { isolation: 'sealed', hasOwnLogin: true, target: { user: 't_acme' } })
  t.strictSame(
    problemsOf(catalog('t')).map(({ path }) => path),
    ['tenants[0].serverLogin.user'],
  )
  const listed = `${catalog('t_{tenant}')}  - { name: acme, strategy: schema, server: shared, serverLogin: { user: t_globex } }\n`
  t.strictSame(
    problemsOf(listed).map(({ path }) => path),
    ['tenants[0].name'],
    'globex would have the login of acme',
  )
})

t.test('the first key signs', async (t) => {
  t.equal(tokenOptions(load('')), undefined)
  const other = Buffer.alloc(32, 2).toString('base64')
  const text = `isolation: { keys: [{ id: new, key: '\${env:KEY}' }, { id: old, key: '${KEY}' }] }`
  const options = tokenOptions(load(text, { KEY: other }))
  t.strictSame(options, { key: { id: 'new', key: other }, lifetimeMs: 600_000 })
})
