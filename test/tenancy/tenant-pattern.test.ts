import fc from 'fast-check'
import t from 'tap'
import { parseTenantName, type TenantName } from '../../src/tenancy/tenant-name.ts'
import {
  bestPattern,
  fillIn,
  fillInAll,
  matchesPattern,
  parseTenantPattern,
  type TenantPattern,
} from '../../src/tenancy/tenant-pattern.ts'

function name(text: string): TenantName {
  const parsed = parseTenantName(text)
  if (parsed === undefined) throw new Error(`no tenant name: ${text}`)
  return parsed
}

function pattern(text: string): TenantPattern {
  const parsed = parseTenantPattern(text)
  if (parsed === undefined) throw new Error(`no pattern: ${text}`)
  return parsed
}

const PATTERNS = [
  { text: '*', isGood: true },
  { text: 'eu-*', isGood: true },
  { text: '*-test', isGood: true },
  { text: 'eu-*-x', isGood: true },
  { text: '7*', isGood: true },
  { text: `${'a'.repeat(62)}*`, isGood: true },
  { text: `${'a'.repeat(63)}*`, isGood: false },
  { text: '', isGood: false },
  { text: 'acme', isGood: false },
  { text: '**', isGood: false },
  { text: 'a*b*', isGood: false },
  { text: '-*', isGood: false },
  { text: '_a*', isGood: false },
  { text: '*-', isGood: false },
  { text: 'a*b_', isGood: false },
  { text: 'EU-*', isGood: false },
  { text: 'eu.*', isGood: false },
  { text: 'eu%*', isGood: false },
  { text: '*\n', isGood: false },
  { text: 'é*', isGood: false },
]
for (const { text, isGood } of PATTERNS) {
  t.test(`"${text}" is ${isGood ? 'a' : 'no'} pattern`, async (t) => {
    t.equal(parseTenantPattern(text)?.text, isGood ? text : undefined)
  })
}

const MATCHES = [
  { text: '*', tenant: 'acme', matches: true },
  { text: 'eu-*', tenant: 'eu-acme', matches: true },
  { text: 'eu-*', tenant: 'eu', matches: false },
  { text: 'eu*', tenant: 'eu', matches: true },
  { text: '*-test', tenant: 'acme-test', matches: true },
  { text: '*-test', tenant: 'acme-tests', matches: false },
  { text: 'ab*ba', tenant: 'abba', matches: true },
  { text: 'ab*ba', tenant: 'aba', matches: false },
  { text: 'a_b*', tenant: 'axbc', matches: false },
]
for (const { text, tenant, matches } of MATCHES) {
  t.test(`${text} ${matches ? 'covers' : "doesn't cover"} ${tenant}`, async (t) => {
    t.equal(matchesPattern(pattern(text), name(tenant)), matches)
  })
}

/** Few letters, so that patterns and names meet. */
const letters = fc.string({ unit: fc.constantFrom('a', 'b', '0', '-', '_'), maxLength: 4 })
const names = letters.map(parseTenantName).filter((parsed) => parsed !== undefined)
const patterns = fc
  .tuple(letters, letters)
  .map(([prefix, suffix]) => parseTenantPattern(`${prefix}*${suffix}`))
  .filter((parsed) => parsed !== undefined)

t.test('a pattern covers what its text as a regular expression does', async () => {
  fc.assert(
    fc.property(patterns, names, (parsed, tenant) => {
      const expression = new RegExp(`^${parsed.text.replace('*', '.*')}$`)
      return matchesPattern(parsed, tenant) === expression.test(tenant)
    }),
    { numRuns: 2000 },
  )
})

t.test('every name with something left out is covered by what is left', async () => {
  fc.assert(
    fc.property(names, fc.nat(10), fc.nat(10), (tenant, from, length) => {
      const text = `${tenant.slice(0, from)}*${tenant.slice(from + length)}`
      const parsed = parseTenantPattern(text)
      return parsed === undefined || matchesPattern(parsed, tenant)
    }),
  )
})

t.test('the longest text wins, then the first, in whatever order they come', async (t) => {
  fc.assert(
    fc.property(fc.array(patterns), names, (all, tenant) => {
      const [first] = all
        .filter((parsed) => matchesPattern(parsed, tenant))
        .map(({ text }) => text)
        .sort((a, b) => b.length - a.length || Buffer.compare(Buffer.from(a), Buffer.from(b)))
      return (
        bestPattern(all, tenant)?.text === first &&
        bestPattern([...all].reverse(), tenant)?.text === first
      )
    }),
    { numRuns: 2000 },
  )
  const best = bestPattern(['*', 'eu-*', '*-db', 'us-*'].map(pattern), name('eu-db'))
  t.equal(best?.text, '*-db', 'in the order of bytes a * comes before a letter')
})

t.test('the name stands where the placeholder was, as often as it was there', async (t) => {
  const tenant = name('acme')
  t.equal(fillIn('postgresql://{tenant}@db/app_{tenant}', tenant), 'postgresql://acme@db/app_acme')
  t.equal(fillIn('{Tenant} {tenant', tenant), '{Tenant} {tenant')
})

t.test('all strings are filled in, and nothing else', async (t) => {
  const settings = {
    databaseUrl: 'postgresql://db/{tenant}',
    searchPath: ['{tenant}', 'shared'],
    pool: { size: 3 },
    users: { '{tenant}': { user: '{tenant}_owner' } },
    replication: null,
    ['__proto__']: '{tenant}',
  }
  const before = structuredClone(settings)
  const filled = fillInAll(settings, name('acme'))
  t.strictSame(filled, {
    databaseUrl: 'postgresql://db/acme',
    searchPath: ['acme', 'shared'],
    pool: { size: 3 },
    users: { '{tenant}': { user: 'acme_owner' } },
    replication: null,
    ['__proto__']: 'acme',
  })
  t.equal(Object.getPrototypeOf(filled), Object.prototype)
  t.strictSame(settings, before, 'the template itself stays as it is')
})

t.test('JSON without a placeholder stays the same', async () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      if (JSON.stringify(value).includes('{tenant}')) return true
      return JSON.stringify(fillInAll(value, name('acme'))) === JSON.stringify(value)
    }),
  )
})

t.test('a hostile depth is not followed', async (t) => {
  let value: unknown = '{tenant}'
  for (let depth = 0; depth < 50_000; depth += 1) value = [value]
  t.doesNotThrow(() => fillInAll(value, name('acme')))
})
