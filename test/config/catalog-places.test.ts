import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { catalogOptions } from '../../src/config/room-options.ts'
import { TestAuthority } from '../support/certificates.ts'
import { load, placesOf, problemsOf, SHARED } from './config-fixture.ts'

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())

const POSTGRES = "postgres: { url: 'postgresql://u:p@h/catalog' }"
const REDIS = "url: 'redis://h'"
const KEY = Buffer.alloc(32, 1).toString('base64')

function catalog(...lines: readonly string[]): string {
  return ['catalog:', ...lines.map((line) => `  ${line}`)].join('\n')
}

/** What goes together, and what does not: `line:column path` of each problem. */
const CASES: readonly [why: string, text: string, places: readonly string[]][] = [
  ['nothing', '', []],
  ['Postgres alone', catalog(POSTGRES), []],
  ['Postgres and Redis', catalog(POSTGRES, `redis: { ${REDIS} }`), []],
  ['the least of each time', catalog('ttlMs: 100', 'maxStaleMs: 100'), []],
  ['stale before due', catalog('ttlMs: 5000', 'maxStaleMs: 4999'), ['3:15 catalog.maxStaleMs']],
  ['stale before the standard time', catalog('maxStaleMs: 29999'), ['2:15 catalog.maxStaleMs']],
  [
    'a longest while that is shorter than the first',
    catalog('breakerMinMs: 300', 'breakerMaxMs: 299'),
    ['3:17 catalog.breakerMaxMs'],
  ],
  [
    'two keys of one id',
    catalog(
      'keys:',
      `  - { id: a, key: '${KEY}' }`,
      `  - { id: b, key: '${KEY}' }`,
      `  - { id: a, key: '${KEY}' }`,
    ),
    ['5:13 catalog.keys[2].id'],
  ],
  [
    'a query with nobody to ask',
    catalog("postgres: { query: 'SELECT $1' }"),
    ['2:22 catalog.postgres.query'],
  ],
  ['Redis of nothing', catalog(`redis: { ${REDIS} }`), ['2:17 catalog.redis.url']],
  [
    'Redis of a query without a key',
    catalog("postgres: { url: 'postgresql://u@h/c', query: 'SELECT $1' }", `redis: { ${REDIS} }`),
    ['3:17 catalog.redis.url'],
  ],
  [
    'Redis of a query with a key',
    catalog(
      "postgres: { url: 'postgresql://u@h/c', query: 'SELECT $1' }",
      `redis: { ${REDIS} }`,
      `keys: [{ id: a, key: '${KEY}' }]`,
    ),
    [],
  ],
  [
    'Redis in two places',
    catalog(POSTGRES, 'redis:', `  ${REDIS}`, "  sentinels: ['redis://s']"),
    ['5:16 catalog.redis.sentinels'],
  ],
  [
    'Redis in three places',
    catalog(
      POSTGRES,
      'redis:',
      `  ${REDIS}`,
      "  sentinels: ['redis://s']",
      "  cluster: ['redis://c']",
    ),
    ['6:14 catalog.redis.cluster'],
  ],
  [
    'a cluster of none',
    catalog(POSTGRES, 'redis: { cluster: [] }'),
    ['3:21 catalog.redis.cluster'],
  ],
  [
    'a user beside a URL',
    catalog(POSTGRES, `redis: { ${REDIS}, user: u, password: p }`),
    ['3:36 catalog.redis.user', '3:49 catalog.redis.password'],
  ],
  [
    'a user for sentinels',
    catalog(POSTGRES, "redis: { sentinels: ['redis://s'], user: u, password: p }"),
    [],
  ],
  ['no URL of Postgres', catalog("postgres: { url: 'mysql://h' }"), ['2:20 catalog.postgres.url']],
  ['no authority', catalog("redis: { ca: '/nowhere/ca.pem' }"), ['2:16 catalog.redis.ca']],
]

for (const [why, text, places] of CASES) {
  t.test(why, async (t) => t.strictSame(placesOf(text), places))
}

t.test('authorities are read from their file, which must hold one', async (t) => {
  const empty = join(authority.folder, 'empty.pem')
  await writeFile(empty, 'no certificate')
  const text = (file: string) => catalog(POSTGRES, `redis: { url: 'rediss://h', ca: '${file}' }`)
  t.equal(load(text(authority.caFile)).catalogPlaces.redisCa, authority.own.cert)
  t.strictSame(
    problemsOf(text(empty)).map(({ path }) => path),
    ['catalog.redis.ca'],
  )
})

t.test('no message repeats a secret', async (t) => {
  const text = catalog(
    "postgres: { url: 'postgresql://u:hush@h,i/c' }",
    "redis: { url: 'http://u:hush@h' }",
    "keys: [{ id: a, key: 'hush' }]",
  )
  const problems = problemsOf(text)
  t.equal(problems.length, 3)
  for (const { message, remedy } of problems) t.notMatch(message + remedy, 'hush')
})

t.test('what the catalog takes of the configuration', async (t) => {
  t.equal(catalogOptions(load('')), undefined)
  const timing = ['ttlMs: 1000', 'negativeTtlMs: 7', 'breakerFailures: 2', 'breakerMinMs: 3']
  const options = catalogOptions(load(catalog(POSTGRES, ...timing)))
  t.match(options, {
    ttlMs: 1000,
    negativeTtlMs: 7,
    maxStaleMs: 3_600_000,
    maxEntries: 10_000,
    maxLookups: 1000,
    breaker: { failures: 2, minMs: 3, maxMs: 10_000 },
    postgres: { target: { host: 'h', database: 'catalog' }, maxConnections: 4, timeoutMs: 2000 },
  })
  t.equal(options?.redis, undefined)
})

const SERVERS = [
  ["url: 'redis://h/1'", { kind: 'single', url: 'redis://h/1' }],
  ["cluster: ['redis://a', 'redis://b']", { kind: 'cluster', urls: ['redis://a', 'redis://b'] }],
  [
    "sentinels: ['redis://s'], sentinelMaster: main, user: u, password: p",
    { kind: 'sentinels', urls: ['redis://s'], master: 'main', user: 'u', password: 'p' },
  ],
] as const

for (const [text, servers] of SERVERS) {
  t.test(`Redis: ${text}`, async (t) => {
    const config = load(catalog(POSTGRES, `redis: { ${text}, prefix: 'x:', timeoutMs: 9 }`))
    const expected = { servers, ca: undefined, prefix: 'x:', timeoutMs: 9 }
    t.strictSame(catalogOptions(config)?.redis, expected)
  })
}

t.test('with a catalog, the file may name tenants that it does not list', async (t) => {
  const names = `${SHARED}logins: [{ user: app, password: x, tenants: [acme] }]\ntenancy: { default: acme }\n`
  t.strictSame(
    problemsOf(names).map(({ path }) => path),
    ['logins[0].tenants[0]', 'tenancy.default'],
  )
  t.strictSame(placesOf(names + catalog(POSTGRES)), [])
  const malformed = names.replaceAll('acme', 'No-Name')
  t.equal(problemsOf(malformed + catalog(POSTGRES)).length, 2)
})
