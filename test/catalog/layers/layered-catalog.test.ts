import t from 'tap'
import type { RecordRefusedError } from '../../../src/catalog/catalog-errors.ts'
import { RecordBuilder } from '../../../src/catalog/documents/record-builder.ts'
import type { CatalogRow, LoginDocument } from '../../../src/catalog/entry.ts'
import { FileCatalog } from '../../../src/catalog/file-catalog.ts'
import { LayeredCatalog } from '../../../src/catalog/layers/layered-catalog.ts'
import type { Found } from '../../../src/catalog/layers/lookups.ts'
import { keyOf } from '../../../src/catalog/layers/memory-cache.ts'
import type { KnownEntry } from '../../../src/catalog/layers/record-layers.ts'
import type { CatalogRecords } from '../../../src/catalog/records.ts'
import { load } from '../../config/config-fixture.ts'
import { DEFAULTS, documentOf, named, RING, rowOf } from '../documents/documents-fixture.ts'
import { absentEntry } from './layers-fixture.ts'

const NOTHING: CatalogRecords = { logins: [], tenants: [], templates: [] }
const ACME = named('acme')
const REQUEST = { login: 'app', tenant: ACME }

function acmeRow(database = 'acme', version = 1): CatalogRow {
  const databaseUrl = `postgresql://u@h/${database}`
  return rowOf('acme', { strategy: 'database', databaseUrl }, { version })
}

function tenantOf(row: CatalogRow, logins: readonly string[] = []): KnownEntry {
  return { kind: 'tenant', asOf: row.version, document: { ...documentOf(row), logins } }
}

function loginOf(user: string, changed: Partial<LoginDocument> = {}): KnownEntry {
  const document = { user, version: 1, secret: undefined, hasAllTenants: false, ...changed }
  return { kind: 'login', asOf: 1, document }
}

/** A catalog whose lookups find what `known` says. */
function newCatalog(records = NOTHING) {
  const known = new Map<string, KnownEntry>()
  const asked: string[] = []
  const counted: string[] = []
  const refused: RecordRefusedError[] = []
  const file = new FileCatalog(records)
  const catalog = new LayeredCatalog({
    file,
    builder: new RecordBuilder({ defaults: DEFAULTS, ring: RING }),
    observer: { lookedUp: (layer, result) => counted.push(`${layer} ${result}`) },
    refused: (error) => refused.push(error),
    lookups: {
      async find(name): Promise<Found> {
        asked.push(keyOf(name))
        const entry = known.get(keyOf(name)) ?? absentEntry(1)
        return { entry, layer: 'redis', ageMs: 7, isStale: true }
      },
    },
  })
  const versionNow = async () => {
    const resolution = await catalog.resolve(REQUEST)
    return resolution.kind === 'route' ? resolution.route.version : undefined
  }
  return { catalog, known, asked, counted, refused, file, versionNow }
}

t.test('a login and a tenant make a route, when the one may act for the other', async (t) => {
  const { catalog, known } = newCatalog()
  t.match(await catalog.resolve(REQUEST), { kind: 'refused', reason: 'unknownLogin' })
  known.set('login:app', loginOf('app'))
  t.match(await catalog.resolve(REQUEST), { kind: 'refused', reason: 'unknownTenant' })
  known.set('tenant:acme', tenantOf(acmeRow()))
  const secret = { kind: 'authQuery' }
  t.match(await catalog.resolve(REQUEST), { kind: 'refused', reason: 'notGranted', secret })
  known.set('tenant:acme', tenantOf(acmeRow(), ['app']))
  const route = { tenant: 'acme', login: 'app', target: { database: 'acme' } }
  t.match(await catalog.resolve(REQUEST), { kind: 'route', route, secret, isSuspended: false })
  known.set('tenant:acme', tenantOf(acmeRow(), ['*', 'application']))
  t.match(await catalog.resolve(REQUEST), { reason: 'notGranted' }, 'a grant to * is not its own')
  known.set('login:app', loginOf('*'))
  t.match(await catalog.resolve(REQUEST), { kind: 'route', route: { login: 'app' } })
  known.set('tenant:acme', tenantOf(acmeRow()))
  known.set('login:app', loginOf('app', { hasAllTenants: true }))
  t.match(await catalog.resolve(REQUEST), { kind: 'route' })
})

t.test('both names are looked up, also when one of them is unknown', async (t) => {
  const { catalog, asked } = newCatalog()
  await catalog.resolve(REQUEST)
  t.strictSame(asked, ['login:app', 'tenant:acme'])
})

t.test('what the file lists is looked up nowhere else', async (t) => {
  const { records } = load(`
logins: [{ user: app, password: x, tenants: '*' }, { user: '*', tenants: '*' }]
tenants:
  - { name: acme, strategy: database, databaseUrl: 'postgresql://u@file/acme', authQuery: {} }
  - { name: 'eu-*', strategy: database, databaseUrl: 'postgresql://u@file/{tenant}', authQuery: {} }
`)
  const { catalog, known, asked, counted } = newCatalog(records)
  known.set('tenant:acme', tenantOf(acmeRow()))
  known.set('login:app', loginOf('app'))
  const { resolution, findings } = await catalog.explain(REQUEST)
  t.match(resolution, { route: { target: { host: 'file' } }, secret: { kind: 'scram' } })
  t.match(findings, [
    { layer: 'file', kind: 'login' },
    { layer: 'file', kind: 'tenant' },
  ])
  t.strictSame(asked, [])
  t.strictSame(counted, ['file hit', 'file hit'])
  const made = { login: 'other', tenant: named('eu-x') }
  t.match(await catalog.resolve(made), { route: { target: { database: 'eu-x', host: 'file' } } })
  t.strictSame(asked.splice(0), ['login:other', 'tenant:eu-x'], 'who is listed elsewhere wins')
  known.set('login:other', loginOf('other', { secret: 'hush' }))
  t.match(
    await catalog.resolve(made),
    { kind: 'refused', reason: 'brokenRecord', secret: { kind: 'authQuery' } },
    'a broken login is not one of the others',
  )
  known.set('login:other', { kind: 'refused', asOf: 1 })
  t.match(await catalog.resolve(made), { reason: 'brokenRecord' })
  known.delete('login:other')
  known.set('tenant:eu-x', { kind: 'refused', asOf: 1 })
  t.match(await catalog.resolve(made), { reason: 'brokenRecord' }, 'nor a broken tenant made')
})

