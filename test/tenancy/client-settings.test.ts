import t from 'tap'
import { admitClientSettings } from '../../src/tenancy/client-settings.ts'
import type { Tenancy } from '../../src/tenancy/tenancy.ts'

const TENANCIES = {
  database: { strategy: 'database' },
  schema: {
    strategy: 'schema',
    searchPath: ['tenant_acme', 'Shared "x"'],
    setting: 'app.Tenant_id',
  },
  row: { strategy: 'row', searchPath: ['tenant_acme'], setting: 'app.Tenant_id', value: '42' },
} as const satisfies Record<string, Tenancy>
const SHARED = [TENANCIES.schema, TENANCIES.row] as const

function admit(name: string, value: string, tenancy: Tenancy): string | undefined {
  const [setting] = admitClientSettings([{ name, value }], tenancy)
  return setting?.value
}

t.test('harmless settings pass in order, names in lower case', async (t) => {
  const settings = [
    { name: 'DateStyle', value: 'ISO' },
    { name: 'my.app$x._y', value: "it's" },
    { name: 'client_encoding', value: 'SJIS' },
  ]
  for (const tenancy of Object.values(TENANCIES)) {
    t.strictSame(
      admitClientSettings(settings, tenancy),
      settings.map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    )
  }
})

const INSIDE = [
  { value: 'tenant_acme', expects: '"tenant_acme"' },
  { value: 'TENANT_ACME , PG_catalog', expects: '"tenant_acme", "pg_catalog"' },
  { value: '', expects: '' },
  { value: ' ', expects: '' },
  { value: '""', expects: '""' },
]
for (const { value, expects } of INSIDE) {
  t.test(`search_path inside the tenant: ${JSON.stringify(value)}`, async (t) => {
    for (const tenancy of SHARED) t.equal(admit('Search_Path', value, tenancy), expects)
  })
}

t.test('an extra schema of the record is inside the tenant', async (t) => {
  t.equal(admit('search_path', '"Shared ""x"""', TENANCIES.schema), '"Shared ""x"""')
})

const OUTSIDE = [
  'tenant_globex',
  'tenant_acme, tenant_globex',
  '"TENANT_ACME"',
  '"$user"',
  '$user',
  'pg_temp',
  'pg_temp_3',
  'information_schema',
  'tenant_acme, ""," "',
]
for (const value of OUTSIDE) {
  t.test(`search_path outside the tenant: ${value}`, async (t) => {
    for (const tenancy of SHARED) {
      t.throws(() => admit('search_path', value, tenancy), {
        code: 'SETTING_REFUSED',
        sqlState: '42501',
        origin: 'client',
      })
    }
    t.equal(admit('search_path', value, TENANCIES.database), value)
  })
}

t.test('a malformed search_path is refused where it has to be understood', async (t) => {
  for (const tenancy of SHARED) {
    t.throws(() => admit('search_path', 'a b', tenancy), {
      code: 'SETTING_REFUSED',
      sqlState: '22023',
    })
  }
})

for (const name of ['role', 'ROLE', 'session_authorization', 'Session_Authorization']) {
  t.test(`${name} is for tenants of their own database only`, async (t) => {
    for (const tenancy of SHARED) {
      t.throws(() => admit(name, 'x', tenancy), { code: 'SETTING_REFUSED', sqlState: '42501' })
    }
    t.equal(admit(name, 'x', TENANCIES.database), 'x')
  })
}

for (const name of ['app.tenant_id', 'App.TENANT_ID']) {
  t.test(`the tenant setting as ${name} is refused`, async (t) => {
    for (const tenancy of SHARED) {
      t.throws(() => admit(name, '42', tenancy), { code: 'SETTING_REFUSED', sqlState: '42501' })
    }
  })
}

const NO_NAMES = [
  '',
  'search-path',
  'search_path ',
  '1x',
  'a..b',
  '.a',
  'a.',
  'a b',
  'x"y',
  "x'; drop",
  'é',
  'a\n',
  'user',
  'USER',
  'database',
  'options',
  'replication',
  '_pq_.x',
  '_PQ_.x',
]
for (const name of NO_NAMES) {
  t.test(`no setting is called ${JSON.stringify(name)}`, async (t) => {
    for (const tenancy of Object.values(TENANCIES)) {
      t.throws(() => admit(name, 'x', tenancy), { code: 'SETTING_REFUSED', sqlState: '42704' })
    }
  })
}

t.test('a value with NUL is refused', async (t) => {
  for (const tenancy of Object.values(TENANCIES)) {
    t.throws(() => admit('x.y', 'a\0b', tenancy), { code: 'SETTING_REFUSED', sqlState: '22023' })
  }
})
