import fc from 'fast-check'
import t from 'tap'
import { isLike } from '../../../src/admin/console/language/like.ts'

const ROWS: readonly (readonly [text: string, pattern: string, expected: boolean])[] = [
  ['acme', 'acme', true],
  ['acme', 'ACME', true],
  ['acme', 'acm', false],
  ['acme', 'acmee', false],
  ['acme', '%', true],
  ['', '%', true],
  ['', '', true],
  ['', '_', false],
  ['acme', 'a%', true],
  ['acme', '%e', true],
  ['acme', '%c%', true],
  ['acme', '_cm_', true],
  ['acme', '_cm', false],
  ['acme', 'a%m_', true],
  ['aab', '%ab', true],
  ['abab', 'a%b', true],
  ['a.c', 'a_c', true],
  ['abc', 'a.c', false],
]

for (const [text, pattern, expected] of ROWS) {
  t.test(`'${text}' LIKE '${pattern}'`, async (t) => t.equal(isLike(text, pattern), expected))
}

/** By its definition. */
function oracle(text: string, pattern: string): boolean {
  if (pattern === '') return text === ''
  const [sign, rest] = [pattern[0], pattern.slice(1)]
  if (sign === '%') return oracle(text, rest) || (text !== '' && oracle(text.slice(1), pattern))
  return text !== '' && (sign === '_' || sign === text[0]) && oracle(text.slice(1), rest)
}

t.test('is what the definition says', async (t) => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '%', '_'), maxLength: 8 })
  fc.assert(
    fc.property(
      texts,
      patterns,
      (text, pattern) => isLike(text, pattern) === oracle(text, pattern),
    ),
    { numRuns: 5000 },
  )
  t.pass()
})

t.test('a pattern that would try everything does not', async (t) => {
  t.equal(isLike('a'.repeat(5000), `${'%a'.repeat(2000)}%b`), false)
})
