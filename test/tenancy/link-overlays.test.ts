import t from 'tap'
import {
  buildLink,
  homeSettings,
  type LinkSource,
  mayHinder,
  overlayLink,
  restoreQuery,
} from '../../src/tenancy/link.ts'
import type { Setting } from '../../src/tenancy/tenancy.ts'

const SOURCE: LinkSource = {
  tenant: 'acme',
  version: 1,
  tenancy: { strategy: 'schema', searchPath: ['acme', 'ext'], setting: 'app.tenant_id' },
  isolation: 'convenience',
  settings: [{ name: 'Jit', value: 'off' }],
  role: 'reader',
}
const setting = (name: string, value: string): Setting => ({ name, value })
const link = (...settings: readonly Setting[]) => buildLink(SOURCE, settings)
const UTC = setting('TimeZone', 'UTC')

t.test('nothing over a link is the link itself', async (t) => {
  const plain = link(UTC)
  t.equal(overlayLink(plain, new Map()), plain)
})

t.test('what a client set stands over what it began with, in any case of letters', async (t) => {
  const over = overlayLink(link(UTC, setting('a.b', 'c')), new Map([['timezone', 'PST8PDT']]))
  t.strictSame(over.clientSettings, [setting('a.b', 'c'), setting('timezone', 'PST8PDT')])
  t.equal(over.tenantKey, link().tenantKey)
  t.strictSame(over.tenantSettings, link().tenantSettings)
  t.not(over.key, link(UTC, setting('a.b', 'c')).key)
  const same = overlayLink(link(setting('a.b', 'c')), new Map([['timezone', 'PST8PDT']]))
  t.equal(over.key, same.key, 'the same state has one key')
  const other = overlayLink(link(setting('timezone', 'PST8PDT')), new Map([['a.b', 'c']]))
  t.equal(over.key, other.key, 'in any order')
})

t.test('a home has each setting once, the last word being the client’s', async (t) => {
  const home = homeSettings(SOURCE, link(UTC, setting('jit', 'on'), setting('SEARCH_PATH', 'ext')))
  t.strictSame(
    new Map(home.map(({ name, value }) => [name.toLowerCase(), value])),
    new Map([
      ['search_path', 'ext'],
      ['app.tenant_id', ''],
      ['jit', 'on'],
      ['role', 'reader'],
      ['timezone', 'UTC'],
    ]),
  )
  t.equal(home.length, 5)
  const database = homeSettings(
    { tenancy: { strategy: 'database' }, settings: [setting('jit', 'off')] },
    buildLink({ ...SOURCE, tenancy: { strategy: 'database' }, role: undefined }, [UTC]),
  )
  t.strictSame(database, [setting('jit', 'off'), UTC])
})

t.test('what is put back behind a RESET', async (t) => {
  const path = `SET "search_path" TO E'acme', E'ext'`
  const role = `SET ROLE E'reader'`
  const jit = `SET "Jit" TO E'off'`
  const zone = `SET "TimeZone" TO E'UTC'`
  const rows = [
    { resets: ['work_mem'], sql: undefined },
    { resets: [], sql: undefined },
    { resets: ['timezone'], sql: zone },
    { resets: ['search_path'], sql: path },
    { resets: ['role', 'session_authorization'], sql: role },
    { resets: ['timezone', 'jit'], sql: `${jit}; ${zone}` },
    { resets: 'all', sql: `${path}; ${jit}; ${role}; ${zone}` },
  ] as const
  for (const { resets, sql } of rows) t.equal(restoreQuery(link(UTC), resets), sql)
  const database = buildLink({ ...SOURCE, tenancy: { strategy: 'database' }, role: undefined }, [])
  t.equal(restoreQuery(database, 'all'), undefined, 'the connection falls back to it by itself')
})

t.test('a list of names is put back as one', async (t) => {
  const rows = [
    [setting('temp_tablespaces', 'a, "B c"'), `SET "temp_tablespaces" TO E'a', E'B c'`],
    [setting('search_path', ''), `SET "search_path" TO E''`],
    [setting('search_path', '"bad'), `SET "search_path" TO E'"bad'`],
    [setting('app.x', "a, 'b'"), `SET "app"."x" TO E'a, ''b'''`],
  ] as const
  for (const [client, sql] of rows) {
    const bare = buildLink({ ...SOURCE, tenancy: { strategy: 'database' }, role: undefined }, [
      client,
    ])
    t.equal(restoreQuery(bare, 'all'), sql)
  }
})

t.test('short time limits may hinder the next link', async (t) => {
  const rows = [
    ['0', false],
    ['1000', false],
    ['1000ms', false],
    ['1s', false],
    ['2 min', false],
    ['1h', false],
    ['3d', false],
    ['999', true],
    ['1', true],
    ['0s', true],
    ['1us', true],
    ['0.5s', true],
    ['1e3', true],
    ['01s', true],
  ] as const
  t.equal(mayHinder(undefined), false)
  t.equal(mayHinder(link(UTC)), false)
  for (const [value, isHindering] of rows) {
    for (const name of [
      'statement_timeout',
      'Lock_Timeout',
      'idle_in_transaction_session_timeout',
    ]) {
      t.equal(mayHinder(link(setting(name, value))), isHindering, `${name} = ${value}`)
    }
    const ofTenant = buildLink({ ...SOURCE, settings: [setting('statement_timeout', value)] }, [])
    t.equal(mayHinder(ofTenant), isHindering)
  }
})
