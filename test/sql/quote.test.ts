import fc from 'fast-check'
import t from 'tap'
import { quoteIdentifier, quoteLiteral, quoteSettingName } from '../../src/sql/quote.ts'

const LITERALS = [
  { name: 'nothing', text: '', expects: "E''" },
  { name: 'plain text', text: 'acme-1 $x$ "y"', expects: `E'acme-1 $x$ "y"'` },
  { name: 'a quote', text: "o'neil", expects: "E'o''neil'" },
  { name: 'a backslash', text: 'a\\', expects: "E'a\\\\'" },
  { name: 'a backslash before a quote', text: "\\'; drop", expects: "E'\\\\''; drop'" },
  { name: 'control characters', text: '\x01\n\x7f', expects: "E'\\u0001\\u000a\\u007f'" },
  { name: 'a letter before hex digits', text: 'éab', expects: "E'\\u00e9ab'" },
  { name: 'CJK', text: '表', expects: "E'\\u8868'" },
  { name: 'beyond the basic plane', text: '😀1', expects: "E'\\U0001f6001'" },
]
for (const { name, text, expects } of LITERALS) {
  t.test(`a literal of ${name}`, async (t) => t.equal(quoteLiteral(text), expects))
}

t.test('a literal is pure printable ASCII and ends where it should', async () => {
  const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'))
  fc.assert(
    fc.property(text, (value) => /^E'(?:[ -&(-[\]-~]|''|\\\\|\\u)*'$/i.test(quoteLiteral(value))),
  )
})

const IDENTIFIERS = [
  { text: 'tenant_acme', expects: '"tenant_acme"' },
  { text: 'My "own"', expects: '"My ""own"""' },
  { text: '', expects: '""' },
]
for (const { text, expects } of IDENTIFIERS) {
  t.test(`the identifier ${text}`, async (t) => t.equal(quoteIdentifier(text), expects))
}

t.test('a setting name is quoted part by part', async (t) => {
  t.equal(quoteSettingName('app.tenant_id'), '"app"."tenant_id"')
  t.equal(quoteSettingName('work_mem'), '"work_mem"')
})

t.test('what no Postgres text can hold is refused', async (t) => {
  t.throws(() => quoteLiteral('a\0b'), RangeError)
  t.throws(() => quoteIdentifier('a\0b'), RangeError)
  t.throws(() => quoteSettingName('a.\0b'), RangeError)
  t.throws(() => quoteLiteral('\ud83d!'), RangeError)
  t.throws(() => quoteLiteral('!\ude00'), RangeError)
})
