import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { parse } from 'yaml'
import {
  at,
  type KubernetesObject,
  packExample,
  readObjects,
  renderChart,
  theObject,
} from '../support/helm.ts'
import { startPostgres } from '../support/postgres.ts'
import { probePort } from '../support/postgres-cluster.ts'
import { serveReady } from '../support/served-proxy.ts'
import { configText, podsOf } from './pod-parts.ts'

/** Secrets without a sign that YAML or a URL would mind: they stand in the text here. */
const SECRETS = { POSTGRES_PASSWORD: 'hush1', POOL_PASSWORD: 'hush2', APP_PASSWORD: 'hush3' }

const PATH = '/usr/bin:/bin'

const postgres = await startPostgres({ major: 15, auth: 'scram-sha-256' })
t.teardown(() => postgres.stop())
initialize()

/** Runs what the image of Postgres would run in an empty database. */
function initialize(): void {
  const objects = readObjects('examples/kubernetes/postgres.yaml')
  const script = String(at(theObject(objects, 'ConfigMap'), 'data')?.['tenants.sh' as never])
  const { superuser, superPassword, port, socketDir } = postgres
  const login = { PGHOST: socketDir, PGPORT: String(port), PGPASSWORD: superPassword }
  const env = { PATH, ...login, ...SECRETS, POSTGRES_USER: superuser }
  execFileSync('psql', ['-U', superuser, '-d', 'postgres', '-c', 'CREATE DATABASE saas'], { env })
  execFileSync('sh', ['-c', script], { env: { ...env, POSTGRES_DB: 'saas' } })
}

/** What the proxy reads in a pod, but for the addresses, which are free ones of this machine. */
async function localConfig(objects: readonly KubernetesObject[]) {
  let text = configText(objects).replaceAll('@postgres:5432', `@127.0.0.1:${postgres.port}`)
  for (const [name, value] of Object.entries(SECRETS)) {
    text = text.replaceAll(`$\{env:${name}}`, value)
  }
  const config = parse(text)
  const [listen, admin] = [await probePort(), await probePort()]
  return {
    ...config,
    listen: { ...config.listen, port: listen },
    admin: { ...config.admin, port: admin, tokenFile: undefined },
  }
}

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
  // The whole group: the shell waits for a sleep of its own.
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
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
    const config = await localConfig(objects)
    const { port } = await serveReady(t, config)
    t.equal(await firstLine(objects, port), reads)
  })
}
