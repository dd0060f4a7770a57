import t from 'tap'
import { FileCatalog } from '../../src/catalog/file-catalog.ts'
import type { LoginRecord, TenantRecord } from '../../src/catalog/records.ts'
import { parseTenantName, type TenantName } from '../../src/tenancy/tenant-name.ts'

const NO_SECRET = { kind: 'none' } as const

function named(text: string): TenantName {
  const name = parseTenantName(text)
  if (name === undefined) throw new Error(`${text} is no tenant name`)
  return name
}

function tenant(name: string, changes: Partial<TenantRecord> = {}): TenantRecord {
  return {
    name: named(name),
    id: name,
    status: 'active',
    server: 'shared',
    target: { host: 'h', port: 5432, database: 'd', user: 'u', password: 'p', tls: undefined },
    users: [],
    serverUser: 'route',
    authQuery: undefined,
    tenancy: { strategy: 'row', searchPath: ['public'], setting: 'app.tenant_id', value: name },
    hasOwnLogin: false,
    isolation: 'sealed',
    role: undefined,
    settings: [],
    pool: { mode: 'transaction', size: 20, pins: 'allow', carriedSettings: [] },
    timeouts: { waitMs: 1, idleClientMs: 2, idleInTransactionMs: 3, queryMs: 4 },
    maxClients: 0,
    replication: { allowed: 'none', maxSessions: 0 },
    labels: {},
    ...changes,
  }
}

const ALL: LoginRecord = { user: 'all', secret: NO_SECRET, tenants: '*' }
const ONE: LoginRecord = {
  user: 'one',
  secret: { kind: 'md5', hash: '0'.repeat(32) },
  tenants: [named('acme')],
}

function createCatalog(tenants: readonly TenantRecord[]): FileCatalog {
  return new FileCatalog({ logins: [ALL, ONE], tenants, templates: [] })
}

async function versionOf(catalog: FileCatalog, name: string): Promise<number> {
  const resolution = await catalog.resolve({ login: 'all', tenant: named(name) })
  if (resolution.kind !== 'route') throw new Error(`${name} has no route`)
  return resolution.route.version
}

t.test('a route holds what the record says', async (t) => {
  const record = tenant('acme', { role: 'r', settings: [{ name: 'a', value: 'b' }], maxClients: 7 })
  const resolution = await createCatalog([record]).resolve({ login: 'one', tenant: named('acme') })
  t.match(resolution, {
    kind: 'route',
    secret: ONE.secret,
    isSuspended: false,
    route: {
      tenant: 'acme',
      login: 'one',
      target: record.target,
      tenancy: record.tenancy,
      role: 'r',
      settings: record.settings,
      pool: record.pool,
      timeouts: record.timeouts,
      maxClients: 7,
    },
  })
  t.ok(resolution.kind === 'route' && Object.isFrozen(resolution.route))
})

t.test('a suspended tenant has a route, so that its clients can log in and be told', async (t) => {
  const catalog = createCatalog([tenant('acme', { status: 'suspended' })])
  t.match(await catalog.resolve({ login: 'one', tenant: named('acme') }), {
    kind: 'route',
    isSuspended: true,
  })
})

const REFUSALS = [
  { login: 'all', tenant: 'nobody', reason: 'unknownTenant', secret: NO_SECRET },
  { login: 'one', tenant: 'nobody', reason: 'unknownTenant', secret: ONE.secret },
  { login: 'one', tenant: 'globex', reason: 'notGranted', secret: ONE.secret },
  { login: 'stranger', tenant: 'acme', reason: 'unknownLogin', secret: undefined },
  { login: 'stranger', tenant: 'nobody', reason: 'unknownLogin', secret: undefined },
  { login: '__proto__', tenant: 'acme', reason: 'unknownLogin', secret: undefined },
]
for (const { login, tenant: name, reason, secret } of REFUSALS) {
  t.test(`${login} for ${name} is refused: ${reason}`, async (t) => {
    const catalog = createCatalog([tenant('acme'), tenant('globex')])
    t.strictSame(await catalog.resolve({ login, tenant: named(name) }), {
      kind: 'refused',
      reason,
      secret,
    })
  })
}

