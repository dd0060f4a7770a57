import { cString, int16, int32, message } from './byte-writer.ts'
import { BackendCode } from './message-codes.ts'

/** How a value is written: as text, or as its type's bytes. */
export type ValueFormat = 'text' | 'binary'

/** A column that is no table's. */
export interface ResultColumn {
  readonly name: string
  /** OID of its type. */
  readonly typeOid: number
  /** Bytes of a value; -1 where they vary. */
  readonly typeBytes: number
  readonly format: ValueFormat
}

const NO_TABLE = Buffer.concat([int32(0), int16(0)])
const NO_MODIFIER = int32(-1)
const NULL_VALUE = int32(-1)
const EMPTY_QUERY = message(BackendCode.emptyQueryResponse)
const PORTAL_SUSPENDED = message(BackendCode.portalSuspended)

export function rowDescription(columns: readonly ResultColumn[]): Buffer {
  const parts = columns.flatMap(({ name, typeOid, typeBytes, format }) => [
    cString(name),
    NO_TABLE,
    int32(typeOid),
    int16(typeBytes),
    NO_MODIFIER,
    int16(format === 'binary' ? 1 : 0),
  ])
  return message(BackendCode.rowDescription, int16(columns.length), ...parts)
}

/** @param values - In the formats that were announced; `undefined` for NULL. */
export function dataRow(values: readonly (Buffer | undefined)[]): Buffer {
  const parts = values.flatMap((value) =>
    value === undefined ? [NULL_VALUE] : [int32(value.length), value],
  )
  return message(BackendCode.dataRow, int16(values.length), ...parts)
}

export function emptyQueryResponse(): Buffer {
  return EMPTY_QUERY
}

/** The portal has more rows than were asked for. */
export function portalSuspended(): Buffer {
  return PORTAL_SUSPENDED
}
