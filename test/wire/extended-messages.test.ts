import fc from 'fast-check'
import t from 'tap'
import * as extended from '../../src/wire/extended-messages.ts'
import { dataRow, rowDescription } from '../../src/wire/result-messages.ts'
import { bytes, survives } from './bytes.ts'

const READERS = {
  Query: extended.readQuery,
  Parse: extended.readParse,
  Bind: extended.readBind,
  Describe: (body: Buffer) => extended.readNamedObject(body, 'Describe'),
  Execute: extended.readExecute,
} as const
type Kind = keyof typeof READERS

const ROWS: readonly { kind: Kind; name: string; hex: string; expects: unknown }[] = [
  { kind: 'Query', name: 'a text', hex: "'SHOW' 00", expects: 'SHOW' },
  {
    kind: 'Parse',
    name: 'unnamed',
    hex: "00 'SHOW' 00 0000",
    expects: { statement: '', text: 'SHOW' },
  },
  {
    kind: 'Parse',
    name: 'with types',
    hex: "'s' 00 'SHOW' 00 0002 00000017 00000019",
    expects: { statement: 's', text: 'SHOW' },
  },
  {
    kind: 'Bind',
    name: 'nothing',
    hex: "'p' 00 's' 00 0000 0000 0000",
    expects: { portal: 'p', statement: 's', parameterCount: 0, resultFormats: [] },
  },
  {
    kind: 'Bind',
    name: 'values, one of them NULL, and formats',
    hex: "00 00 0001 0001 0002 00000002 'ab' ffffffff 0002 0000 0001",
    expects: { portal: '', statement: '', parameterCount: 2, resultFormats: ['text', 'binary'] },
  },
  {
    kind: 'Describe',
    name: 'a statement',
    hex: "'S' 's' 00",
    expects: { kind: 'statement', name: 's' },
  },
  { kind: 'Describe', name: 'a portal', hex: "'P' 00", expects: { kind: 'portal', name: '' } },
  { kind: 'Execute', name: 'all', hex: '00 00000000', expects: { portal: '', maxRows: 0 } },
  { kind: 'Execute', name: 'some', hex: "'p' 00 00000005", expects: { portal: 'p', maxRows: 5 } },
  {
    kind: 'Execute',
    name: 'a negative count means all',
    hex: '00 ffffffff',
    expects: { portal: '', maxRows: 0 },
  },
]

for (const { kind, name, hex, expects } of ROWS) {
  t.test(`${kind}: ${name}`, async (t) => {
    const body = bytes(hex)
    t.strictSame(READERS[kind](body), expects)
    t.throws(() => READERS[kind](body.subarray(0, -1)), { code: 'PROTOCOL_VIOLATION' })
    t.throws(() => READERS[kind](Buffer.concat([body, Buffer.of(0)])), {
      code: 'PROTOCOL_VIOLATION',
    })
  })
}

for (const [kind, hex] of [
  ['Describe', "'X' 00"],
  ['Bind', '00 00 0000 0000 0001 0007'],
  ['Query', 'ff 00'],
] as const) {
  t.test(`${kind} that makes no sense: ${hex}`, async (t) => {
    t.throws(() => READERS[kind](bytes(hex)), { code: 'PROTOCOL_VIOLATION' })
  })
}

t.test('no bytes do more than be refused', async () => {
  for (const read of Object.values(READERS)) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (some) =>
        survives(() => read(Buffer.from(some))),
      ),
    )
  }
})

t.test('results of several columns', async (t) => {
  const column = { name: 'n', typeOid: 23, typeBytes: 4, format: 'binary' } as const
  t.strictSame(
    rowDescription([column, { name: 't', typeOid: 25, typeBytes: -1, format: 'text' }]),
    bytes(
      "'T' 0000002e 0002 'n' 00 00000000 0000 00000017 0004 ffffffff 0001 't' 00 00000000 0000 00000019 ffff ffffffff 0000",
    ),
  )
  t.strictSame(
    dataRow([Buffer.from('ab'), undefined, Buffer.alloc(0)]),
    bytes("'D' 00000014 0003 00000002 'ab' ffffffff 00000000"),
  )
})
