import { readFileSync } from 'node:fs'

const HISTOGRAM_SERIES = /_(?:bucket|sum|count)$/

/** Whether docs/metrics.md has a row for the metric of a series. */
export function isDocumented(series: string): boolean {
  return rows.has(series) || rows.get(series.replace(HISTOGRAM_SERIES, '')) === 'histogram'
}

const rows = readRows()

/** Type by metric. */
function readRows(): ReadonlyMap<string, string> {
  const page = readFileSync('docs/metrics.md', 'utf8')
  const found = page.matchAll(/^\| `((?:pgusher|process|nodejs)_\w+)`(?: \*)? \| (\w+) \|/gm)
  return new Map([...found].map(([, name = '', type = '']) => [name, type]))
}
