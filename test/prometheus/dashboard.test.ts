import { readFileSync } from 'node:fs'
import t from 'tap'
import { DASHBOARD_FILE, dashboardText } from '../../monitoring/dashboard/dashboard-file.ts'
import { expandQuery } from '../../monitoring/dashboard/expand-query.ts'
import { readDashboard } from '../../monitoring/dashboard/read-dashboard.ts'
import { isDocumented } from './documented-metrics.ts'
import { metricsOf } from './promql.ts'

const COLUMNS = 24

const { rows, variableQueries } = readDashboard()
const panels = rows.flatMap(({ panels }) => panels)

t.test('the file is what the code makes', async (t) => {
  const isFresh = readFileSync(DASHBOARD_FILE, 'utf8') === dashboardText()
  t.ok(isFresh, 'else: npm run dashboard')
})

for (const { title, panels } of rows) {
  t.test(`row ${title}`, async (t) => {
    t.ok(panels.length > 0)
    for (const panel of panels) {
      t.match(panel.description, /\S.*\.$/s, `${panel.title}: has a description`)
      t.match(panel.unit, /^\w+$/, `${panel.title}: has a unit`)
      t.ok(panel.queries.length > 0, `${panel.title}: has a query`)
      for (const { expr } of panel.queries) {
        const metrics = metricsOf(expandQuery(expr, { rateInterval: '1m', range: '1h' }))
        t.ok(metrics.length > 0, `${panel.title}: asks for a metric`)
        t.strictSame(
          metrics.filter((name) => !isDocumented(name)),
          [],
          `${panel.title}: every metric is in docs/metrics.md`,
        )
        t.match(expr, 'instance=~"$instance"', `${panel.title}: follows the choice of proxies`)
      }
    }
  })
}

t.test('variables are read from metrics that exist', async (t) => {
  t.equal(variableQueries.length, 3)
  for (const query of variableQueries) {
    const [, selector = ''] = /^label_values\((.+), \w+\)$/.exec(query) ?? []
    const [metric = ''] = metricsOf(expandQuery(selector, { rateInterval: '1m', range: '1h' }))
    t.ok(isDocumented(metric), query)
  }
})

t.test('panels have their own names within a row, and places', async (t) => {
  for (const { title, panels } of rows) {
    const titles = panels.map(({ title }) => title)
    t.strictSame(titles, [...new Set(titles)], title)
  }
  for (const { title, place } of panels) t.ok(place.x + place.w <= COLUMNS, title)
  const taken = panels.flatMap(({ place }) => cells(place))
  t.equal(new Set(taken).size, taken.length, 'none lies upon another')
})

t.test('a query that is none is found', async (t) => {
  t.throws(() => metricsOf('sum(rate(up[1m])'), /no PromQL/)
  t.strictSame(metricsOf('sum by (a) (rate(x_total{b="c"}[1m])) / max(y)'), ['x_total', 'y'])
})

function cells({ x, y, w, h }: { x: number; y: number; w: number; h: number }): readonly string[] {
  return Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`)
}
