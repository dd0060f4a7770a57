import { execFile } from 'node:child_process'
import t from 'tap'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { fullText } from './metrics-fixture.ts'

/** What `promtool check metrics` has to say of a page; empty when all is well. */
function check(text: string): Promise<string> {
  return new Promise((resolve) => {
    const promtool = execFile('promtool', ['check', 'metrics'], (error, stdout, stderr) =>
      resolve(`${error?.message ?? ''}${stdout}${stderr}`),
    )
    // It may find a fault, or be missing, before it has read everything.
    promtool.stdin?.on('error', () => {})
    promtool.stdin?.end(text)
  })
}

t.test('a full page is as Prometheus likes it', async (t) => {
  t.equal(await check(await fullText()), '')
})

t.test('and so is an empty one, and that of a single tenant', async (t) => {
  const metrics = new Metrics()
  t.equal(await check(await metrics.text()), '')
  metrics.sessionObserver.tenant('acme').errorReported('23505', 'server')
  t.equal(await check((await metrics.tenantText('acme')) ?? ''), '')
})

t.test('a fault would be seen', async (t) => {
  t.match(await check('# TYPE pgusher_ms counter\npgusher_ms 1\n'), /_total/)
})
