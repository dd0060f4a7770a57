import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { isDocumented } from './documented-metrics.ts'
import { metricsOf } from './promql.ts'

const run = promisify(execFile)

const RULES = 'helm/pgusher/files/rules'
const CASES = 'test/prometheus/rules'
const DOCS = 'docs'
const RUNBOOKS = 'docs/runbooks'

/** From Prometheus itself and from kube-state-metrics. */
const FOREIGN_METRIC = /^(?:up|kube_pod_(?:init_)?container_resource_limits)$/

interface Alert {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Alert[] }[]
}

interface CaseFile {
  readonly tests: readonly {
    readonly alert_rule_test: readonly {
      readonly alertname: string
      readonly exp_alerts: readonly unknown[]
    }[]
  }[]
}

const ruleFiles = paths(RULES)
const caseFiles = paths(CASES)
const alerts = ruleFiles
  .flatMap((file) => read<RuleFile>(file).groups)
  .flatMap(({ rules }) => rules)

t.test('promtool finds the rules valid', async (t) => {
  const { stdout } = await run('promtool', ['check', 'rules', ...ruleFiles])
  t.match(stdout, 'SUCCESS')
})

for (const file of caseFiles) {
  t.test(`promtool finds the rules to behave as in ${file}`, async (t) => {
    const { stdout } = await run('promtool', ['test', 'rules', file])
    t.match(stdout, 'SUCCESS')
  })
}

for (const alert of alerts) {
  t.test(alert.alert, async (t) => {
    const runs = runsOf(alert.alert)
    const firing = runs.findIndex((hasFired) => hasFired)
    t.ok(firing > 0, 'is seen silent, then firing')
    t.ok(runs.indexOf(false, firing) > firing, 'is seen to clear')

    t.match(alert.labels, { severity: /^(?:critical|warning)$/ })
    t.match(alert.annotations, { summary: /\S\.$/, description: /\S\.$/ })
    t.match(alert.annotations, { runbook_url: `runbooks/${alert.alert}.md` })
    const headings = sections(join(DOCS, alert.annotations['runbook_url'] ?? ''))
    t.strictSame(headings, [`# ${alert.alert}`, ...SECTIONS])

    const unknown = metricsOf(alert.expr).filter(
      (name) => !isDocumented(name) && !FOREIGN_METRIC.test(name),
    )
    t.strictSame(unknown, [], 'every metric is in docs/metrics.md')
  })
}

t.test('no name is given twice, and no runbook is about an alert that is gone', async (t) => {
  const names = alerts.map(({ alert }) => alert)
  t.strictSame(names, [...new Set(names)])
  const books = readdirSync(RUNBOOKS).map((file) => file.replace(/\.md$/, ''))
  t.strictSame(books.sort(), names.sort())
})

t.test('docs/alerts.md lists all alerts', async (t) => {
  const page = readFileSync('docs/alerts.md', 'utf8')
  const rows = page.matchAll(/^\| \[`(\w+)`\]\(\S+\) \| (\w+) \| (.+) \|$/gm)
  const written = [...rows].map(([, ...cells]) => cells.join(' | '))
  const expected = alerts.map(({ alert, labels, annotations }) =>
    [alert, labels['severity'], annotations['summary']].join(' | '),
  )
  t.strictSame(written.sort(), expected.sort())
})

t.test('every code that a rule names is one of ours', async (t) => {
  const known = readFileSync('docs/errors.md', 'utf8')
  const codes = alerts.flatMap(({ expr }) => [
    ...expr.replaceAll(/SERVER_\.\+/g, '').matchAll(/[A-Z]+(?:_[A-Z]+)+/g),
  ])
  t.ok(codes.length > 0)
  for (const [code] of codes) t.match(known, `| \`${code}\` |`)
})

const SECTIONS = ['## Meaning', '## Impact', '## Diagnosis', '## Mitigation']

/** Whether an alert fires, in the order of its cases in all test files. */
function runsOf(name: string): readonly boolean[] {
  return caseFiles
    .flatMap((file) => read<CaseFile>(file).tests)
    .flatMap((test) => test.alert_rule_test)
    .filter(({ alertname }) => alertname === name)
    .map(({ exp_alerts }) => exp_alerts.length > 0)
}

function sections(page: string): readonly string[] {
  if (!existsSync(page)) return []
  return readFileSync(page, 'utf8').match(/^#.*$/gm) ?? []
}

function paths(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name))
}

function read<File>(path: string): File {
  return parse(readFileSync(path, 'utf8'))
}
