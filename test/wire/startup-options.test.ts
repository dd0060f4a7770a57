import fc from 'fast-check'
import t from 'tap'
import { parseStartupOptions } from '../../src/wire/startup-options.ts'
import { UnsupportedOptionError } from '../../src/wire/wire-errors.ts'

const ROWS = [
  { name: 'nothing', text: '', expects: [] },
  { name: 'white space alone', text: ' \t\n\v\f\r', expects: [] },
  { name: '-c and a space', text: '-c a=b', expects: [['a', 'b']] },
  { name: '-c without space', text: '-ca=b', expects: [['a', 'b']] },
  { name: 'two dashes', text: '--a=b', expects: [['a', 'b']] },
  { name: 'dashes in a name', text: '--search-path=x-y', expects: [['search_path', 'x-y']] },
  { name: 'a dotted name', text: '-c pgusher.tenant=acme', expects: [['pgusher.tenant', 'acme']] },
  { name: 'an empty value', text: '-c a=', expects: [['a', '']] },
  { name: 'a second equals sign', text: '-c a=b=c', expects: [['a', 'b=c']] },
  { name: 'an escaped space', text: '-c a=b\\ c', expects: [['a', 'b c']] },
  {
    name: 'an escaped backslash',
    text: '-c a=b\\\\ --d=e',
    expects: [
      ['a', 'b\\'],
      ['d', 'e'],
    ],
  },
  { name: 'an escaped letter', text: '-c a=\\n', expects: [['a', 'n']] },
  { name: 'a backslash at the end', text: '-c a=b\\', expects: [['a', 'b']] },
  { name: 'quotes, which mean nothing', text: `-c a='b"`, expects: [['a', `'b"`]] },
  { name: '-c within a value', text: '-c a=b\\ -c\\ d=e', expects: [['a', 'b -c d=e']] },
  {
    name: 'several, with a name twice',
    text: ' -c a=1  --a=2\t-cb=3 ',
    expects: [
      ['a', '1'],
      ['a', '2'],
      ['b', '3'],
    ],
  },
  {
    name: 'a no-break space, which cuts nothing',
    text: '-c a=b\u00a0c',
    expects: [['a', 'b\u00a0c']],
  },
  { name: 'a letter outside the BMP', text: '-c a=\\😀', expects: [['a', '😀']] },
] as const
for (const { name, text, expects } of ROWS) {
  t.test(`reads ${name}`, async (t) => {
    const options = parseStartupOptions(text)
    t.strictSame(
      options.map(({ name, value }) => [name, value]),
      expects,
    )
  })
}

for (const text of [
  '-d 5',
  'a=b',
  '-c',
  '-c a',
  '-c =b',
  '--a',
  '--',
  '--=b',
  '-c a=b x',
  '\\',
  '-',
  '-c "a',
  'c a=b',
]) {
  t.test(`refuses ${text}`, async (t) => {
    t.throws(() => parseStartupOptions(text), {
      code: 'UNSUPPORTED_OPTION',
      sqlState: '22023',
      origin: 'client',
      hint: /--name=value/,
    })
  })
}

t.test('an error names the argument but no value', async (t) => {
  const error = new UnsupportedOptionError('-password=secret')
  t.match(error.clientMessage, '-password')
  t.notMatch(error.clientMessage, 'secret')
  t.notMatch(error.message, 'secret')
})

const letters = fc.string({ unit: fc.constantFrom('a', 'Z', '_', '.', '9'), minLength: 1 })

t.test('what is escaped comes back', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(letters, fc.string({ unit: 'binary' }))), (settings) => {
      const text = settings.map(([name, value]) => `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`)
      const options = parseStartupOptions(text.join(' '))
      return (
        fc.stringify(options.map(({ name, value }) => [name, value])) === fc.stringify(settings)
      )
    }),
  )
})

t.test('random text causes nothing but an unsupported option', async () => {
  const unit = fc.constantFrom('-', 'c', '=', ' ', '\\', 'a', '\t')
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      try {
        parseStartupOptions(text)
      } catch (error) {
        return error instanceof UnsupportedOptionError
      }
      return true
    }),
  )
})
