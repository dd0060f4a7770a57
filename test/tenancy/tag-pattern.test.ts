import t from 'tap'
import { matchTagPattern, parseTagPattern } from '../../src/tenancy/tag-pattern.ts'

const PATTERNS = [
  { pattern: '{user}.{tenant}', placeholder: 'user', isGood: true },
  { pattern: '{tenant}--{user}', placeholder: 'user', isGood: true },
  { pattern: 'x{user}.{tenant}y', placeholder: 'user', isGood: true },
  { pattern: '{tenant}', placeholder: 'database', isGood: true },
  { pattern: 'db_{tenant}', placeholder: 'database', isGood: true },
  { pattern: '{database}@{tenant}', placeholder: 'database', isGood: true },
  { pattern: '{tenant}', placeholder: 'user', isGood: false },
  { pattern: '{user}', placeholder: 'user', isGood: false },
  { pattern: '{user}{tenant}', placeholder: 'user', isGood: false },
  { pattern: '{tenant}.{tenant}', placeholder: 'user', isGood: false },
  { pattern: '{user}.{user}', placeholder: 'user', isGood: false },
  { pattern: '{user}.{tenant}', placeholder: 'database', isGood: false },
  { pattern: '{tenant}.{user}.{tenant}', placeholder: 'user', isGood: false },
  { pattern: '{tenant}.{', placeholder: 'database', isGood: false },
  { pattern: '{database}', placeholder: 'database', isGood: false },
  { pattern: 'saas', placeholder: 'database', isGood: false },
  { pattern: '', placeholder: 'database', isGood: false },
  { pattern: '{tenant}.db.example.com', placeholder: 'none', isGood: true },
  { pattern: '{tenant}', placeholder: 'none', isGood: true },
  { pattern: '{user}.{tenant}', placeholder: 'none', isGood: false },
  { pattern: '{tenant}.{none}', placeholder: 'none', isGood: false },
  { pattern: '*.db.example.com', placeholder: 'none', isGood: false },
] as const
for (const { pattern, placeholder, isGood } of PATTERNS) {
  t.test(`pattern "${pattern}" of a ${placeholder}`, async (t) => {
    t.equal(parseTagPattern(pattern, placeholder) !== undefined, isGood)
  })
}

const NAMES = [
  { pattern: '{database}@{tenant}', name: 'saas@acme', expects: { tenant: 'acme', rest: 'saas' } },
  { pattern: '{database}@{tenant}', name: 'a@b@acme', expects: { tenant: 'acme', rest: 'a@b' } },
  { pattern: '{tenant}@{database}', name: 'acme@a@b', expects: { tenant: 'acme', rest: 'a@b' } },
  { pattern: '{database}--{tenant}', name: 'a---b', expects: { tenant: 'b', rest: 'a-' } },
  { pattern: '{database}@{tenant}', name: 'saas', expects: undefined },
  { pattern: '{database}@{tenant}', name: 'saas@', expects: { tenant: '', rest: 'saas' } },
  { pattern: '{database}@{tenant}', name: '@acme', expects: { tenant: 'acme', rest: '' } },
  { pattern: '{tenant}', name: 'acme', expects: { tenant: 'acme', rest: '' } },
  { pattern: 'db_{tenant}_x', name: 'db_acme_x', expects: { tenant: 'acme', rest: '' } },
  { pattern: 'db_{tenant}_x', name: 'db_x', expects: undefined },
  { pattern: 'db_{tenant}', name: 'acme', expects: undefined },
]
for (const { pattern, name, expects } of NAMES) {
  t.test(`"${name}" by "${pattern}"`, async (t) => {
    const parsed = parseTagPattern(pattern, 'database')
    t.ok(parsed)
    if (parsed !== undefined) t.strictSame(matchTagPattern(parsed, name), expects)
  })
}
