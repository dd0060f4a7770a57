import { ProtocolViolationError } from '../../src/wire/wire-errors.ts'

/** Bytes from spaced hexadecimal; text between single quotes stands for itself. */
export function bytes(spelled: string): Buffer {
  const parts = spelled.match(/'[^']*'|[0-9a-f]+/gi) ?? []
  return Buffer.concat(
    parts.map((part) =>
      part.startsWith("'") ? Buffer.from(part.slice(1, -1)) : Buffer.from(part, 'hex'),
    ),
  )
}

/** Runs `read`, and lets through what hostile bytes may cause; any other error is a bug. */
export function survives(read: () => unknown): boolean {
  try {
    read()
  } catch (error) {
    if (!(error instanceof ProtocolViolationError)) throw error
  }
  return true
}

/** The same bytes in pieces of `chunkBytes`. */
export function inChunks(whole: Buffer, chunkBytes: number): readonly Buffer[] {
  const chunks: Buffer[] = []
  for (let offset = 0; offset < whole.length; offset += chunkBytes) {
    chunks.push(whole.subarray(offset, offset + chunkBytes))
  }
  return chunks
}
