import { readFileSync } from 'node:fs'
import process from 'node:process'
import t from 'tap'
import { fullText } from './metrics-fixture.ts'
import { readMetrics } from './metrics-text.ts'

/** The cells of every table row that begins with a metric, by its name. */
function readRows(): ReadonlyMap<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>()
  for (const line of readFileSync('docs/metrics.md', 'utf8').split('\n')) {
    const [, first = '', ...cells] = line.split('|').map((cell) => cell.trim())
    const [, name] = /^`((?:pgusher|process|nodejs)_\w+)`(?: \*)?$/.exec(first) ?? []
    if (name !== undefined) rows.set(name, [...cells, first])
  }
  return rows
}

const rows = readRows()
const page = readMetrics(await fullText())

/** Label names of a metric's samples, as the page of docs writes them. */
function writtenLabels(metric: string): string {
  const names = new Set<string>()
  for (const sample of page.samples.keys()) {
    const [, owner = '', labels = ''] =
      /^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})?$/.exec(sample) ?? []
    if (owner !== metric) continue
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) names.add(label)
  }
  names.delete('le')
  return names.size === 0 ? '–' : [...names].map((name) => `\`${name}\``).join(', ')
}

for (const [name, type] of page.types) {
  t.test(`docs/metrics.md is right about ${name}`, async (t) => {
    const [writtenType, unit, labels, meaning, ...rest] = rows.get(name) ?? []
    // Behind the last cell stand the end of the line and the name.
    const counterparts = rest.slice(0, -2)
    t.equal(writtenType, type)
    if (!name.startsWith('pgusher_')) return
    t.ok(
      [...page.samples.keys()].some((sample) => sample.startsWith(name)),
      'has a sample',
    )
    t.equal(labels, writtenLabels(name))
    t.equal(meaning, page.help.get(name))
    t.equal(unit === 'seconds', /_seconds(?:_total)?$/.test(name))
    t.equal(unit === 'bytes', /_bytes(?:_total)?$/.test(name))
    t.equal(counterparts.length, 2, 'PgBouncer and OpenTelemetry')
    t.equal(name.endsWith('_total'), type === 'counter', 'only counters are called _total')
  })
}

t.test('docs/metrics.md names no metric that is gone', async (t) => {
  const isLinux = process.platform === 'linux'
  const strangers = [...rows]
    .filter(([name, cells]) => !page.types.has(name) && (isLinux || !cells.at(-1)?.endsWith('*')))
    .map(([name]) => name)
  t.strictSame(strangers, [])
})
