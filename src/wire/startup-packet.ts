import { ByteReader } from './byte-reader.ts'
import { ProtocolViolationError } from './wire-errors.ts'

/** Longest first packet, length word included. Postgres' MAX_STARTUP_PACKET_LENGTH. */
export const MAX_STARTUP_BYTES = 10_000

/** Names the protocol inside TLS (ALPN), so that no server of another one can be meant. */
export const ALPN_PROTOCOL = 'postgresql'

/** Bounds of a cancel key's secret part: 4 in protocol 3.0, up to 256 since 3.2. */
const MIN_SECRET_KEY_BYTES = 4
const MAX_SECRET_KEY_BYTES = 256

/** Stand where a startup packet has its protocol version. */
export const RequestCode = {
  cancel: 80_877_102,
  ssl: 80_877_103,
  gssEnc: 80_877_104,
} as const

/** What a connection may begin with. */
export type FirstPacket =
  | { readonly kind: 'sslRequest' }
  | { readonly kind: 'gssEncRequest' }
  | { readonly kind: 'cancel'; readonly processId: number; readonly secretKey: Buffer }
  | {
      readonly kind: 'startup'
      /** 0 for protocol 3.0, 2 for 3.2; may be one that nobody has defined yet. */
      readonly minorVersion: number
      /** As sent, `_pq_.` options included; of a repeated name, the last value. */
      readonly parameters: ReadonlyMap<string, string>
    }

const SUBJECT = 'startup packet'

/**
 * How long the first packet is, length word included; `undefined` until four bytes are there.
 *
 * @throws ProtocolViolationError - when that is below 8 or above {@link MAX_STARTUP_BYTES}.
 */
export function firstPacketBytes(head: Buffer): number | undefined {
  if (head.length < 4) return undefined
  const packetBytes = head.readUInt32BE()
  if (packetBytes < 8 || packetBytes > MAX_STARTUP_BYTES) {
    throw new ProtocolViolationError('invalid length of startup packet')
  }
  return packetBytes
}

/**
 * Reads a whole first packet, length word included. Byte fields are views.
 *
 * @throws ProtocolViolationError - when it is malformed, or of another major version than 3.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function parseFirstPacket(packet: Buffer): FirstPacket {
  const reader = new ByteReader(packet, SUBJECT)
  if (firstPacketBytes(packet) !== packet.length) {
    throw reader.violation('does not have the length that it announces')
  }
  reader.uint32()
  const code = reader.uint32()
  switch (code) {
    case RequestCode.ssl:
      reader.end()
      return { kind: 'sslRequest' }
    case RequestCode.gssEnc:
      reader.end()
      return { kind: 'gssEncRequest' }
    case RequestCode.cancel:
      return { kind: 'cancel', processId: reader.uint32(), secretKey: readSecretKey(reader) }
    default:
      return readStartup(code, reader)
  }
}

/** The secret part of a cancel key: all that is left of the message. */
export function readSecretKey(reader: ByteReader): Buffer {
  const secretKey = reader.rest()
  if (secretKey.length < MIN_SECRET_KEY_BYTES || secretKey.length > MAX_SECRET_KEY_BYTES) {
    throw reader.violation('has a cancel key of invalid length')
  }
  return secretKey
}

function readStartup(version: number, reader: ByteReader): FirstPacket {
  const major = version >>> 16
  const minorVersion = version & 0xffff
  if (major !== 3) {
    throw new ProtocolViolationError(`unsupported frontend protocol ${major}.${minorVersion}`)
  }
  const parameters = new Map<string, string>()
  for (;;) {
    const name = reader.exactText()
    if (name === '') break
    parameters.set(name, reader.exactText())
  }
  reader.end()
  return { kind: 'startup', minorVersion, parameters }
}
