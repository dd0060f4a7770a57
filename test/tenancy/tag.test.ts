import t from 'tap'
import { readClaim, type TagOptions, type TlsNames } from '../../src/tenancy/tag.ts'
import { parseTenantName } from '../../src/tenancy/tenant-name.ts'

const DEFAULTS: TagOptions = {
  parameter: true,
  user: '{user}.{tenant}',
  database: false,
  sni: false,
  certificate: false,
  defaultTenant: undefined,
}
const WHOLE_DATABASE = { database: '{tenant}' }
const DATABASE_SUFFIX = { database: '{database}@{tenant}' }
const SHARED_PATTERN = { user: '{user}@{tenant}', database: '{database}@{tenant}' }
const WITH_DEFAULT = { defaultTenant: parseTenantName('main') }
const USER_OFF = { user: false } as const
const PARAMETER_OFF = { parameter: false }

const HOST = { sni: '{tenant}.db.example.com' }
const NO_NAMES: TlsNames = { serverName: undefined, certificateNames: [] }

type Parameters = Readonly<Record<string, string>>

function claim(parameters: Parameters, options: Partial<TagOptions> = {}) {
  return readClaim(new Map(Object.entries(parameters)), { ...DEFAULTS, ...options }, NO_NAMES)
}

interface ClaimRow {
  readonly name: string
  readonly parameters: Parameters
  readonly options?: Partial<TagOptions>
  readonly expects: readonly [
    login: string,
    tenant: string,
    database: string | undefined,
    sources: readonly string[],
  ]
}

const CLAIMS: readonly ClaimRow[] = [
  {
    name: 'a startup parameter',
    parameters: { user: 'app', tenant: 'acme', database: 'saas' },
    expects: ['app', 'acme', 'saas', ['startup parameter tenant']],
  },
  {
    name: 'a startup parameter with our prefix, in capitals',
    parameters: { user: 'app', 'PgUsher.Tenant': 'acme' },
    expects: ['app', 'acme', undefined, ['startup parameter pgusher.tenant']],
  },
  {
    name: 'a setting in options',
    parameters: { user: 'app', options: '-c pgusher.tenant=acme' },
    expects: ['app', 'acme', undefined, ['options pgusher.tenant']],
  },
  {
    name: 'the long form of options',
    parameters: { user: 'app', options: '--tenant=acme' },
    expects: ['app', 'acme', undefined, ['options tenant']],
  },
  {
    name: 'the user',
    parameters: { user: 'app.acme', database: 'saas' },
    expects: ['app', 'acme', 'saas', ['user']],
  },
  {
    name: 'the user, cut at the last dot',
    parameters: { user: 'john.doe.acme' },
    expects: ['john.doe', 'acme', undefined, ['user']],
  },
  {
    name: 'several that agree',
    parameters: { user: 'app.acme', tenant: 'acme', options: '-ctenant=acme' },
    expects: ['app', 'acme', undefined, ['options tenant', 'startup parameter tenant', 'user']],
  },
  {
    name: 'a database of the name of a tagged user',
    parameters: { user: 'app.acme', database: 'app.acme' },
    expects: ['app', 'acme', undefined, ['user']],
  },
  {
    name: 'the default',
    parameters: { user: 'app', database: 'saas' },
    options: WITH_DEFAULT,
    expects: ['app', 'main', 'saas', ['default']],
  },
  {
    name: 'a tag before the default',
    parameters: { user: 'app.acme' },
    options: WITH_DEFAULT,
    expects: ['app', 'acme', undefined, ['user']],
  },
  {
    name: 'the whole database',
    parameters: { user: 'app', database: 'acme' },
    options: WHOLE_DATABASE,
    expects: ['app', 'acme', undefined, ['database']],
  },
  {
    name: 'the end of the database',
    parameters: { user: 'app', database: 'saas@acme' },
    options: DATABASE_SUFFIX,
    expects: ['app', 'acme', 'saas', ['database']],
  },
  {
    name: 'a database without the separator',
    parameters: { user: 'app.acme', database: 'saas' },
    options: DATABASE_SUFFIX,
    expects: ['app', 'acme', 'saas', ['user']],
  },
  {
    name: 'a database that libpq filled in beside another source',
    parameters: { user: 'app', database: 'app', tenant: 'acme' },
    options: WHOLE_DATABASE,
    expects: ['app', 'acme', undefined, ['startup parameter tenant']],
  },
  {
    name: 'a database of the name of the login, alone',
    parameters: { user: 'acme', database: 'acme' },
    options: WHOLE_DATABASE,
    expects: ['acme', 'acme', undefined, ['database']],
  },
  {
    name: 'a tagged user that libpq repeats as the database',
    parameters: { user: 'app@acme', database: 'app@acme' },
    options: SHARED_PATTERN,
    expects: ['app', 'acme', undefined, ['user']],
  },
  {
    name: 'a user with a dot, with the user pattern off',
    parameters: { user: 'john.doe', tenant: 'acme' },
    options: USER_OFF,
    expects: ['john.doe', 'acme', undefined, ['startup parameter tenant']],
  },
  {
    name: 'an empty database',
    parameters: { user: 'app.acme', database: '' },
    options: WHOLE_DATABASE,
    expects: ['app', 'acme', undefined, ['user']],
  },
  {
    name: 'replication that is off',
    parameters: { user: 'app.acme', replication: 'FALSE' },
    expects: ['app', 'acme', undefined, ['user']],
  },
]
for (const { name, parameters, options, expects } of CLAIMS) {
  t.test(`tenant from: ${name}`, async (t) => {
    const { login, tenant, database, sources, settings } = claim(parameters, options)
    t.strictSame([login, tenant, database, sources], expects)
    t.strictSame(settings, [])
  })
}

