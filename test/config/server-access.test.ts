// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of references
import t from 'tap'
import { deriveVerifier, formatVerifier } from '../../src/wire/scram/scram.ts'
import { load, placesOf, problemsOf } from './config-fixture.ts'

const VERIFIER = formatVerifier(deriveVerifier('x'))

/** A shared server with one tenant. */
function settings(parts: {
  readonly method?: string
  readonly server?: string
  readonly logins?: string
}): string {
  const { method = 'scram-sha-256', server = '', logins = '' } = parts
  return [
    `auth: { method: ${method} }`,
    `servers: { main: { url: 'postgresql://pool:x@db/saas', ${server} } }`,
    `tenants: [{ name: acme, strategy: schema, server: main }]`,
    `logins: [${logins}]`,
  ].join('\n')
}

const ASK = 'authQuery: {}'
const PLAIN = `{ user: app, password: plain, tenants: '*' }`
const BARE = `{ user: app, tenants: '*' }`
const ANY = `{ user: '*', tenants: [acme] }`

const GOOD = [
  { name: 'a login that the server knows', server: ASK, logins: BARE },
  { name: 'any login that the server knows', server: ASK, logins: ANY },
  { name: 'any login by trust', method: 'trust', logins: ANY },
  {
    name: "the server's verifier",
    server: 'serverUser: client',
    logins: `{ user: app, password: '${VERIFIER}', tenants: '*' }`,
  },
  {
    name: 'a plain password that is passed on',
    method: 'password',
    server: 'serverUser: client',
    logins: PLAIN,
  },
  {
    name: 'a plain password with a server user of its own',
    server: 'serverUser: client, users: { app: { user: owner } }',
    logins: PLAIN,
  },
  {
    name: 'a server user of a login that is not listed',
    method: 'trust',
    server: 'users: { other: { user: owner } }',
    logins: ANY,
  },
]

for (const { name, ...parts } of GOOD) {
  t.test(`takes ${name}`, async (t) => {
    t.strictSame(problemsOf(settings(parts)), [])
  })
}

const BAD = [
  { name: 'a login without a secret', logins: BARE, at: ['4:10 logins[0].password'] },
  { name: 'any login without a secret', logins: ANY, at: ['4:10 logins[0].password'] },
  {
    name: 'a password of any login',
    server: ASK,
    logins: `{ user: '*', password: x, tenants: '*' }`,
    at: ['4:33 logins[0].password'],
  },
  {
    name: 'a plain password that no server takes the keys of',
    server: 'serverUser: client',
    logins: PLAIN,
    at: ['4:33 logins[0].password'],
  },
  {
    name: 'md5 for the server user of the client',
    method: 'md5',
    server: 'serverUser: client',
    logins: PLAIN,
    at: ['2:68 servers.main.serverUser'],
  },
  {
    name: 'a server user of nobody',
    server: 'users: { ap: { user: owner } }',
    logins: PLAIN,
    at: ['2:65 servers.main.users.ap'],
  },
  {
    name: 'a query without the login',
    server: `authQuery: { query: 'SELECT 1' }`,
    logins: BARE,
    at: ['2:76 servers.main.authQuery.query'],
  },
  {
    name: 'a query with another parameter',
    server: `authQuery: { query: 'SELECT $10' }`,
    logins: BARE,
    at: ['2:76 servers.main.authQuery.query'],
  },
  {
    name: 'a url that is none',
    server: `authQuery: { url: 'db' }`,
    logins: PLAIN,
    at: ['2:74 servers.main.authQuery.url'],
  },
]

for (const { name, at, ...parts } of BAD) {
  t.test(`refuses ${name}`, async (t) => {
    t.strictSame(placesOf(settings(parts)), at)
    for (const { remedy } of problemsOf(settings(parts))) t.ok(remedy.length > 0)
  })
}

t.test('a tenant of a shared server has the access of the server', async (t) => {
  const tenant = `{ name: acme, strategy: schema, server: main, serverUser: client }`
  const text = settings({ logins: PLAIN }).replace(/tenants:.*/, `tenants: [${tenant}]`)
  t.strictSame(placesOf(text), ['3:57 tenants[0].serverUser'])
})

t.test('a tenant with a database of its own has its own access', async (t) => {
  const tenant = `{ name: acme, strategy: database, databaseUrl: 'postgresql://a:b@db/acme',
    users: { app: { user: owner, password: '\${env:OWNER}' } }, authQuery: { cacheMs: 5 } }`
  const text = settings({ logins: PLAIN }).replace(/tenants:.*/, `tenants: [${tenant}]`)
  const [record] = load(text, { OWNER: 'of the owner' }).records.tenants
  t.strictSame(record?.users, [{ login: 'app', user: 'owner', password: 'of the owner' }])
  t.equal(record?.serverUser, 'route')
  t.match(record?.authQuery, { cacheMs: 5, timeoutMs: 3000, maxConnections: 2 })
  t.equal(record?.authQuery?.target, record?.target)
})

t.test('tenants that would have the same server user are refused', async (t) => {
  const of = (name: string, user: string, more: string) =>
    `{ name: ${name}, strategy: database, databaseUrl: 'postgresql://${user}:x@db/one', ${more} }`
  const pairs = [
    { first: 'users: { app: { user: b } }', second: '', isRefused: true },
    {
      first: 'users: { app: { user: c } }',
      second: 'users: { app: { user: c } }',
      isRefused: true,
    },
    { first: 'serverUser: client', second: 'serverUser: client', isRefused: true },
    { first: 'users: { app: { user: a } }', second: '', isRefused: false },
  ]
  for (const { first, second, isRefused } of pairs) {
    const tenants = `tenants: [${of('one', 'a', first)}, ${of('two', 'b', second)}]`
    const text = settings({ method: 'trust', logins: PLAIN }).replace(/tenants:.*/, tenants)
    const paths = problemsOf(text).map(({ path }) => path)
    t.strictSame(paths, isRefused ? ['tenants[1].databaseUrl'] : [], `${first} ${second}`)
  }
})
