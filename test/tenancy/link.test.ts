import t from 'tap'
import { buildLink, type LinkSource, restingSettings } from '../../src/tenancy/link.ts'
import type { Tenancy } from '../../src/tenancy/tenancy.ts'
import { linkQuery } from './link-fixture.ts'

const SETTING = 'app.tenant_id'
const SCHEMA: Tenancy = { strategy: 'schema', searchPath: ['tenant_acme', 'ext'], setting: SETTING }
const ROW: Tenancy = { strategy: 'row', searchPath: ['public'], setting: SETTING, value: "4'2" }
const DATABASE: Tenancy = { strategy: 'database' }
const UTC = { name: 'timezone', value: 'UTC' }
const PST = { name: 'timezone', value: 'PST8PDT' }
const STYLE = { name: 'datestyle', value: 'German' }

function source(tenancy: Tenancy, more: Partial<LinkSource> = {}): LinkSource {
  return {
    tenant: 'acme',
    version: 1,
    tenancy,
    isolation: 'convenience',
    settings: [],
    role: undefined,
    ...more,
  }
}

const acme = buildLink(source(SCHEMA), [])
const acmeUtc = buildLink(source(SCHEMA), [UTC])
const globex = buildLink(source(ROW, { tenant: 'globex' }), [])
const set = (name: string, value: string) => `pg_catalog.set_config(E'${name}', E'${value}', false)`
const RESET =
  'RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; DISCARD TEMP; DISCARD SEQUENCES; SELECT pg_catalog.pg_advisory_unlock_all()'
const ACME = set('search_path', '"tenant_acme", "ext"')
const GLOBEX = `${set('search_path', '"public"')}, ${set(SETTING, "4''2")}`

const ROWS = [
  { name: 'at rest', from: undefined, to: acme, sql: `BEGIN; SELECT ${ACME}; COMMIT` },
  { name: 'there already', from: acme, to: acme, sql: undefined },
  { name: 'a new copy of the same', from: acme, to: buildLink(source(SCHEMA), []), sql: undefined },
  { name: 'another tenant', from: acme, to: globex, sql: `BEGIN; ${RESET}, ${GLOBEX}; COMMIT` },
  { name: 'back', from: globex, to: acme, sql: `BEGIN; ${RESET}, ${ACME}; COMMIT` },
  {
    name: 'a new setting of the client',
    from: acme,
    to: acmeUtc,
    sql: `BEGIN; SELECT ${set('timezone', 'UTC')}; COMMIT`,
  },
  {
    name: 'a setting less',
    from: acmeUtc,
    to: acme,
    sql: 'BEGIN; RESET "timezone"; COMMIT',
  },
  {
    name: 'a setting changed',
    from: acmeUtc,
    to: buildLink(source(SCHEMA), [PST]),
    sql: `BEGIN; SELECT ${set('timezone', 'PST8PDT')}; COMMIT`,
  },
  {
    name: 'a setting that falls back to the tenant',
    from: buildLink(source(SCHEMA, { settings: [PST] }), [UTC]),
    to: buildLink(source(SCHEMA, { settings: [PST] }), [STYLE]),
    sql: `BEGIN; RESET "timezone"; SELECT ${set('timezone', 'PST8PDT')}, ${set('datestyle', 'German')}; COMMIT`,
  },
  {
    name: 'a search path of the client that falls back',
    from: buildLink(source(SCHEMA), [{ name: 'search_path', value: 'ext' }]),
    to: acme,
    sql: `BEGIN; RESET "search_path"; SELECT ${ACME}; COMMIT`,
  },
  {
    name: 'a newer version of the tenant',
    from: acme,
    to: buildLink(source(SCHEMA, { version: 2, role: 'reader' }), []),
    sql: `BEGIN; ${RESET}, ${ACME}, ${set('role', 'reader')}; COMMIT`,
  },
  {
    name: 'a database of its own',
    from: undefined,
    to: buildLink(source(DATABASE), []),
    sql: undefined,
  },
]

for (const { name, from, to, sql } of ROWS) {
  t.test(`link: ${name}`, async (t) => t.equal(linkQuery(from, to, false), sql))
}

t.test('whatever is dirty is reset, the same tenant too', async (t) => {
  for (const from of [undefined, acme, globex]) {
    t.equal(linkQuery(from, acme, true), `BEGIN; ${RESET}, ${ACME}; COMMIT`)
  }
})

t.test('the order of settings makes no difference', async (t) => {
  const [first, second] = [
    buildLink(source(ROW), [UTC, STYLE]),
    buildLink(source(ROW), [STYLE, UTC]),
  ]
  t.equal(first.key, second.key)
})

t.test('no two tenants, versions or settings have one key', async (t) => {
  const links = [
    acme,
    acmeUtc,
    globex,
    buildLink(source(SCHEMA, { version: 11 }), []),
    buildLink(source(SCHEMA, { tenant: 'acme@1', version: 1 }), []),
    buildLink(source(SCHEMA), [{ name: 'a', value: 'b' }]),
    buildLink(source(SCHEMA), [{ name: 'a', value: 'b"],["c","d' }]),
    buildLink(source(SCHEMA), [
      { name: 'a', value: 'b' },
      { name: 'c', value: 'd' },
    ]),
  ]
  t.equal(new Set(links.map(({ key }) => key)).size, links.length)
})

t.test('at rest it is linked to nobody', async (t) => {
  const nobody = [
    { name: 'search_path', value: 'pg_catalog' },
    { name: SETTING, value: '' },
  ]
  t.strictSame(restingSettings(source(SCHEMA, { settings: [UTC] })), nobody)
  t.strictSame(restingSettings(source(ROW, { settings: [UTC] })), nobody)
  t.strictSame(restingSettings(source(DATABASE, { settings: [UTC] })), [UTC])
})