interface RefusalRow {
  readonly name: string
  readonly parameters: Parameters
  readonly options?: Partial<TagOptions>
  readonly code: string
}

const REFUSALS: readonly RefusalRow[] = [
  { name: 'no user', parameters: { tenant: 'acme' }, code: 'NO_USER' },
  { name: 'an empty user', parameters: { user: '', tenant: 'acme' }, code: 'NO_USER' },
  { name: 'a user of a tag alone', parameters: { user: '.acme' }, code: 'NO_USER' },
  { name: 'no tag', parameters: { user: 'app', database: 'saas' }, code: 'NO_TAG' },
  {
    name: 'a dotted login beside a tag',
    parameters: { user: 'john.doe', tenant: 'acme' },
    code: 'TAGS_DISAGREE',
  },
  {
    name: 'two parameters',
    parameters: { user: 'app', tenant: 'acme', 'pgusher.tenant': 'globex' },
    code: 'TAGS_DISAGREE',
  },
  {
    name: 'two in options',
    parameters: { user: 'app', options: '-c tenant=acme -c tenant=globex' },
    code: 'TAGS_DISAGREE',
  },
  {
    name: 'options and a parameter',
    parameters: { user: 'app', tenant: 'acme', options: '-c pgusher.tenant=globex' },
    code: 'TAGS_DISAGREE',
  },
  {
    name: 'user and database',
    parameters: { user: 'app.acme', database: 'globex' },
    options: WHOLE_DATABASE,
    code: 'TAGS_DISAGREE',
  },
  { name: 'capitals', parameters: { user: 'app.Acme' }, code: 'MALFORMED_TENANT_NAME' },
  { name: 'a dot and no more', parameters: { user: 'app.' }, code: 'MALFORMED_TENANT_NAME' },
  {
    name: 'an empty parameter',
    parameters: { user: 'app', tenant: '' },
    options: WITH_DEFAULT,
    code: 'MALFORMED_TENANT_NAME',
  },
  {
    name: 'a malformed tag beside a good one',
    parameters: { user: 'app.acme', tenant: 'acme ' },
    code: 'MALFORMED_TENANT_NAME',
  },
  {
    name: 'a parameter where parameters are off',
    parameters: { user: 'app.acme', tenant: 'acme' },
    options: PARAMETER_OFF,
    code: 'TAG_NOT_ACCEPTED',
  },
  {
    name: 'options where parameters are off',
    parameters: { user: 'app', options: '-c pgusher.tenant=acme' },
    options: { ...PARAMETER_OFF, ...WITH_DEFAULT },
    code: 'TAG_NOT_ACCEPTED',
  },
]
for (const { name, parameters, options, code } of REFUSALS) {
  t.test(`refused: ${name}`, async (t) => {
    t.throws(() => claim(parameters, options), { code, sqlState: '28000', origin: 'client' })
  })
}

