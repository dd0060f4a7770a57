import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import t from 'tap'
import { cancelRequest, sslRequest, startupMessage } from '../../src/wire/frontend-messages.ts'
import {
  firstPacketBytes,
  MAX_STARTUP_BYTES,
  parseFirstPacket,
} from '../../src/wire/startup-packet.ts'
import { bytes, survives } from './bytes.ts'

const HEADS = [
  { name: 'three bytes', hex: '000000', expects: undefined },
  { name: 'the shortest', hex: '00000008', expects: 8 },
  { name: 'the longest', hex: '00002710', expects: MAX_STARTUP_BYTES },
  { name: 'more than the head', hex: '00000009 0003', expects: 9 },
]
for (const { name, hex, expects } of HEADS) {
  t.test(`announces: ${name}`, async (t) => t.equal(firstPacketBytes(bytes(hex)), expects))
}

for (const hex of ['00000007', '00000000', '00002711', 'ffffffff', '80000008']) {
  t.test(`refuses the length ${hex}`, async (t) => {
    t.throws(() => firstPacketBytes(bytes(hex)), { code: 'PROTOCOL_VIOLATION' })
  })
}

const PACKETS = [
  { name: 'SSLRequest', hex: '00000008 04d2162f', expects: { kind: 'sslRequest' } },
  { name: 'GSSENCRequest', hex: '00000008 04d21630', expects: { kind: 'gssEncRequest' } },
  {
    name: 'CancelRequest, 4 bytes of key',
    hex: '00000010 04d2162e ffffffff 01020304',
    expects: { kind: 'cancel', processId: 0xffffffff, secretKey: bytes('01020304') },
  },
  {
    name: 'CancelRequest, 256 bytes of key',
    hex: `0000010c 04d2162e 00000001 ${'ab'.repeat(256)}`,
    expects: { kind: 'cancel', processId: 1, secretKey: Buffer.alloc(256, 0xab) },
  },
  {
    name: 'no parameters',
    hex: '00000009 00030000 00',
    expects: { kind: 'startup', minorVersion: 0, parameters: new Map() },
  },
  {
    name: 'protocol 3.2 with an option and an empty value',
    hex: "00000018 00030002 'user' 00 00 '_pq_.x' 00 '1' 00 00",
    expects: {
      kind: 'startup',
      minorVersion: 2,
      parameters: new Map([
        ['user', ''],
        ['_pq_.x', '1'],
      ]),
    },
  },
  {
    name: 'a name given twice: the last counts',
    hex: "00000011 00030000 'a' 00 '1' 00 'a' 00 '2' 00 00",
    expects: { kind: 'startup', minorVersion: 0, parameters: new Map([['a', '2']]) },
  },
]
for (const { name, hex, expects } of PACKETS) {
  t.test(`reads ${name}`, async (t) => t.strictSame(parseFirstPacket(bytes(hex)), expects))
}

const REFUSED = [
  { name: 'nothing', hex: '' },
  { name: 'SSLRequest with a byte after it', hex: '00000009 04d2162f 00' },
  { name: 'GSSENCRequest with a byte after it', hex: '00000009 04d21630 00' },
  { name: 'a key of 3 bytes', hex: '0000000f 04d2162e 00000001 010203' },
  { name: 'a key of 257 bytes', hex: `0000010d 04d2162e 00000001 ${'ab'.repeat(257)}` },
  { name: 'a cancel without process id', hex: '0000000a 04d2162e 0001' },
  { name: 'another length than announced', hex: '0000000a 00030000 00' },
  { name: 'protocol 2', hex: '00000009 00020000 00' },
  { name: 'protocol 4', hex: '00000009 00040000 00' },
  { name: 'no terminator', hex: '00000008 00030000' },
  { name: 'no terminator after a pair', hex: "0000000c 00030000 'a' 00 '1' 00" },
  { name: 'a name without value', hex: "0000000b 00030000 'a' 00 00" },
  { name: 'a value without end', hex: "0000000b 00030000 'a' 00 '1'" },
  { name: 'bytes after the terminator', hex: '0000000a 00030000 00 00' },
  { name: 'a name that is not UTF-8', hex: '0000000d 00030000 ff 00 31 00 00' },
  { name: 'a value that is not UTF-8', hex: '0000000d 00030000 61 00 ff 00 00' },
]
for (const { name, hex } of REFUSED) {
  t.test(`refuses ${name}`, async (t) => {
    t.throws(() => parseFirstPacket(bytes(hex)), {
      code: 'PROTOCOL_VIOLATION',
      sqlState: '08P01',
      origin: 'client',
    })
  })
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !value.includes('\0'))
const parameters = fc.uniqueArray(
  fc.tuple(
    text.filter((name) => name !== ''),
    text,
  ),
  { selector: ([name]) => name, maxLength: 20 },
)

t.test('reads back what startupMessage wrote', async () => {
  fc.assert(
    fc.property(parameters, (pairs) => {
      const packet = parseFirstPacket(startupMessage(pairs))
      return (
        packet.kind === 'startup' && fc.stringify([...packet.parameters]) === fc.stringify(pairs)
      )
    }),
  )
})

t.test('reads what pg-protocol writes', async (t) => {
  t.strictSame(parseFirstPacket(serialize.startup({ user: 'u', database: 'd' })), {
    kind: 'startup',
    minorVersion: 0,
    parameters: new Map([
      ['user', 'u'],
      ['database', 'd'],
      ['client_encoding', 'UTF8'],
    ]),
  })
  t.strictSame(parseFirstPacket(serialize.requestSsl()), { kind: 'sslRequest' })
  t.strictSame(parseFirstPacket(serialize.cancel(7, 0x01020304)), {
    kind: 'cancel',
    processId: 7,
    secretKey: bytes('01020304'),
  })
})

t.test('writes what pg-protocol writes', async (t) => {
  const pairs = { user: 'u', database: 'dä', client_encoding: 'UTF8' }
  t.strictSame(
    startupMessage(Object.entries(pairs)),
    serialize.startup({ user: 'u', database: 'dä' }),
  )
  t.strictSame(sslRequest(), serialize.requestSsl())
  t.strictSame(cancelRequest(7, bytes('01020304')), serialize.cancel(7, 0x01020304))
})

t.test('writes no parameter that would be read as another', async (t) => {
  for (const pair of [
    ['', 'x'],
    ['a\0user', 'x'],
    ['a', 'x\0user\0root'],
  ] as const) {
    t.throws(() => startupMessage([pair]), { code: 'PROTOCOL_VIOLATION' })
  }
})

t.test('random packets cause nothing but a violation', async () => {
  const code = fc.constantFrom(
    '00030000',
    '00030002',
    '04d2162e',
    '04d2162f',
    '04d21630',
    '00020000',
  )
  fc.assert(
    fc.property(code, fc.uint8Array({ maxLength: 300 }), (code, body) => {
      const packet = Buffer.concat([bytes('00000000'), bytes(code), body])
      packet.writeUInt32BE(packet.length)
      return survives(() => parseFirstPacket(packet))
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array(), (body) => survives(() => parseFirstPacket(Buffer.from(body)))),
  )
})