t.test('a broken record is told once each time that it was read, and may be mended', async (t) => {
  const { catalog, known, refused, versionNow } = newCatalog()
  known.set('login:app', loginOf('app', { hasAllTenants: true }))
  known.set('tenant:acme', tenantOf(acmeRow()))
  const version = await versionNow()
  const broken = { ...acmeRow(), settings: { name: 'acme', strategy: 'none' } }
  known.set('tenant:acme', tenantOf(broken))
  for (let count = 0; count < 3; count += 1) {
    t.match(await catalog.resolve(REQUEST), { kind: 'refused', reason: 'brokenRecord' })
  }
  t.equal(refused.length, 1)
  known.set('tenant:acme', tenantOf(broken))
  const { findings } = await catalog.explain(REQUEST)
  t.match(findings[1], { result: 'refused', layer: 'redis', isStale: true, ageMs: 7 })
  t.equal(refused.length, 2)
  known.set('tenant:acme', tenantOf(acmeRow('acme', 3)))
  t.equal(await versionNow(), version, 'mended to what it was')
})

t.test('a record that is equal keeps its version, another one gets a higher', async (t) => {
  const { known, versionNow, catalog, file } = newCatalog()
  known.set('login:app', loginOf('app', { hasAllTenants: true }))
  known.set('tenant:acme', tenantOf(acmeRow('acme', 50)))
  const first = (await versionNow()) ?? 0
  known.set('tenant:acme', tenantOf(acmeRow('acme', 60), ['reports']))
  t.equal(await versionNow(), first, 'read again')
  known.set('tenant:acme', tenantOf(acmeRow('elsewhere', 3)))
  const second = (await versionNow()) ?? 0
  t.ok(second > first, 'a backup was restored')
  catalog.renew(new RecordBuilder({ defaults: DEFAULTS, ring: RING }))
  t.equal(await versionNow(), second, 'a reload that changes nothing')
  const timeouts = { ...DEFAULTS.timeouts, queryMs: 99 }
  catalog.renew(new RecordBuilder({ defaults: { ...DEFAULTS, timeouts }, ring: RING }))
  t.ok(((await versionNow()) ?? 0) > second, 'a reload that changes a default')
  const { records } = load(
    "tenants: [{ name: acme, strategy: database, databaseUrl: 'postgresql://u@h/acme' }]",
  )
  const before = (await versionNow()) ?? 0
  file.replace(records)
  t.ok(((await versionNow()) ?? 0) > before, 'the file lists it from now on')
})

t.test('renewed grants are made by the new method', async (t) => {
  const { catalog, known } = newCatalog()
  known.set('login:app', loginOf('app', { secret: `md5${'0'.repeat(32)}`, hasAllTenants: true }))
  known.set('tenant:acme', tenantOf(acmeRow()))
  t.match(await catalog.resolve(REQUEST), { reason: 'brokenRecord' })
  const defaults = { ...DEFAULTS, auth: { method: 'md5' as const } }
  catalog.renew(new RecordBuilder({ defaults, ring: RING }))
  t.match(await catalog.resolve(REQUEST), { kind: 'route', secret: { kind: 'md5' } })
})

t.test('grants of a tenant that change reach the next resolution', async (t) => {
  const { catalog, known } = newCatalog()
  known.set('login:app', loginOf('app'))
  known.set('tenant:acme', tenantOf(acmeRow(), ['app']))
  t.match(await catalog.resolve(REQUEST), { kind: 'route' })
  known.set('tenant:acme', tenantOf(acmeRow(), []))
  t.match(await catalog.resolve(REQUEST), { reason: 'notGranted' })
})

t.test('a document that says it is of another tenant serves nobody', async (t) => {
  const { catalog, known } = newCatalog()
  known.set('login:app', loginOf('app', { hasAllTenants: true }))
  known.set('tenant:globex', tenantOf(acmeRow()))
  const request = { login: 'app', tenant: named('globex') }
  t.match(await catalog.resolve(request), { reason: 'brokenRecord' })
})

t.test('a bug is thrown, not taken for a broken record', async (t) => {
  const { catalog, known } = newCatalog()
  known.set('login:app', loginOf('app'))
  known.set('tenant:acme', tenantOf({ ...acmeRow(), secrets: undefined as never }))
  await t.rejects(catalog.resolve(REQUEST), TypeError)
})

t.test('an explanation says where each name was found', async (t) => {
  const { catalog, known } = newCatalog()
  known.set('tenant:acme', tenantOf(acmeRow('acme', 12)))
  const { findings } = await catalog.explain(REQUEST)
  t.strictSame(findings, [
    {
      name: 'app',
      kind: 'login',
      layer: 'redis',
      result: 'absent',
      isStale: true,
      ageMs: 7,
      version: 1,
    },
    {
      name: 'acme',
      kind: 'tenant',
      layer: 'redis',
      result: 'found',
      isStale: true,
      ageMs: 7,
      version: 12,
    },
  ])
})
