import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { at, CHART, type KubernetesObject, renderChart, theObject } from '../support/helm.ts'

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

interface RuleGroup {
  readonly name: string
  readonly rules: readonly Rule[]
}

/** One file as Prometheus reads it, with what must pass through the chart unchanged. */
const RULES = `groups:
  - name: sample
    interval: 30s
    rules:
      - record: pgusher:up:sum
        expr: sum by (namespace) (up{job="pgusher"})
      - alert: SampleDown
        expr: up{job="pgusher"} == 0
        for: 5m
        labels: { severity: critical, team: proxies }
        annotations:
          summary: '{{ $labels.pod }} is down for {{ $value | humanizeDuration }}'
          runbook_url: docs/runbooks/SampleDown.md
      - alert: SampleBusy
        expr: rate(process_cpu_seconds_total[5m]) > 0.9
  - name: alone
    rules:
      - { alert: SampleAlone, expr: vector(1) }
`

/** A copy of the chart with a rule file and a dashboard of its own, and no others. */
function sampleChart(t: Test): string {
  const chart = mkdtempSync(join(tmpdir(), 'pgusher-chart-'))
  t.teardown(() => rmSync(chart, { recursive: true }))
  cpSync(CHART, chart, { recursive: true })
  for (const [folder, file, text] of [
    ['files/rules', 'sample.yaml', RULES],
    ['files/dashboards', 'sample.json', DASHBOARD],
  ] as const) {
    rmSync(join(chart, folder), { recursive: true, force: true })
    mkdirSync(join(chart, folder))
    writeFileSync(join(chart, folder, file), text)
  }
  return chart
}

const DASHBOARD = '{ "title": "{{ not a template }}", "panels": [] }\n'

const enabled = ['prometheusRule', 'dashboard'].map((name) => `--set=${name}.enabled=true`)

function groupsOf(objects: readonly KubernetesObject[]): readonly RuleGroup[] {
  return at(theObject(objects, 'PrometheusRule'), 'spec.groups') as readonly RuleGroup[]
}

function rulesOf(objects: readonly KubernetesObject[]): readonly Rule[] {
  return groupsOf(objects).flatMap(({ rules }) => rules)
}

/** What promtool says against rules. */
function ruleFaults(t: Test, groups: readonly RuleGroup[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-rules-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'rules.yaml')
  writeFileSync(file, stringify({ groups }))
  const checked = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
  if (checked.error !== undefined) throw checked.error
  return checked.status === 0 ? '' : checked.stdout + checked.stderr
}

t.test('the rules of the files come through unchanged', async (t) => {
  const objects = renderChart(sampleChart(t), ...enabled)
  t.strictSame(groupsOf(objects), parse(RULES).groups)
  t.equal(ruleFaults(t, groupsOf(objects)), '')
})

t.test('alerts can be left out, and a group without rules goes as well', async (t) => {
  const disabled = '--set=prometheusRule.disabledAlerts={SampleDown,SampleAlone}'
  const objects = renderChart(sampleChart(t), ...enabled, disabled)
  t.strictSame(
    rulesOf(objects).map(({ alert, record }) => alert ?? record),
    ['pgusher:up:sum', 'SampleBusy'],
  )
  t.equal(groupsOf(objects).length, 1)
})

t.test('alerts get the labels of the values, recording rules do not', async (t) => {
  const label = '--set=prometheusRule.alertLabels.team=data'
  const rules = rulesOf(renderChart(sampleChart(t), ...enabled, label))
  t.strictSame(
    rules.map(({ labels }) => labels),
    [undefined, { severity: 'critical', team: 'data' }, { team: 'data' }, { team: 'data' }],
  )
})

t.test('runbooks are where the values say', async (t) => {
  const base = '--set=prometheusRule.runbookBaseUrl=https://example.com/books/'
  const [, down] = rulesOf(renderChart(sampleChart(t), ...enabled, base))
  t.equal(down?.annotations?.['runbook_url'], 'https://example.com/books/SampleDown.md')
})

t.test('promtool sees what is wrong', async (t) => {
  const groups = [{ name: 'x', rules: [{ alert: 'X', expr: 'sum(' }] }]
  t.match(ruleFaults(t, groups), /expr/)
})

t.test('a dashboard comes through unchanged, for the sidecar of Grafana to find', async (t) => {
  const objects = renderChart(sampleChart(t), ...enabled)
  const map = theObject(objects, 'ConfigMap', 'shop-pgusher-dashboard-sample')
  t.match(map.metadata.labels, { grafana_dashboard: '1' })
  const data = at(map, 'data') as Readonly<Record<string, string>>
  t.equal(data['sample.json'], DASHBOARD)
})

t.test(
  'nothing for the Prometheus Operator or Grafana is there unless it is asked for',
  async (t) => {
    const kinds = renderChart(CHART).map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)
    t.notOk(kinds.some((kind) => kind.startsWith('monitoring.coreos.com')))
    t.equal(kinds.filter((kind) => kind === 'v1 ConfigMap').length, 1)
  },
)

t.test('promtool accepts the rules that the chart ships', async (t) => {
  const objects = renderChart(CHART, '--values=test/helm/values/everything.yaml')
  t.ok(rulesOf(objects).length > 0)
  t.equal(ruleFaults(t, groupsOf(objects)), '')
  for (const { labels } of rulesOf(objects).filter(({ alert }) => alert)) {
    t.equal(labels?.['team'], 'data')
  }
})

t.test(
  'every dashboard that the chart ships is one, and small enough for a ConfigMap',
  async (t) => {
    const files = readdirSync(join(CHART, 'files/dashboards'))
    t.ok(files.length > 0)
    const objects = renderChart(CHART, ...enabled)
    for (const file of files) {
      const name = `shop-pgusher-dashboard-${file.replace('.json', '')}`
      const data = at(theObject(objects, 'ConfigMap', name), 'data') as Record<string, string>
      const written = readFileSync(join(CHART, 'files/dashboards', file), 'utf8')
      t.strictSame(JSON.parse(data[file] ?? ''), JSON.parse(written))
      t.ok(Buffer.byteLength(data[file] ?? '') < 1_000_000)
    }
  },
)
