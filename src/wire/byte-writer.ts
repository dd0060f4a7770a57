import { ProtocolViolationError } from './wire-errors.ts'

const NUL = Buffer.of(0)

/** A whole message: type byte, length word, body. */
export function message(code: number, ...body: readonly Buffer[]): Buffer {
  const head = Buffer.allocUnsafe(5)
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0)
  head[0] = code
  head.writeUInt32BE(bodyBytes + 4, 1)
  return Buffer.concat([head, ...body], bodyBytes + 5)
}

/** A packet of the time before the first message: length word, body, no type byte. */
export function untypedPacket(...body: readonly Buffer[]): Buffer {
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([int32(bodyBytes + 4), ...body], bodyBytes + 4)
}

/** Takes signed and unsigned alike. */
export function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value & 0xffff)
  return bytes
}

/** Takes signed and unsigned alike: process ids of poolers use all 32 bits. */
export function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/**
 * A string and its NUL.
 *
 * @throws ProtocolViolationError - when the text holds a NUL: the rest would be read as the next field.
 */
export function cString(text: string): Buffer {
  if (text.includes('\0')) throw new ProtocolViolationError('a text holds a NUL character')
  return Buffer.concat([Buffer.from(text, 'utf8'), NUL])
}
