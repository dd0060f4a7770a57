/** Lays rows out in columns; the first row is the heading. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const [heading = [], ...rest] = rows
  const widths = heading.map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  )
  const rule = widths.map((width) => '-'.repeat(width))
  return [heading, rule, ...rest]
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`)
    .map((line) => line.trimEnd())
    .join('\n')
}
