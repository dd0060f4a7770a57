import fc from 'fast-check'
import t from 'tap'
import { readStatements } from '../../../src/admin/console/language/statements.ts'
import { ProxyError } from '../../../src/base/proxy-error.ts'

const ROWS: readonly (readonly [source: string, statements: readonly (readonly string[])[]])[] = [
  ['', []],
  [' ;; \n; ', []],
  ['SHOW POOLS', [['SHOW', 'POOLS']]],
  [
    'SHOW POOLS; show stats;',
    [
      ['SHOW', 'POOLS'],
      ['show', 'stats'],
    ],
  ],
  ["SHOW TENANTS LIKE 'a;b''c%'", [['SHOW', 'TENANTS', 'LIKE', "a;b'c%"]]],
  ['PAUSE "acme-1"', [['PAUSE', 'acme-1']]],
  ['PAUSE acme-1', [['PAUSE', 'acme-1']]],
  ['PAUSE "a""b"', [['PAUSE', 'a"b']]],
  ["SET x='y'", [['SET', 'x', '=', 'y']]],
  ['SHOW -- a remark; with a semicolon\n POOLS', [['SHOW', 'POOLS']]],
  ['SHOW /* a; \n remark */ POOLS', [['SHOW', 'POOLS']]],
  ['SHOW/**/POOLS', [['SHOW', 'POOLS']]],
  ['a / b * c', [['a', '/', 'b', '*', 'c']]],
  ['TENÄNT 名前', [['TENÄNT', '名前']]],
  ['a$b', [['a', '$', 'b']]],
]

for (const [source, statements] of ROWS) {
  t.test(`reads ${JSON.stringify(source)}`, async (t) => {
    const read = readStatements(source).map((tokens) => tokens.map(({ text }) => text))
    t.strictSame(read, statements)
  })
}

for (const [source, code] of [
  ["SHOW 'x", 'CONSOLE_SYNTAX'],
  ['SHOW "x', 'CONSOLE_SYNTAX'],
  ["SHOW 'x''", 'CONSOLE_SYNTAX'],
  ['SHOW /* x', 'CONSOLE_SYNTAX'],
  ['SHOW TENANT $1', 'CONSOLE_UNSUPPORTED'],
] as const) {
  t.test(`refuses ${source}`, async (t) => t.throws(() => readStatements(source), { code }))
}

t.test('whatever is typed is read or refused', async (t) => {
  const alphabet = fc.constantFrom(...'abZ0 ;\'"/*-$1%_.\n=()ä')
  const sources = fc.string({ unit: alphabet, maxLength: 60 })
  fc.assert(
    fc.property(sources, (source) => {
      try {
        return readStatements(source).every((tokens) => tokens.length > 0)
      } catch (error) {
        return error instanceof ProxyError
      }
    }),
    { numRuns: 2000 },
  )
  t.pass()
})

t.test('a text in quotes is read as it was meant', async (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const [tokens] = readStatements(`PAUSE '${text.replaceAll("'", "''")}';`)
      return tokens?.length === 2 && tokens[1]?.text === text
    }),
  )
  t.pass()
})
