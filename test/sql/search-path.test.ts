import fc from 'fast-check'
import t from 'tap'
import { formatSearchPath, parseSearchPath } from '../../src/sql/search-path.ts'

const ROWS = [
  { value: '', expects: [] },
  { value: ' \t\n', expects: [] },
  { value: 'public', expects: ['public'] },
  { value: ' A , "B" ', expects: ['a', 'B'] },
  { value: '"$user", public', expects: ['$user', 'public'] },
  { value: '$user', expects: ['$user'] },
  { value: '"a""b","",c', expects: ['a"b', '', 'c'] },
  { value: '"a,b",c', expects: ['a,b', 'c'] },
  { value: 'a"b', expects: ['a"b'] },
  { value: "'x'", expects: ["'x'"] },
  { value: 'ÉA', expects: ['Éa'] },
  { value: 'a,', expects: undefined },
  { value: ',a', expects: undefined },
  { value: 'a,,b', expects: undefined },
  { value: 'a b', expects: undefined },
  { value: '"a"b', expects: undefined },
  { value: '"a', expects: undefined },
  { value: '"a""', expects: undefined },
  { value: 'a\0', expects: undefined },
]
for (const { value, expects } of ROWS) {
  t.test(`search_path = ${JSON.stringify(value)}`, async (t) => {
    t.strictSame(parseSearchPath(value), expects)
  })
}

t.test('what is formatted is read back', async () => {
  const name = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'aB", $é\t') }),
    fc.string({ unit: 'grapheme' }),
  )
  const schemas = fc.array(name.map((text) => text.replaceAll('\0', '')))
  fc.assert(
    fc.property(schemas, (names) => {
      t.strictSame(parseSearchPath(formatSearchPath(names)), names)
    }),
  )
})

t.test('a long malformed value is read in linear time', async (t) => {
  t.equal(parseSearchPath(`${'a,'.repeat(500_000)} b c`), undefined)
  t.equal(parseSearchPath(`"${'""'.repeat(500_000)}`), undefined)
})
