import { readFileSync } from 'node:fs'
import process from 'node:process'
import t from 'tap'
import { AuthenticationFailedError } from '../../src/auth/auth-errors.ts'
import { RecordRefusedError } from '../../src/catalog/catalog-errors.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
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

/** A page on which every metric of ours has a sample, so that its labels can be seen. */
async function fullPage() {
  const { poolObserver, sessionObserver, catalogObserver, ...metrics } = drivable()
  const error = new AuthenticationFailedError('app', 'wrongPassword')
  sessionObserver.refused(error)
  poolObserver.serverOpened('a', 1)
  poolObserver.serverFailed('a', error)
  poolObserver.serverClosed('a', 'idle')
  poolObserver.checkedOut('a', 1)
  poolObserver.checkoutRefused('a', error)
  poolObserver.violated('acme', 'role')
  catalogObserver.lookedUp('redis', 'hit', 1)
  catalogObserver.recordRefused(new RecordRefusedError('tenant acme: no such key'))
  return readMetrics(await metrics.text())
}

function drivable() {
  const metrics = new Metrics()
  const counts = {
    idle: 1,
    leased: 0,
    canceling: 0,
    resetting: 0,
    connecting: 0,
    waiting: 0,
    oldestWaitMs: 0,
    size: 1,
    oldestLeaseMs: 0,
  }
  metrics.watch({
    pools: () => [{ name: 'a', counts: () => counts }],
    budgets: () => [{ server: 'db:5432', used: 1, max: 2, denied: 0 }],
    sessionCount: () => 1,
    clientCount: () => 1,
    isDraining: () => false,
    catalogTenants: () => 1,
  })
  metrics.watchCatalog(() => ({
    isRedisUp: true,
    isSourceUp: true,
    breakers: { redis: 'closed', postgres: 'closed' },
    entries: 1,
    bytes: 1,
  }))
  metrics.drained('complete')
  const { poolObserver, sessionObserver, catalogObserver } = metrics
  return { poolObserver, sessionObserver, catalogObserver, text: () => metrics.text() }
}

const rows = readRows()
const page = await fullPage()

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
    const [writtenType, unit, labels, meaning] = rows.get(name) ?? []
    t.equal(writtenType, type)
    if (!name.startsWith('pgusher_')) return
    t.ok(
      [...page.samples.keys()].some((sample) => sample.startsWith(name)),
      'has a sample',
    )
    t.equal(labels, writtenLabels(name))
    t.equal(meaning, page.help.get(name))
    t.equal(unit === 'seconds', name.endsWith('_seconds'))
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
