import { cString, int16, int32, message, untypedPacket } from './byte-writer.ts'
import { FrontendCode } from './message-codes.ts'
import { RequestCode } from './startup-packet.ts'
import { ProtocolViolationError } from './wire-errors.ts'

const PROTOCOL_3_0 = 3 << 16
const END = Buffer.of(0)
/** A list of nothing: types, formats. */
const NONE = Buffer.alloc(2)
/** Marks the name that a Close closes as a prepared statement's. */
const STATEMENT = Buffer.from('S')

// Messages without a variable part are made once. Nobody writes into a message after it is built.
const SSL_REQUEST = untypedPacket(int32(RequestCode.ssl))
const SYNC = message(FrontendCode.sync)
const FLUSH = message(FrontendCode.flush)
const TERMINATE = message(FrontendCode.terminate)

export function sslRequest(): Buffer {
  return SSL_REQUEST
}

/** @param secretKey - As the server sent it, 4 to 256 bytes. */
export function cancelRequest(processId: number, secretKey: Buffer): Buffer {
  return untypedPacket(int32(RequestCode.cancel), int32(processId), secretKey)
}

/**
 * Opens a connection of protocol 3.0.
 *
 * @throws ProtocolViolationError - when a name is empty, which would end the list early.
 */
export function startupMessage(parameters: Iterable<readonly [string, string]>): Buffer {
  const body: Buffer[] = []
  for (const [name, value] of parameters) {
    if (name === '') throw new ProtocolViolationError('a startup parameter has no name')
    body.push(cString(name), cString(value))
  }
  return untypedPacket(int32(PROTOCOL_3_0), ...body, END)
}

/** @param text - The password, or an md5 response. */
export function passwordMessage(text: string): Buffer {
  return message(FrontendCode.password, cString(text))
}

export function saslInitialResponse(mechanism: string, data: Buffer): Buffer {
  return message(FrontendCode.password, cString(mechanism), int32(data.length), data)
}

export function saslResponse(data: Buffer): Buffer {
  return message(FrontendCode.password, data)
}

export function query(sql: string): Buffer {
  return message(FrontendCode.query, cString(sql))
}

/** A batch that runs one statement with values of its own: in no text that others could see. */
export function boundStatement(name: string, sql: string, values: readonly string[]): Buffer {
  const bytes = values.map((value) => Buffer.from(value, 'utf8'))
  const parameters = bytes.flatMap((value) => [int32(value.length), value])
  return Buffer.concat([
    parse(name, Buffer.concat([cString(sql), NONE])),
    message(
      FrontendCode.bind,
      cString(''),
      cString(name),
      ...[NONE, int16(values.length), ...parameters, NONE],
    ),
    message(FrontendCode.execute, cString(''), int32(0)),
    closeStatement(name),
    SYNC,
  ])
}

/** @param tail - Everything after the statement's name and its NUL: the SQL and the types. */
export function parse(name: string, tail: Buffer): Buffer {
  return message(FrontendCode.parse, cString(name), tail)
}

export function closeStatement(name: string): Buffer {
  return message(FrontendCode.close, STATEMENT, cString(name))
}

export function sync(): Buffer {
  return SYNC
}

export function flush(): Buffer {
  return FLUSH
}

export function terminate(): Buffer {
  return TERMINATE
}
