import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import t from 'tap'
import * as backend from '../../src/wire/backend-messages.ts'
import * as fields from '../../src/wire/message-fields.ts'
import { bytes, survives } from './bytes.ts'

const READERS = {
  ParameterStatus: fields.readParameterStatus,
  BackendKeyData: fields.readBackendKeyData,
  ErrorResponse: fields.readErrorFields,
  Authentication: fields.readAuthentication,
  SASLInitialResponse: fields.readSaslInitialResponse,
  PasswordMessage: fields.readPassword,
} as const
type Kind = keyof typeof READERS
const KINDS = Object.keys(READERS) as readonly Kind[]

const ROWS: readonly { kind: Kind; name: string; hex: string; expects: unknown }[] = [
  {
    kind: 'ParameterStatus',
    name: 'a pair',
    hex: "'a' 00 'b' 00",
    expects: { name: 'a', value: 'b' },
  },
  {
    kind: 'ParameterStatus',
    name: 'Latin-1',
    hex: "'a' 00 fc 00",
    expects: { name: 'a', value: '\ufffd' },
  },
  {
    kind: 'BackendKeyData',
    name: 'a key of 3.0',
    hex: 'fffffffe 01020304',
    expects: { processId: 0xfffffffe, secretKey: bytes('01020304') },
  },
  {
    kind: 'BackendKeyData',
    name: 'the longest key',
    hex: `00000001 ${'ab'.repeat(256)}`,
    expects: { processId: 1, secretKey: Buffer.alloc(256, 0xab) },
  },
  { kind: 'ErrorResponse', name: 'no field', hex: '00', expects: new Map() },
  {
    kind: 'ErrorResponse',
    name: 'two fields, one not UTF-8',
    hex: "'C42501' 00 'M' ff 00 00",
    expects: new Map([
      ['C', '42501'],
      ['M', '\ufffd'],
    ]),
  },
  { kind: 'Authentication', name: 'ok', hex: '00000000', expects: { kind: 'ok' } },
  {
    kind: 'Authentication',
    name: 'password',
    hex: '00000003',
    expects: { kind: 'cleartextPassword' },
  },
  {
    kind: 'Authentication',
    name: 'md5',
    hex: '00000005 01020304',
    expects: { kind: 'md5Password', salt: bytes('01020304') },
  },
  {
    kind: 'Authentication',
    name: 'SASL',
    hex: "0000000a 'A' 00 'B' 00 00",
    expects: { kind: 'sasl', mechanisms: ['A', 'B'] },
  },
  {
    kind: 'Authentication',
    name: 'SASL, nothing',
    hex: '0000000a 00',
    expects: { kind: 'sasl', mechanisms: [] },
  },
  {
    kind: 'Authentication',
    name: 'SASL continue',
    hex: '0000000b 61',
    expects: { kind: 'saslContinue', data: bytes('61') },
  },
  {
    kind: 'Authentication',
    name: 'SASL final',
    hex: '0000000c',
    expects: { kind: 'saslFinal', data: bytes('') },
  },
  {
    kind: 'Authentication',
    name: 'GSS',
    hex: '00000008 0102',
    expects: { kind: 'unsupported', type: 8 },
  },
  {
    kind: 'SASLInitialResponse',
    name: 'a response',
    hex: "'M' 00 00000002 'n,'",
    expects: { mechanism: 'M', data: bytes("'n,'") },
  },
  {
    kind: 'SASLInitialResponse',
    name: 'no response',
    hex: "'M' 00 ffffffff",
    expects: { mechanism: 'M', data: bytes('') },
  },
  { kind: 'PasswordMessage', name: 'a password', hex: 'c3a4 00', expects: 'ä' },
  { kind: 'PasswordMessage', name: 'an empty one', hex: '00', expects: '' },
]
for (const { kind, name, hex, expects } of ROWS) {
  t.test(`${kind}: reads ${name}`, async (t) => t.strictSame(READERS[kind](bytes(hex)), expects))
  t.test(`${kind}: survives ${name} cut anywhere`, async () => {
    const body = bytes(hex)
    for (let end = 0; end < body.length; end++) {
      survives(() => READERS[kind](body.subarray(0, end)))
    }
  })
}