t.test('a reload keeps the versions of equal records and raises those of others', async (t) => {
  const catalog = createCatalog([tenant('acme'), tenant('globex'), tenant('initech')])
  const before = await versionOf(catalog, 'acme')
  const change = catalog.replace({
    templates: [],
    logins: [ALL],
    tenants: [tenant('acme'), tenant('globex', { role: 'r' }), tenant('hooli')],
  })
  const { isAboutAll, ...lists } = change
  t.strictSame(lists, { added: ['hooli'], changed: ['globex'], removed: ['initech'] })
  t.ok(isAboutAll, 'a login is gone')
  t.equal(await versionOf(catalog, 'acme'), before)
  t.ok((await versionOf(catalog, 'globex')) > before)
  t.match(await catalog.resolve({ login: 'all', tenant: named('initech') }), {
    reason: 'unknownTenant',
  })
  t.match(await catalog.resolve({ login: 'one', tenant: named('acme') }), {
    reason: 'unknownLogin',
  })
  t.strictSame(
    catalog.tenants().map(({ name }) => name),
    ['acme', 'globex', 'hooli'],
  )
})

t.test('a change of the password or of the pool is a change', async (t) => {
  const target = tenant('acme').target
  const catalog = createCatalog([tenant('acme'), tenant('globex')])
  const { changed } = catalog.replace({
    templates: [],
    logins: [],
    tenants: [
      tenant('acme', { target: { ...target, password: 'new' } }),
      tenant('globex', { pool: { mode: 'session', size: 20, pins: 'allow', carriedSettings: [] } }),
    ],
  })
  t.strictSame(changed, ['acme', 'globex'])
})

t.test('a tenant that was removed comes back with a version of its own', async (t) => {
  const catalog = createCatalog([tenant('acme')])
  const first = await versionOf(catalog, 'acme')
  catalog.replace({ logins: [ALL], tenants: [], templates: [] })
  catalog.replace({ logins: [ALL], tenants: [tenant('acme')], templates: [] })
  t.ok((await versionOf(catalog, 'acme')) > first)
})

const ASK = { kind: 'authQuery' } as const
const ANYBODY: LoginRecord = { user: '*', secret: ASK, tenants: [named('acme')] }
const AUTH_QUERY = {
  target: tenant('acme').target,
  query: 'SELECT $1',
  cacheMs: 1,
  timeoutMs: 1,
  maxConnections: 1,
}

t.test('the login * covers those that are not listed', async (t) => {
  const acme = tenant('acme', { authQuery: AUTH_QUERY })
  const catalog = new FileCatalog({
    logins: [ANYBODY, ONE],
    tenants: [acme, tenant('globex')],
    templates: [],
  })
  const resolve = (login: string, name: string) => catalog.resolve({ login, tenant: named(name) })
  for (const login of ['stranger', '*', '__proto__', '']) {
    const resolution = await resolve(login, 'acme')
    t.match(resolution, { kind: 'route', secret: ASK, route: { login, authQuery: AUTH_QUERY } })
  }
  t.match(await resolve('one', 'acme'), { kind: 'route', secret: ONE.secret }, 'a listed one wins')
  const notGranted = { kind: 'refused', reason: 'notGranted', secret: ASK }
  t.strictSame(await resolve('stranger', 'globex'), notGranted)
  t.strictSame(await resolve('one', 'globex'), { ...notGranted, secret: ONE.secret })
  const unknownTenant = { kind: 'refused', reason: 'unknownTenant', secret: ASK }
  t.strictSame(await resolve('stranger', 'nobody'), unknownTenant)
})

t.test('an unknown login looks like those that a server is asked for', async (t) => {
  const listed: LoginRecord = { user: 'listed', secret: ASK, tenants: '*' }
  const catalog = new FileCatalog({
    logins: [listed, ONE],
    tenants: [tenant('acme')],
    templates: [],
  })
  const resolution = await catalog.resolve({ login: 'stranger', tenant: named('acme') })
  t.strictSame(resolution, { kind: 'refused', reason: 'unknownLogin', secret: ASK })
})

t.test('a login has its server user', async (t) => {
  const users = [
    { login: 'one', user: 'owner', password: 'owns' },
    { login: 'two', user: 'trusted', password: undefined },
  ]
  const record = tenant('acme', { users, serverUser: 'client' })
  const logins = ['one', 'two', 'three'].map((user) => ({ ...ALL, user }))
  const catalog = new FileCatalog({ logins, tenants: [record], templates: [] })
  const routeOf = async (login: string) => {
    const resolution = await catalog.resolve({ login, tenant: named('acme') })
    return resolution.kind === 'route' ? resolution.route : undefined
  }
  const { target } = record
  t.match(await routeOf('one'), {
    target: { ...target, user: 'owner', password: 'owns' },
    serverUser: 'route',
  })
  t.strictSame((await routeOf('two'))?.target, { ...target, user: 'trusted', password: undefined })
  t.match(await routeOf('three'), { target, serverUser: 'client' })
})
