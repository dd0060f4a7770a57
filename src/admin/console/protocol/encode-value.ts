import type { ValueFormat } from '../../../wire/result-messages.ts'
import type { ColumnType, Value } from '../table.ts'

/** How a type is announced; of `pg_type`. */
export const TYPES: Readonly<Record<ColumnType, { readonly oid: number; readonly bytes: number }>> =
  {
    text: { oid: 25, bytes: -1 },
    int4: { oid: 23, bytes: 4 },
    int8: { oid: 20, bytes: 8 },
    numeric: { oid: 1700, bytes: -1 },
    bool: { oid: 16, bytes: 1 },
  }

/** What each type goes up to; `int8` goes further than a number is exact. */
const BOUNDS = {
  int4: { min: -(2 ** 31), max: 2 ** 31 - 1 },
  int8: { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER },
  numeric: { min: -Number.MAX_VALUE, max: Number.MAX_VALUE },
} as const

/** What one digit of a binary `numeric` counts up to. */
const NUMERIC_BASE = 10_000
const NUMERIC_NEGATIVE = 0x4000

/** A value on the wire; `undefined` for NULL. */
export function encodeValue(
  value: Value,
  type: ColumnType,
  format: ValueFormat,
): Buffer | undefined {
  if (value === undefined) return undefined
  if (type === 'text') return Buffer.from(String(value), 'utf8')
  if (type === 'bool') {
    if (format === 'binary') return Buffer.of(value === true ? 1 : 0)
    return Buffer.from(value === true ? 't' : 'f')
  }
  const number = wholeNumber(value, BOUNDS[type])
  return format === 'text' ? Buffer.from(BigInt(number).toString()) : BINARY[type](number)
}

const BINARY: Readonly<Record<'int4' | 'int8' | 'numeric', (value: number) => Buffer>> = {
  int4(value) {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeInt32BE(value)
    return bytes
  },
  int8(value) {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigInt64BE(BigInt(value))
    return bytes
  },
  numeric: binaryNumeric,
}

/** A number that is shown must not fail because of its size: it stops at the bounds of its type. */
function wholeNumber(value: Value, { min, max }: { readonly min: number; readonly max: number }) {
  const number = Number(value)
  const whole = Number.isFinite(number) ? Math.trunc(number) : 0
  return Math.min(Math.max(whole, min), max)
}

/** Count of digits, weight of the first one, sign, digits behind the point; then the digits. */
function binaryNumeric(value: number): Buffer {
  const digits: number[] = []
  for (let rest = BigInt(Math.abs(value)); rest > 0n; rest /= BigInt(NUMERIC_BASE)) {
    digits.unshift(Number(rest % BigInt(NUMERIC_BASE)))
  }
  const words = [
    digits.length,
    Math.max(0, digits.length - 1),
    value < 0 ? NUMERIC_NEGATIVE : 0,
    0,
    ...digits,
  ]
  const bytes = Buffer.allocUnsafe(2 * words.length)
  for (const [index, word] of words.entries()) bytes.writeUInt16BE(word, 2 * index)
  return bytes
}
