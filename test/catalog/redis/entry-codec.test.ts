import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { CatalogEntry, CatalogName } from '../../../src/catalog/entry.ts'
import { decodeValue, encodeEntry, encodeVoid } from '../../../src/catalog/redis/entry-codec.ts'
import { loginEntry, loginName, tenantEntry, tenantName } from './redis-fixture.ts'

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const text = fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__')
const settings = fc.dictionary(text, fc.jsonValue({ maxDepth: 5 }).map(asStored), {
  maxKeys: 5,
  noNullPrototype: true,
})
const secrets = fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true })

const row = (name: fc.Arbitrary<string>) =>
  fc.record({ name, version: count, settings, secrets, secretsVersion: count })

/** As the tag is read: no other name of a tenant is ever looked up. */
const tag = fc.stringMatching(/^[a-z0-9](?:[a-z0-9_-]{0,20}[a-z0-9])?$/)

const tenantPair: fc.Arbitrary<[CatalogName, CatalogEntry]> = tag.chain((name) =>
  fc.tuple(
    fc.constant(tenantName(name)),
    fc.record({
      kind: fc.constant('tenant' as const),
      asOf: count,
      document: fc.record({
        tenant: row(fc.constantFrom(name, '*', `${name}*`, `*${name.slice(-1)}`)),
        server: fc.option(row(text), { nil: undefined }),
        logins: fc.array(text),
      }),
    }),
  ),
)

const loginPair: fc.Arbitrary<[CatalogName, CatalogEntry]> = text.chain((name) =>
  fc.tuple(
    fc.constant(loginName(name)),
    fc.record({
      kind: fc.constant('login' as const),
      asOf: count,
      document: fc.record({
        user: fc.constantFrom(name, '*'),
        version: count,
        secret: fc.option(text, { nil: undefined }),
        hasAllTenants: fc.boolean(),
      }),
    }),
  ),
)

const absentPair: fc.Arbitrary<[CatalogName, CatalogEntry]> = fc.tuple(
  fc.record({ kind: fc.constantFrom('tenant' as const, 'login' as const), name: text }),
  fc.record({ kind: fc.constant('absent' as const), asOf: count }),
)

t.test('what comes out is what went in', async (t) => {
  const pairs = fc.oneof(tenantPair, loginPair, absentPair)
  const roundTrip = fc.property(pairs, fc.integer({ min: 1 }), ([name, entry], keptMs) => {
    const value = decodeValue(name, Buffer.from(encodeEntry(entry, keptMs)))
    return isDeepStrictEqual(value, { kind: 'entry', entry: plain(entry), keptMs })
  })
  t.doesNotThrow(() => fc.assert(roundTrip, { numRuns: 300 }))
})

t.test('no bytes and no JSON make it throw, or say what is not there', async (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
    fc.json().map((json) => Buffer.from(json)),
    damaged(),
  )
  fc.assert(
    fc.property(bytes, (stored) => {
      const value = decodeValue(tenantName('acme'), stored)
      if (value.kind !== 'entry' || value.entry.kind === 'absent') return
      t.equal(value.entry.kind, 'tenant')
      t.equal(value.entry.kind === 'tenant' && value.entry.document.tenant.name, 'acme')
    }),
    { numRuns: 1000 },
  )
})

t.test('a value has to fit its name', async (t) => {
  const isRead = (name: CatalogName, entry: CatalogEntry) =>
    decodeValue(name, Buffer.from(encodeEntry(entry, 1))).kind === 'entry'
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['acme', 'acme', true],
    ['acme', 'globex', false],
    ['*', 'acme', true],
    ['eu-*', 'eu-acme', true],
    ['eu-*', 'eu-', false],
    ['eu-*', 'us-acme', false],
    ['*-test', 'acme-test', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*a', 'aba', true],
    ['*-*', 'a-b', false],
    ['acme', '*', false],
  ]
  for (const [stored, asked, expected] of rows) {
    t.equal(isRead(tenantName(asked), tenantEntry(stored, 1)), expected, `${stored} for ${asked}`)
  }
  t.equal(isRead(loginName('app'), loginEntry('app', 1)), true)
  t.equal(isRead(loginName('app'), loginEntry('*', 1)), true)
  t.equal(isRead(loginName('app'), loginEntry('admin', 1)), false)
  t.equal(isRead(loginName('app'), loginEntry('a*', 1)), false, 'logins have no patterns')
  t.equal(isRead(loginName('acme'), tenantEntry('acme', 1)), false, 'a tenant is no login')
  t.equal(isRead(tenantName('app'), loginEntry('app', 1)), false, 'a login is no tenant')
})

t.test('what is unreadable, and why', async (t) => {
  const good = { format: 1, asOf: 1, keptMs: 1000, absent: true }
  const nested = '['.repeat(500_000)
  const rows: readonly (readonly [string, string])[] = [
    ['', 'it is no JSON in UTF-8'],
    ['{"format":1', 'it is no JSON in UTF-8'],
    [nested, 'it is no JSON in UTF-8'],
    [nested + ']'.repeat(500_000), 'it is nested deeper than 32 levels'],
    ['null', 'the value: invalid_type'],
    [JSON.stringify({ ...good, format: 2 }), 'format: invalid_value'],
    [JSON.stringify({ ...good, asOf: -1 }), 'asOf: too_small'],
    [JSON.stringify({ ...good, asOf: 1.5 }), 'asOf: invalid_type'],
    [JSON.stringify({ ...good, asOf: '1' }), 'asOf: invalid_type'],
    [JSON.stringify({ ...good, keptMs: 0 }), 'keptMs: too_small'],
    [JSON.stringify({ ...good, keptMs: undefined }), 'keptMs: is missing'],
    [JSON.stringify({ ...good, absent: false }), 'absent: invalid_value'],
    [JSON.stringify({ ...good, secret: 'hunter2' }), 'the value: unrecognized_keys'],
    [
      JSON.stringify({ format: 1, asOf: 1, keptMs: 1 }),
      'it is not one of tenant, login, absent and void',
    ],
    [JSON.stringify({ ...good, void: true }), 'it is not one of tenant, login, absent and void'],
  ]
  for (const [stored, reason] of rows) {
    const value = decodeValue(tenantName('acme'), Buffer.from(stored))
    t.strictSame(value, { kind: 'unreadable', reason }, stored.slice(0, 60))
  }
  const broken = Buffer.from(`${JSON.stringify(good).slice(0, -1)},"x":"\xff"}`, 'latin1')
  t.equal(decodeValue(tenantName('acme'), broken).kind, 'unreadable', 'no UTF-8')
})

t.test('a tombstone is no entry', async (t) => {
  t.strictSame(decodeValue(tenantName('acme'), Buffer.from(encodeVoid(7))), { kind: 'void' })
})

/** A good value with some of its characters changed. */
function damaged(): fc.Arbitrary<Buffer> {
  const good = encodeEntry(tenantEntry('acme', 3), 1000)
  const place = fc.integer({ min: 0, max: good.length - 1 })
  return fc
    .array(fc.tuple(place, fc.integer({ min: 0, max: 255 })), { maxLength: 4 })
    .map((edits) => {
      const bytes = Buffer.from(good)
      for (const [at, byte] of edits) bytes[at] = byte
      return bytes
    })
}

/** Records of fast-check have no prototype. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

function asStored(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
