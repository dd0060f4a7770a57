import fc from 'fast-check'
import t from 'tap'
import { mayEndTransaction } from '../../src/sql/transaction-end.ts'

function query(text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const head = Buffer.from([0x51, 0, 0, 0, 0])
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

function parse(text: string): Buffer {
  const body = Buffer.from(`\0${text}\0\0\0`)
  const head = Buffer.from([0x50, 0, 0, 0, 0])
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const FRAMES = { query, parse }

const ROWS = [
  { text: 'commit', ends: true },
  { text: 'ROLLBACK', ends: true },
  { text: 'Abort', ends: true },
  { text: ' eNd;', ends: true },
  { text: "prepare transaction 'x'", ends: true },
  { text: 'select 1;commit', ends: true },
  { text: '/**/commit', ends: true },
  { text: 'select 1;\n\tEND', ends: true },
  { text: 'rollback to savepoint a', ends: true },
  { text: "select 'the end'", ends: true },
  { text: '', ends: false },
  { text: 'select 1', ends: false },
  { text: 'select append, vendor_end, precommit from calendar', ends: false },
  { text: 'select * from company where about = $1 and role <> 2 and en = 1', ends: false },
  { text: 'begin', ends: false },
  { text: 'en', ends: false },
  { text: 'select comm', ends: false },
  { text: 'savepoint écommit', ends: false },
]
for (const { text, ends } of ROWS) {
  for (const [kind, frame] of Object.entries(FRAMES)) {
    t.test(`${kind} of ${JSON.stringify(text)}`, async (t) => {
      t.equal(mayEndTransaction(frame(text)), ends)
    })
  }
}

t.test('a length byte that looks like a letter does not hide the word', async (t) => {
  const text = `commit ${' '.repeat(0x61 - 4 - 1 - 7)}`
  const bytes = query(text)
  t.equal(bytes[4], 'a'.charCodeAt(0))
  t.equal(mayEndTransaction(bytes), true)
  t.equal(mayEndTransaction(Buffer.concat([query('select 1'), bytes])), true)
})

t.test('bytes without the head of their frame', async (t) => {
  t.equal(mayEndTransaction(Buffer.from('commit')), true)
  t.equal(mayEndTransaction(query('commit').subarray(1)), true)
  t.equal(mayEndTransaction(Buffer.from('comm')), false)
  t.equal(mayEndTransaction(Buffer.alloc(0)), false)
})

t.test('a word that begins a statement is never missed', async () => {
  const noise = fc.string({ unit: fc.constantFrom(...'abcdelmnoprt ;\'"-/*é\n1_') })
  const word = fc.constantFrom('rollback', 'abort', 'commit', 'end', 'prepare')
  const cased = fc
    .tuple(word, fc.infiniteStream(fc.boolean()))
    .map(([text, upper]) =>
      [...text].map((char) => (upper.next().value === true ? char.toUpperCase() : char)).join(''),
    )
  const before = fc.constantFrom('', ';', ' ', '\n', '\t', '*/', '(')
  const statement = fc.tuple(noise, before, cased, noise)
  fc.assert(
    fc.property(statement, fc.constantFrom(query, parse), ([head, gap, text, tail], frame) => {
      const sql = `${gap === '' ? '' : head}${gap}${text}${tail}`
      return mayEndTransaction(Buffer.concat([query(head.replace(/[a-z]/g, '.')), frame(sql)]))
    }),
    { numRuns: 2000 },
  )
})

t.test('agrees with a regular expression over the text', async () => {
  const text = fc.string({
    unit: fc.constantFrom('e', 'n', 'd', 'E', 'c', 'om', 'mit', ' ', 'rol', 'lback', 'x'),
    maxLength: 40,
  })
  fc.assert(
    fc.property(text, (sql) => {
      const expected = /(?<![a-z])(?:rollback|abort|commit|end|prepare)/i.test(sql)
      return mayEndTransaction(parse(sql)) === expected
    }),
    { numRuns: 2000 },
  )
})
