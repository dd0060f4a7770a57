import t from 'tap'
import { FileCatalog } from '../../src/catalog/file-catalog.ts'
import type { TenantRecord } from '../../src/catalog/records.ts'
import { parseTenantName, type TenantName } from '../../src/tenancy/tenant-name.ts'
import { load, placesOf, SHARED } from './config-fixture.ts'

const LOGIN = "logins: [{ user: app, password: x, tenants: '*' }]\n"

function named(text: string): TenantName {
  const name = parseTenantName(text)
  if (name === undefined) throw new Error(`${text} is no tenant name`)
  return name
}

function madeBy(text: string): (name: string) => TenantRecord | undefined {
  const catalog = new FileCatalog(load(LOGIN + SHARED + text).records)
  return (name) => catalog.templateTenant(named(name))?.record
}

t.test('a template makes a tenant of a name, as an entry of that name would', async (t) => {
  const make = madeBy(`tenants:
    - { name: '*', strategy: database, databaseUrl: 'postgresql://u:p@h/saas_{tenant}' }
    - { name: 'eu-*', strategy: schema, server: shared, searchPath: [common] }
    - { name: 'row-*', strategy: row, server: shared, id: 'id of {tenant}' }
  `)
  const acme = make('acme')
  t.equal(acme?.target.database, 'saas_acme')
  t.equal(acme?.name, 'acme')
  t.strictSame(make('eu-acme')?.tenancy, {
    strategy: 'schema',
    searchPath: ['tenant_eu-acme', 'common'],
    setting: 'app.tenant_id',
  })
  t.equal(make('row-acme')?.id, 'id of row-acme')
})

t.test('a template leads nobody to what belongs to all or to none', async (t) => {
  const databases = madeBy(
    "tenants: [{ name: '*', strategy: database, databaseUrl: 'postgresql://u@h/{tenant}' }]",
  )
  for (const name of ['postgres', 'template0', 'template1']) t.equal(databases(name), undefined)
  t.ok(databases('acme'))
  const schemas = madeBy(
    "tenants: [{ name: '*', strategy: schema, server: shared, schema: '{tenant}' }]",
  )
  for (const name of ['public', 'pgusher', 'pg_catalog', 'information_schema']) {
    t.equal(schemas(name), undefined, name)
  }
  const long = madeBy("tenants: [{ name: '*', strategy: schema, server: shared }]")
  t.equal(long('a'.repeat(63)), undefined, 'a schema that Postgres would cut')
})

t.test('what is wrong with a template is found when the file is read', async (t) => {
  const template = (rest: string) => `${LOGIN}${SHARED}tenants: [{ name: '*', ${rest} }]`
  t.strictSame(
    placesOf(template("strategy: database, databaseUrl: 'mysql://{tenant}'")).map(pathOf),
    ['tenants[0].databaseUrl'],
  )
  t.strictSame(
    placesOf(template("strategy: database, databaseUrl: 'postgresql://u@h/postgres'")).map(pathOf),
    ['tenants[0].name'],
    'every name would lead to one place',
  )
  t.strictSame(placesOf(template('strategy: schema, server: nowhere')).map(pathOf), [
    'tenants[0].server',
  ])
})

t.test('a template must not hand out the data of a tenant under another name', async (t) => {
  const places = placesOf(`${LOGIN}${SHARED}tenants:
    - { name: acme, strategy: schema, server: shared, schema: tenant_globex }
    - { name: initech, strategy: schema, server: shared, schema: tenant_initech }
    - { name: '*', strategy: schema, server: shared }
  `)
  t.strictSame(places.map(pathOf), ['tenants[2].name'])
  const listed = placesOf(`${LOGIN}${SHARED}tenants:
    - { name: acme, strategy: schema, server: shared, schema: tenant_globex }
    - { name: globex, strategy: schema, server: shared, schema: elsewhere }
    - { name: '*', strategy: schema, server: shared }
  `)
  t.strictSame(listed, [], 'a listed name is never made')
})

t.test('logins may be granted tenants that a template makes', async (t) => {
  const text = (
    grant: string,
  ) => `${SHARED}logins: [{ user: app, password: x, tenants: [${grant}] }]
tenants: [{ name: 'eu-*', strategy: schema, server: shared }]`
  t.strictSame(placesOf(text('eu-acme')), [])
  t.strictSame(placesOf(text('us-acme')).map(pathOf), ['logins[0].tenants[0]'])
})

function pathOf(place: string): string {
  return place.split(' ')[1] ?? ''
}
