import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import {
  CHART,
  type KubernetesObject,
  packExample,
  readObjects,
  renderChart,
  theObject,
} from '../support/helm.ts'
import { serveReady } from '../support/served-proxy.ts'
import { localConfig, PATH, SECRETS, startExamplePostgres } from './example-world.ts'
import { podsOf, proxyContainer } from './pod-parts.ts'

const postgres = await startExamplePostgres()
t.teardown(() => postgres.stop())

/** Starts what the application's container runs, until it has written a line. */
async function firstLine(objects: readonly KubernetesObject[], port: number): Promise<string> {
  const [pod] = podsOf(theObject(objects, 'Deployment'))
  const [application] = pod?.containers ?? []
  const { command: [program = '', ...args] = [], env = [] } = application ?? {}
  const values = env.map(({ name, value }) => [name, value ?? SECRETS.APP_PASSWORD])
  const child = spawn(program, args, {
    env: { PATH, ...Object.fromEntries(values), PGPORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const closed = once(child, 'close')
  const line = await Promise.race([once(child.stdout, 'data'), closed])
  // The whole group: psql or sleep, beside the shell.
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  await closed
  return String(line[0]).trim()
}

const example = packExample()
t.teardown(example.remove)

for (const { name, objects, tenant, reads } of [
  {
    name: 'sidecar.yaml',
    objects: readObjects('examples/kubernetes/sidecar.yaml'),
    tenant: 'acme',
    reads: 'tenant_acme|anvil',
  },
  {
    name: 'app-with-sidecar',
    objects: renderChart(example.chart, '--set=tenant=globex'),
    tenant: 'globex',
    reads: 'tenant_globex|doomsday device',
  },
]) {
  t.test(`the application of ${name} reads the orders of ${tenant}`, async (t) => {
    const { port } = await serveReady(t, await localConfig(t, objects, postgres))
    t.equal(await firstLine(objects, port), reads)
  })
}

t.test(
  'a pod of the Deployment answers its probes, and drains as its preStop hook says',
  async (t) => {
    const url = `postgresql://pool:$\{env:POOL_PASSWORD}@postgres:5432/saas`
    const objects = renderChart(
      CHART,
      '--values=examples/kubernetes/ten-replicas.yaml',
      `--set=config.servers.shared.url=${url},config.timeouts.drainDelayMs=0`,
    )
    const config = await localConfig(t, objects, postgres)
    const served = await serveReady(t, config)
    const { startupProbe, livenessProbe, readinessProbe, lifecycle } = proxyContainer(
      theObject(objects, 'Deployment'),
    )
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
      const response = await fetch(`http://127.0.0.1:${config.admin.port}${probe?.httpGet.path}`)
      await response.body?.cancel()
      t.equal(response.status, 200, probe?.httpGet.path ?? 'no probe')
    }
    const [program, ...args] = lifecycle?.preStop.exec.command ?? []
    t.equal(program, 'pgusher')
    const hook = spawn(process.execPath, ['dist/src/main.js', ...args], {
      env: { PGUSHER_CONFIG: served.file },
      stdio: 'inherit',
    })
    t.strictSame(await once(hook, 'close'), [0, null])
    served.child.kill('SIGTERM')
    t.equal(await served.exited, 0)
  },
)
