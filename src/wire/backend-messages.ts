import { cString, int16, int32, message } from './byte-writer.ts'
import { BackendCode } from './message-codes.ts'

/** Says how bad a report is. The last four are notices. */
export type Severity = 'ERROR' | 'FATAL' | 'PANIC' | 'WARNING' | 'NOTICE' | 'DEBUG' | 'INFO' | 'LOG'

/** What an ErrorResponse or a NoticeResponse of the proxy says. */
export interface ErrorFields {
  readonly severity: Severity
  /** SQLSTATE. */
  readonly code: string
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
}

/** Transaction status: idle, in a transaction, in a failed transaction. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** The number that an Authentication message begins with. */
export const AuthenticationType = {
  ok: 0,
  cleartextPassword: 3,
  md5Password: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const

const END = Buffer.of(0)
const TEXT_OID = 25
/** Any length, any modifier. */
const ANY = 0xffff
/** No table, no column of it, type and its length, modifier, text format. */
const TEXT_COLUMN = Buffer.concat([
  int32(0),
  int16(0),
  int32(TEXT_OID),
  int16(ANY),
  int32(-1),
  int16(0),
])
const PROTOCOL_3 = 3 << 16

// Messages without a variable part are made once. Nobody writes into a message after it is built.
const AUTHENTICATION_OK = authentication(AuthenticationType.ok)
const AUTHENTICATION_CLEARTEXT = authentication(AuthenticationType.cleartextPassword)
const PARSE_COMPLETE = message(BackendCode.parseComplete)
const BIND_COMPLETE = message(BackendCode.bindComplete)
const NO_DATA = message(BackendCode.noData)
const NO_PARAMETERS = message(BackendCode.parameterDescription, Buffer.alloc(2))
const CLOSE_COMPLETE = message(BackendCode.closeComplete)
const READY_FOR_QUERY = {
  I: message(BackendCode.readyForQuery, Buffer.from('I')),
  T: message(BackendCode.readyForQuery, Buffer.from('T')),
  E: message(BackendCode.readyForQuery, Buffer.from('E')),
} as const satisfies Record<TransactionStatus, Buffer>

export function authenticationOk(): Buffer {
  return AUTHENTICATION_OK
}

export function authenticationCleartextPassword(): Buffer {
  return AUTHENTICATION_CLEARTEXT
}

/** @param salt - Four random bytes. */
export function authenticationMd5Password(salt: Buffer): Buffer {
  return authentication(AuthenticationType.md5Password, salt)
}

/** @param mechanisms - In order of preference. */
export function authenticationSasl(mechanisms: readonly string[]): Buffer {
  return authentication(AuthenticationType.sasl, ...mechanisms.map(cString), END)
}

export function authenticationSaslContinue(data: Buffer): Buffer {
  return authentication(AuthenticationType.saslContinue, data)
}

export function authenticationSaslFinal(data: Buffer): Buffer {
  return authentication(AuthenticationType.saslFinal, data)
}

export function parameterStatus(name: string, value: string): Buffer {
  return message(BackendCode.parameterStatus, cString(name), cString(value))
}

/** @param secretKey - 4 bytes for protocol 3.0, up to 256 since 3.2. */
export function backendKeyData(processId: number, secretKey: Buffer): Buffer {
  return message(BackendCode.backendKeyData, int32(processId), secretKey)
}

export function readyForQuery(status: TransactionStatus): Buffer {
  return READY_FOR_QUERY[status]
}

export function errorResponse(fields: ErrorFields): Buffer {
  return message(BackendCode.errorResponse, ...reportFields(fields))
}

export function noticeResponse(fields: ErrorFields): Buffer {
  return message(BackendCode.noticeResponse, ...reportFields(fields))
}

/**
 * Tells the client which minor version is spoken, and which of its `_pq_.` options are unknown.
 * Postgres sends the whole version number here, and libpq expects that, whatever the manual says.
 */
export function negotiateProtocolVersion(
  newestMinor: number,
  unknownOptions: readonly string[],
): Buffer {
  return message(
    BackendCode.negotiateProtocolVersion,
    int32(PROTOCOL_3 | newestMinor),
    int32(unknownOptions.length),
    ...unknownOptions.map(cString),
  )
}

export function parseComplete(): Buffer {
  return PARSE_COMPLETE
}

export function closeComplete(): Buffer {
  return CLOSE_COMPLETE
}

export function bindComplete(): Buffer {
  return BIND_COMPLETE
}

export function noData(): Buffer {
  return NO_DATA
}

/** ParameterDescription of a statement without parameters. */
export function noParameters(): Buffer {
  return NO_PARAMETERS
}

/** @param tag - Such as `SET`. */
export function commandComplete(tag: string): Buffer {
  return message(BackendCode.commandComplete, cString(tag))
}

/** RowDescription of one column of type text, which is no table's. */
export function textColumn(name: string): Buffer {
  return message(BackendCode.rowDescription, int16(1), cString(name), TEXT_COLUMN)
}

/** DataRow of one text. */
export function textRow(text: string): Buffer {
  const value = Buffer.from(text, 'utf8')
  return message(BackendCode.dataRow, int16(1), int32(value.length), value)
}

function authentication(type: number, ...body: readonly Buffer[]): Buffer {
  return message(BackendCode.authentication, int32(type), ...body)
}

function reportFields(fields: ErrorFields): readonly Buffer[] {
  return [
    reportField('S', fields.severity),
    reportField('V', fields.severity),
    reportField('C', fields.code),
    reportField('M', fields.message),
    reportField('D', fields.detail),
    reportField('H', fields.hint),
    END,
  ]
}

/** A report must not fail because of what it reports: a NUL in its text is dropped. */
function reportField(letter: string, text: string | undefined): Buffer {
  if (text === undefined) return Buffer.alloc(0)
  return cString(`${letter}${text.replaceAll('\0', '')}`)
}
