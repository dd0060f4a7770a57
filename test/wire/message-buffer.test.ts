import fc from 'fast-check'
import t from 'tap'
import { message } from '../../src/wire/byte-writer.ts'
import { MessageBuffer } from '../../src/wire/message-buffer.ts'
import { bytes, inChunks, survives } from './bytes.ts'

const LIMIT = 64

function readAll(chunks: readonly Buffer[]): { seen: [number, string][]; rest: string } {
  const buffer = new MessageBuffer(LIMIT)
  const seen: [number, string][] = []
  for (const chunk of chunks) {
    buffer.push(chunk)
    for (let next = buffer.next(); next !== undefined; next = buffer.next()) {
      seen.push([next.code, next.body.toString('hex')])
    }
  }
  return { seen, rest: buffer.rest().toString('hex') }
}

const ROWS = [
  { name: 'nothing', hex: '', expects: { seen: [], rest: '' } },
  { name: 'Sync', hex: '53 00000004', expects: { seen: [[0x53, '']], rest: '' } },
  { name: 'ReadyForQuery', hex: '5a 00000005 49', expects: { seen: [[0x5a, '49']], rest: '' } },
  {
    name: 'two and a half messages',
    hex: '70 00000006 6100 58 00000004 51 000000',
    expects: {
      seen: [
        [0x70, '6100'],
        [0x58, ''],
      ],
      rest: '51000000',
    },
  },
  { name: 'a body cut short', hex: '70 00000006 61', expects: { seen: [], rest: '700000000661' } },
  {
    name: 'the longest message',
    hex: `70 0000003f ${'ab'.repeat(59)}`,
    expects: { seen: [[0x70, 'ab'.repeat(59)]], rest: '' },
  },
]
for (const { name, hex, expects } of ROWS) {
  for (const chunkBytes of [1, 2, 3, 4, 5, 6, 7, 64]) {
    t.test(`${name}, in chunks of ${chunkBytes}`, async (t) => {
      t.strictSame(readAll(inChunks(bytes(hex), chunkBytes)), expects)
    })
  }
}

for (const hex of ['70 00000003', '70 00000000', '70 00000040', '70 7fffffff', '70 ffffffff']) {
  t.test(`refuses the length of ${hex} before any body`, async (t) => {
    t.throws(() => readAll([bytes(hex)]), { code: 'PROTOCOL_VIOLATION' })
    t.throws(() => readAll(inChunks(bytes(hex), 1)), { code: 'PROTOCOL_VIOLATION' })
  })
}

t.test('rest hands over once', async (t) => {
  const buffer = new MessageBuffer(LIMIT)
  buffer.push(bytes('70 0000'))
  buffer.push(Buffer.alloc(0))
  buffer.push(bytes('0006'))
  t.strictSame(buffer.rest(), bytes('70 00000006'))
  t.equal(buffer.rest().length, 0)
  buffer.push(bytes('58 00000004'))
  t.equal(buffer.next()?.code, 0x58)
  t.equal(buffer.next(), undefined)
})

const stream = fc
  .array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 40 })), { maxLength: 12 })
  .map((messages) =>
    Buffer.concat(messages.map(([code, body]) => message(code, Buffer.from(body)))),
  )

t.test('cutting the stream changes nothing', async (t) => {
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 0, max: 30 })), (whole, sizes) => {
      const chunks: Buffer[] = []
      let offset = 0
      for (const size of sizes) {
        chunks.push(whole.subarray(offset, offset + size))
        offset += size
      }
      chunks.push(whole.subarray(offset))
      t.strictSame(readAll(chunks), readAll([whole]))
    }),
  )
})

t.test('random bytes cause nothing but a violation', async () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (chunks) =>
      survives(() => readAll(chunks.map((chunk) => Buffer.from(chunk)))),
    ),
  )
})
