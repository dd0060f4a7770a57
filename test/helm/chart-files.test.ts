import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { CHART, helm, packExample } from '../support/helm.ts'
import { VALUE_FILES } from './chart-sets.ts'

for (const [name, file] of Object.entries(VALUE_FILES)) {
  t.test(`helm lint finds no fault: ${name}`, async (t) => {
    const { exitCode, out, errors } = helm('lint', '--strict', CHART, '--values', file)
    t.equal(exitCode, 0, out + errors)
  })
}

t.test('helm lint finds no fault in a chart that has a sidecar', async (t) => {
  const { chart, remove } = packExample()
  t.teardown(remove)
  const { exitCode, out, errors } = helm('lint', '--strict', '--with-subcharts', chart)
  t.equal(exitCode, 0, out + errors)
})

t.test('the chart is for the version of the proxy that it is kept with', async (t) => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))
  t.equal(String(chart.appVersion), version)
  const example = parse(readFileSync('examples/kubernetes/app-with-sidecar/Chart.yaml', 'utf8'))
  t.equal(example.dependencies[0].version, chart.version)
})

function checkFiles(chart: string) {
  const args = ['scripts/chart-files.mjs', '--check', '--chart', chart]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { exitCode: status, errors: stderr }
}

t.test('the generated files of the chart are fresh', async (t) => {
  t.strictSame(checkFiles(CHART), { exitCode: 0, errors: '' })
})

t.test('a new value makes the generated files stale', async (t) => {
  const chart = mkdtempSync(join(tmpdir(), 'pgusher-chart-'))
  t.teardown(() => rmSync(chart, { recursive: true }))
  cpSync(CHART, chart, { recursive: true })
  const values = join(chart, 'values.yaml')
  const text = readFileSync(values, 'utf8').replace('@param mode ', '@param mode Which? ')
  writeFileSync(values, text)
  const { exitCode, errors } = checkFiles(chart)
  t.equal(exitCode, 1)
  t.match(errors, /values\.schema\.json is out of date/)
  t.match(errors, /README\.md is out of date/)
})
