import { ByteReader } from './byte-reader.ts'
import type { ValueFormat } from './result-messages.ts'

/** A Parse message. The types that it names for parameters are left out. */
export interface ParseRequest {
  /** Empty for the unnamed statement. */
  readonly statement: string
  readonly text: string
}

/** A Bind message. The values are left out. */
export interface BindRequest {
  readonly portal: string
  readonly statement: string
  readonly parameterCount: number
  /** None: all are text; one: it holds for all columns; else one a column. */
  readonly resultFormats: readonly ValueFormat[]
}

/** What a Describe or a Close is about. */
export interface NamedObject {
  readonly kind: 'statement' | 'portal'
  readonly name: string
}

/** An Execute message. */
export interface ExecuteRequest {
  readonly portal: string
  /** `0`: all. */
  readonly maxRows: number
}

const KINDS: Readonly<Record<string, NamedObject['kind']>> = { S: 'statement', P: 'portal' }
const OID_BYTES = 4

/**
 * Reads the text of a Query message.
 *
 * @throws ProtocolViolationError - when the body is malformed. So do the functions below.
 */
export function readQuery(body: Buffer): string {
  const reader = new ByteReader(body, 'Query')
  const text = reader.exactText()
  reader.end()
  return text
}

export function readParse(body: Buffer): ParseRequest {
  const reader = new ByteReader(body, 'Parse')
  const request = { statement: reader.exactText(), text: reader.exactText() }
  reader.bytes(OID_BYTES * readCount(reader))
  reader.end()
  return request
}

export function readBind(body: Buffer): BindRequest {
  const reader = new ByteReader(body, 'Bind')
  const portal = reader.exactText()
  const statement = reader.exactText()
  readFormats(reader)
  const parameterCount = readCount(reader)
  for (let left = parameterCount; left > 0; left -= 1) reader.bytes(Math.max(0, reader.int32()))
  const resultFormats = readFormats(reader)
  reader.end()
  return { portal, statement, parameterCount, resultFormats }
}

/** @param subject - Names the message in errors. */
export function readNamedObject(body: Buffer, subject: 'Describe' | 'Close'): NamedObject {
  const reader = new ByteReader(body, subject)
  const kind = KINDS[String.fromCharCode(reader.byte())]
  if (kind === undefined) throw reader.violation('is about neither a statement nor a portal')
  const name = reader.exactText()
  reader.end()
  return { kind, name }
}

export function readExecute(body: Buffer): ExecuteRequest {
  const reader = new ByteReader(body, 'Execute')
  const portal = reader.exactText()
  const maxRows = Math.max(0, reader.int32())
  reader.end()
  return { portal, maxRows }
}

function readFormats(reader: ByteReader): readonly ValueFormat[] {
  return Array.from({ length: readCount(reader) }, () => {
    const code = reader.bytes(2).readUInt16BE()
    if (code > 1) throw reader.violation('names an unknown format')
    return code === 1 ? 'binary' : 'text'
  })
}

function readCount(reader: ByteReader): number {
  return reader.bytes(2).readUInt16BE()
}
