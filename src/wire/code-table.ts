/**
 * A table by message type: an array, for it is asked once a message, and an object with numbers
 * for keys is slow to ask.
 */
export function codeTable<T>(entries: Readonly<Record<number, T>>): readonly (T | undefined)[] {
  const table = new Array<T | undefined>(256).fill(undefined)
  for (const [code, value] of Object.entries(entries)) table[Number(code)] = value
  return table
}
