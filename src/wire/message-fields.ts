import { AuthenticationType } from './backend-messages.ts'
import { ByteReader } from './byte-reader.ts'
import { readSecretKey } from './startup-packet.ts'

/** What a server asks for, or answers, while a connection logs in. Byte fields are views. */
export type Authentication =
  | { readonly kind: 'ok' }
  | { readonly kind: 'cleartextPassword' }
  | { readonly kind: 'md5Password'; readonly salt: Buffer }
  | { readonly kind: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'saslContinue'; readonly data: Buffer }
  | { readonly kind: 'saslFinal'; readonly data: Buffer }
  | { readonly kind: 'unsupported'; readonly type: number }

/** Letter `C`. */
const SQL_STATE_FIELD = 67

/**
 * Reads a ParameterStatus body. A value comes in the session's client encoding: what is not UTF-8
 * in it reads as U+FFFD.
 *
 * @throws ProtocolViolationError - when the body is malformed.
 */
export function readParameterStatus(body: Buffer): {
  readonly name: string
  readonly value: string
} {
  const reader = new ByteReader(body, 'ParameterStatus')
  const status = { name: reader.shownText(), value: reader.shownText() }
  reader.end()
  return status
}

/**
 * Reads a BackendKeyData body; `secretKey` is a view of 4 to 256 bytes.
 *
 * @throws ProtocolViolationError - when the body is malformed.
 */
export function readBackendKeyData(body: Buffer): {
  readonly processId: number
  readonly secretKey: Buffer
} {
  const reader = new ByteReader(body, 'BackendKeyData')
  return { processId: reader.uint32(), secretKey: readSecretKey(reader) }
}

/** The SQLSTATE in an ErrorResponse body; `XX000` where there is none that makes sense. */
export function readSqlState(body: Buffer): string {
  let at = 0
  while (at < body.length && body[at] !== SQL_STATE_FIELD) {
    const end = body.indexOf(0, at)
    if (end === -1) break
    at = end + 1
  }
  const code = body.toString('latin1', at + 1, at + 6)
  return /^[0-9A-Z]{5}$/.test(code) ? code : 'XX000'
}

/**
 * Reads an ErrorResponse or NoticeResponse body, keyed by field letter (`C` is the SQLSTATE).
 *
 * @throws ProtocolViolationError - when the body is malformed.
 * @see https://www.postgresql.org/docs/current/protocol-error-fields.html
 */
export function readErrorFields(body: Buffer): ReadonlyMap<string, string> {
  const reader = new ByteReader(body, 'ErrorResponse')
  const fields = new Map<string, string>()
  for (let letter = reader.byte(); letter !== 0; letter = reader.byte()) {
    fields.set(String.fromCharCode(letter), reader.shownText())
  }
  reader.end()
  return fields
}

/**
 * Reads an Authentication body.
 *
 * @throws ProtocolViolationError - when the body is malformed.
 */
export function readAuthentication(body: Buffer): Authentication {
  const reader = new ByteReader(body, 'Authentication')
  const authentication = readByType(reader.uint32(), reader)
  reader.end()
  return authentication
}

/**
 * Reads a SASLInitialResponse body. A response that is absent reads as empty; `data` is a view.
 *
 * @throws ProtocolViolationError - when the body is malformed.
 */
export function readSaslInitialResponse(body: Buffer): {
  readonly mechanism: string
  readonly data: Buffer
} {
  const reader = new ByteReader(body, 'SASLInitialResponse')
  const mechanism = reader.exactText()
  const dataBytes = reader.int32()
  if (dataBytes < -1) throw reader.violation('has a response of negative length')
  const data = reader.bytes(Math.max(dataBytes, 0))
  reader.end()
  return { mechanism, data }
}

/**
 * Reads a PasswordMessage body.
 *
 * @throws ProtocolViolationError - when the body is malformed, or is not UTF-8: were it read
 *   loosely, two passwords could become one.
 */
export function readPassword(body: Buffer): string {
  const reader = new ByteReader(body, 'PasswordMessage')
  const password = reader.exactText()
  reader.end()
  return password
}

function readByType(type: number, reader: ByteReader): Authentication {
  switch (type) {
    case AuthenticationType.ok:
      return { kind: 'ok' }
    case AuthenticationType.cleartextPassword:
      return { kind: 'cleartextPassword' }
    case AuthenticationType.md5Password:
      return { kind: 'md5Password', salt: reader.bytes(4) }
    case AuthenticationType.sasl:
      return { kind: 'sasl', mechanisms: readMechanisms(reader) }
    case AuthenticationType.saslContinue:
      return { kind: 'saslContinue', data: reader.rest() }
    case AuthenticationType.saslFinal:
      return { kind: 'saslFinal', data: reader.rest() }
    default:
      reader.rest()
      return { kind: 'unsupported', type }
  }
}

function readMechanisms(reader: ByteReader): readonly string[] {
  const mechanisms: string[] = []
  for (let name = reader.exactText(); name !== ''; name = reader.exactText()) mechanisms.push(name)
  return mechanisms
}
