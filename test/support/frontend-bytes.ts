import { cString, int32, message } from '../../src/wire/byte-writer.ts'
import { FrontendCode } from '../../src/wire/message-codes.ts'

const NO_COUNTS = Buffer.alloc(2)

/** Parse without parameter types. */
export function parseBytes(name: string, sql: string): Buffer {
  return message(FrontendCode.parse, cString(name), cString(sql), NO_COUNTS)
}

/** Bind without parameters, results as text. */
export function bindBytes(portal: string, statement: string): Buffer {
  const counts = Buffer.concat([NO_COUNTS, NO_COUNTS, NO_COUNTS])
  return message(FrontendCode.bind, cString(portal), cString(statement), counts)
}

export function describeBytes(kind: 'S' | 'P', name: string): Buffer {
  return message(FrontendCode.describe, Buffer.from(kind), cString(name))
}

export function closeBytes(kind: 'S' | 'P', name: string): Buffer {
  return message(FrontendCode.close, Buffer.from(kind), cString(name))
}

export function executeBytes(portal: string, maxRows = 0): Buffer {
  return message(FrontendCode.execute, cString(portal), int32(maxRows))
}

export function copyDataBytes(text: string): Buffer {
  return message(FrontendCode.copyData, Buffer.from(text))
}

export function copyDoneBytes(): Buffer {
  return message(FrontendCode.copyDone)
}

export function copyFailBytes(): Buffer {
  return message(FrontendCode.copyFail, cString('no more'))
}

/** A call without arguments, by the function's OID. */
export function functionCallBytes(oid: number): Buffer {
  return message(FrontendCode.functionCall, int32(oid), NO_COUNTS, NO_COUNTS, NO_COUNTS)
}
