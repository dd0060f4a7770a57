import fc from 'fast-check'
import t from 'tap'
import { encodeValue } from '../../../src/admin/console/protocol/encode-value.ts'
import { bytes } from '../../wire/bytes.ts'

t.test('texts', async (t) => {
  const text = (
    ...[value, type]: [Parameters<typeof encodeValue>[0], Parameters<typeof encodeValue>[1]]
  ) => encodeValue(value, type, 'text')?.toString()
  t.equal(text('ä', 'text'), 'ä')
  t.equal(text(5, 'text'), '5')
  t.equal(text(true, 'bool'), 't')
  t.equal(text(false, 'bool'), 'f')
  t.equal(text(12.9, 'int4'), '12')
  t.equal(text(2 ** 40, 'int8'), '1099511627776')
  t.equal(text(2 ** 40, 'int4'), '2147483647', 'stops at its bound')
  t.equal(text(-(2 ** 40), 'int4'), '-2147483648')
  t.equal(text(Number.NaN, 'numeric'), '0')
  t.equal(text(1e21, 'numeric')?.length, 22, 'no exponent')
  t.equal(text(undefined, 'int4'), undefined)
})

t.test('binary', async (t) => {
  t.strictSame(encodeValue(true, 'bool', 'binary'), bytes('01'))
  t.strictSame(encodeValue(-2, 'int4', 'binary'), bytes('fffffffe'))
  t.strictSame(encodeValue(2 ** 32, 'int8', 'binary'), bytes('00000001 00000000'))
  t.strictSame(encodeValue(0, 'numeric', 'binary'), bytes('0000 0000 0000 0000'))
  t.strictSame(
    encodeValue(123_456_789, 'numeric', 'binary'),
    bytes('0003 0002 0000 0000 0001 0929 1a85'),
  )
  t.strictSame(encodeValue(-10_000, 'numeric', 'binary'), bytes('0002 0001 4000 0000 0001 0000'))
})

t.test('a binary numeric is the number', async (t) => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const encoded = encodeValue(value, 'numeric', 'binary') ?? Buffer.alloc(8)
      let total = 0n
      for (let at = 8; at < encoded.length; at += 2) {
        total = total * 10_000n + BigInt(encoded.readUInt16BE(at))
      }
      const sign = encoded.readUInt16BE(4) === 0x4000 ? -1n : 1n
      return sign * total === BigInt(value) && encoded.readUInt16BE(0) === (encoded.length - 8) / 2
    }),
  )
  t.pass()
})
