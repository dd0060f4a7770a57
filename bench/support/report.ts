import { cpus, release } from 'node:os'

/** A table, and what has to be known to read it. */
export interface Report {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly notes: readonly string[]
}

/** Tells how far a bench is, apart from its result. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

/**
 * Prints a table, in Markdown either way.
 *
 * @param isForDocs - With a line that says where and when it was measured.
 */
export function printReport({ columns, rows, notes }: Report, isForDocs: boolean): void {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => (row[index] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`
  const rule = columns.map((_, index) => '-'.repeat(widths[index] ?? 3))
  const table = [columns, rule, ...rows].map(line)
  const text = [...(isForDocs ? [circumstances(), ''] : []), ...table, '', ...notes]
  process.stdout.write(`${text.join('\n').trimEnd()}\n`)
}

function circumstances(): string {
  const [first] = cpus()
  const processor = `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`
  const day = new Date().toISOString().slice(0, 10)
  return `Measured on ${day}: ${processor}, Linux ${release()}, Node ${process.versions.node}.`
}