const REFUSED: readonly { kind: Kind; hex: string }[] = [
  { kind: 'ParameterStatus', hex: "'a' 00 'b'" },
  { kind: 'ParameterStatus', hex: "'a' 00" },
  { kind: 'ParameterStatus', hex: "'a' 00 'b' 00 00" },
  { kind: 'BackendKeyData', hex: '00000001 010203' },
  { kind: 'BackendKeyData', hex: '000001' },
  { kind: 'BackendKeyData', hex: `00000001 ${'ab'.repeat(257)}` },
  { kind: 'ErrorResponse', hex: '' },
  { kind: 'ErrorResponse', hex: "'C42501' 00" },
  { kind: 'ErrorResponse', hex: "'C42501'" },
  { kind: 'ErrorResponse', hex: '00 00' },
  { kind: 'Authentication', hex: '000000' },
  { kind: 'Authentication', hex: '00000000 00' },
  { kind: 'Authentication', hex: '00000003 00' },
  { kind: 'Authentication', hex: '00000005 010203' },
  { kind: 'Authentication', hex: '00000005 0102030405' },
  { kind: 'Authentication', hex: "0000000a 'A' 00" },
  { kind: 'Authentication', hex: "0000000a 'A'" },
  { kind: 'Authentication', hex: '0000000a 00 00' },
  { kind: 'Authentication', hex: '0000000a ff 00 00' },
  { kind: 'SASLInitialResponse', hex: "'M' 00 00000003 'n,'" },
  { kind: 'SASLInitialResponse', hex: "'M' 00 00000001 'n,'" },
  { kind: 'SASLInitialResponse', hex: "'M' 00 fffffffe" },
  { kind: 'SASLInitialResponse', hex: "'M' 00 ffffffff 00" },
  { kind: 'SASLInitialResponse', hex: "'M' 00 7fffffff" },
  { kind: 'SASLInitialResponse', hex: "'M'" },
  { kind: 'PasswordMessage', hex: '' },
  { kind: 'PasswordMessage', hex: '61' },
  { kind: 'PasswordMessage', hex: '61 00 00' },
  { kind: 'PasswordMessage', hex: 'ff 00' },
]
for (const { kind, hex } of REFUSED) {
  t.test(`${kind}: refuses [${hex.slice(0, 40)}]`, async (t) => {
    t.throws(() => READERS[kind](bytes(hex)), { code: 'PROTOCOL_VIOLATION' })
  })
}

/** A message without type byte and length word. */
function body(message: Buffer): Buffer {
  return message.subarray(5)
}

const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))

t.test('reads what the builders write', async (t) => {
  fc.assert(
    fc.property(text, text, fc.uint8Array({ minLength: 4, maxLength: 256 }), (name, value, key) => {
      const secretKey = Buffer.from(key)
      const report = { severity: 'ERROR', code: '42501', message: value, detail: name } as const
      t.strictSame(fields.readParameterStatus(body(backend.parameterStatus(name, value))), {
        name,
        value,
      })
      t.strictSame(fields.readBackendKeyData(body(backend.backendKeyData(7, secretKey))), {
        processId: 7,
        secretKey,
      })
      t.strictSame(
        fields.readErrorFields(body(backend.errorResponse(report))),
        new Map([
          ['S', 'ERROR'],
          ['V', 'ERROR'],
          ['C', '42501'],
          ['M', value],
          ['D', name],
        ]),
      )
    }),
    { numRuns: 50 },
  )
})

t.test('reads what pg-protocol writes', async (t) => {
  fc.assert(
    fc.property(text, (value) => {
      t.equal(fields.readPassword(body(serialize.password(value))), value)
      t.strictSame(
        fields.readSaslInitialResponse(body(serialize.sendSASLInitialResponseMessage('M', value))),
        { mechanism: 'M', data: Buffer.from(value) },
      )
    }),
    { numRuns: 50 },
  )
})

t.test('random bodies cause nothing but a violation', async () => {
  const start = fc.constantFrom('', '00000000', '00000003', '00000005', '0000000a', '4d00ffffffff')
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), start, fc.uint8Array(), (kind, start, rest) =>
      survives(() => READERS[kind](Buffer.concat([bytes(start), rest]))),
    ),
    { numRuns: 1000 },
  )
})

t.test('the SQLSTATE of an ErrorResponse, wherever it stands', async (t) => {
  const rows = [
    { hex: "'SERROR' 00 'C23505' 00 'Mno' 00 00", expects: '23505' },
    { hex: "'MC42601' 00 'C57P01' 00 00", expects: '57P01' },
    { hex: "'C0A000' 00 00", expects: '0A000' },
    { hex: "'Mno code' 00 00", expects: 'XX000' },
    { hex: "'C12' 00 00", expects: 'XX000' },
    { hex: "'C2350 ' 00 00", expects: 'XX000' },
    { hex: "'Mno end'", expects: 'XX000' },
    { hex: '', expects: 'XX000' },
  ]
  for (const { hex, expects } of rows) t.equal(fields.readSqlState(bytes(hex)), expects, hex)
})
