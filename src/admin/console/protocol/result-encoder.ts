import { dataRow, rowDescription, type ValueFormat } from '../../../wire/result-messages.ts'
import { ProtocolViolationError } from '../../../wire/wire-errors.ts'
import type { Column, Row } from '../table.ts'
import { encodeValue, TYPES } from './encode-value.ts'

/** Writes rows in the formats that the client asked for. */
export class ResultEncoder {
  readonly #columns: readonly (Column & { readonly format: ValueFormat })[]

  /**
   * @param formats - As in a Bind message.
   * @throws ProtocolViolationError - when they are neither one nor as many as there are columns.
   */
  constructor(columns: readonly Column[], formats: readonly ValueFormat[]) {
    const [first = 'text'] = formats
    if (formats.length > 1 && formats.length !== columns.length) {
      throw new ProtocolViolationError('Bind has another count of result formats than of columns')
    }
    this.#columns = columns.map((column, index) => ({
      ...column,
      format: formats.length > 1 ? (formats[index] ?? first) : first,
    }))
  }

  description(): Buffer {
    return rowDescription(
      this.#columns.map(({ name, type, format }) => ({
        name,
        typeOid: TYPES[type].oid,
        typeBytes: TYPES[type].bytes,
        format,
      })),
    )
  }

  row(row: Row): Buffer {
    return dataRow(
      this.#columns.map(({ name, type, format }) => encodeValue(row[name], type, format)),
    )
  }
}