t.test('replication', async (t) => {
  const asked = (replication: string) => claim({ user: 'app.acme', replication }).replication
  t.equal(claim({ user: 'app.acme' }).replication, 'none')
  t.equal(claim({ user: 'app.acme', REPLICATION: 'true' }).replication, 'none')
  t.equal(asked('off'), 'none')
  t.equal(asked('database'), 'database')
  t.equal(asked('on'), 'physical')
  t.throws(() => asked('maybe'), { code: 'SETTING_REFUSED', sqlState: '22023' })
})

t.test('what the tools of Postgres write for no database names no tenant', async (t) => {
  const named = (replication: string, tenant: string) => {
    const parameters = { user: 'app', database: 'replication', replication, tenant }
    return claim(parameters, WHOLE_DATABASE)
  }
  t.match(named('true', 'acme'), { tenant: 'acme', database: undefined })
  t.match(named('database', 'replication'), { tenant: 'replication' })
  t.throws(() => named('database', 'acme'), { code: 'TAGS_DISAGREE' })
})

t.test('a malformed pattern is a bug of ours', async (t) => {
  t.throws(() => claim({ user: 'app' }, { user: '{user}' }), Error)
})

t.test('the hint for no tag shows only what is switched on', async (t) => {
  t.throws(() => claim({ user: 'app' }), {
    code: 'NO_TAG',
    hint: `For a tenant "acme" write user=app.acme, or options='-c pgusher.tenant=acme'.`,
  })
  t.throws(() => claim({ user: 'app' }, { ...PARAMETER_OFF, ...USER_OFF, ...DATABASE_SUFFIX }), {
    code: 'NO_TAG',
    hint: 'For a tenant "acme" write dbname=saas@acme.',
  })
  t.throws(() => claim({ user: 'app' }, { ...PARAMETER_OFF, ...USER_OFF, ...HOST }), {
    code: 'NO_TAG',
    hint: 'For a tenant "acme" write host=acme.db.example.com.',
  })
  t.throws(() => claim({ user: 'app' }, { ...PARAMETER_OFF, ...USER_OFF }), {
    code: 'NO_TAG',
    hint: undefined,
  })
})

t.test('a disagreement names both sources and, for a user, how it is read', async (t) => {
  t.throws(() => claim({ user: 'john.doe', tenant: 'acme' }), {
    code: 'TAGS_DISAGREE',
    clientMessage:
      'the connection names two tenants: startup parameter tenant says "acme", but user says "doe"',
    hint: /user=john\.doe\.acme/,
  })
  t.throws(() => claim({ user: 'a', tenant: 'b', options: '-c tenant=c' }), {
    code: 'TAGS_DISAGREE',
    hint: 'Name the tenant once, or the same one everywhere.',
  })
})

t.test('a long tag is not repeated whole', async (t) => {
  t.throws(() => claim({ user: 'app', tenant: 'x'.repeat(5000) }), {
    code: 'MALFORMED_TENANT_NAME',
    clientMessage: `not a tenant name: startup parameter tenant says "${'x'.repeat(80)}"...`,
  })
})
