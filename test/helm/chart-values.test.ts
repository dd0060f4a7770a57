import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { at, CHART, helm, renderChart, theObject } from '../support/helm.ts'

function refusal(...args: readonly string[]): string {
  const { exitCode, errors } = helm('template', 'shop', CHART, ...args)
  return exitCode === 0 ? 'accepted' : errors
}

const withConfig = (config: unknown) => `--set-json=config=${JSON.stringify(config)}`
const reference = (text: string) => `$\{${text}}`

/** Values that the schema refuses, each with what its message has to name. */
const REFUSED: readonly { readonly set: string; readonly names: RegExp }[] = [
  { set: 'replicas=3', names: /additional properties 'replicas' not allowed/ },
  { set: 'image.registry=example.com', names: /'\/image'.*'registry' not allowed/ },
  { set: 'config.pool.sise=3', names: /'\/config\/pool'.*'sise' not allowed/ },
  { set: 'config.pol.size=3', names: /'\/config'.*'pol' not allowed/ },
  {
    set: 'config.pool.size=many',
    names: /'\/config\/pool\/size': got string, want null or integer/,
  },
  { set: 'config.pool.mode=statement', names: /'\/config\/pool\/mode'.*'transaction', 'session'/ },
  { set: 'config.tenants[0].nmae=acme', names: /'\/config\/tenants\/0'.*'nmae' not allowed/ },
  {
    set: 'config.servers.shared.host=db',
    names: /'\/config\/servers\/shared'.*'host' not allowed/,
  },
  { set: 'mode=daemonset', names: /'\/mode'.*'deployment', 'sidecar'/ },
  { set: 'replicaCount=two', names: /'\/replicaCount': got string, want integer/ },
  { set: 'service.type=ExternalName', names: /'\/service\/type'/ },
  { set: 'service.headless=true', names: /'\/service\/headless': got boolean, want object/ },
  { set: 'autoscaling.cpuAverageValue=80%', names: /'\/autoscaling\/cpuAverageValue'/ },
  { set: 'autoscaling.maxPods=9', names: /'\/autoscaling'.*'maxPods' not allowed/ },
  { set: 'networkPolicy.postgres.port=5432', names: /'\/networkPolicy\/postgres'.*'port'/ },
  { set: 'secretEnv.APP_PASSWORD.name=x', names: /'\/secretEnv\/APP_PASSWORD'.*'key'/ },
  { set: 'secretEnv.app-password.name=x', names: /invalid propertyName 'app-password'/ },
  { set: 'secretFiles.tls.name=x', names: /'\/secretFiles\/tls'/ },
  { set: 'probes.readiness.timeout=3', names: /'\/probes\/readiness'.*'timeout' not allowed/ },
  { set: 'podDisruptionBudget.maxUnavailable=most', names: /'\/podDisruptionBudget\/maxUn/ },
  { set: 'serviceMonitor.interval=often', names: /'\/serviceMonitor\/interval'/ },
  { set: 'prometheusRule.disabled[0]=X', names: /'\/prometheusRule'.*'disabled' not allowed/ },
  { set: 'resources.limit.memory=1Gi', names: /'\/resources'.*'limit' not allowed/ },
  { set: 'securityContext.runAsRoot=true', names: /'\/securityContext'.*'runAsRoot'/ },
  { set: 'podSecurityContext.fsgroup=1', names: /'\/podSecurityContext'.*'fsgroup'/ },
  { set: 'updateStrategy.rollingUpdate.maxSurg=1', names: /'\/updateStrategy\/rolling.*'maxSurg'/ },
  { set: 'tolerations[0].keys=x', names: /'\/tolerations\/0'.*'keys' not allowed/ },
  { set: 'networkPolicy.clients[0].podLabels.a=b', names: /'\/networkPolicy\/clients\/0'/ },
  { set: 'image.digest=latest', names: /'\/image\/digest'/ },
]

for (const { set, names } of REFUSED) {
  t.test(`refuses ${set}`, async (t) => {
    t.match(refusal('--set', set), names)
  })
}

/** Places of secrets. What they hold becomes a ConfigMap, so it may only be a reference. */
const SECRETS: readonly { readonly path: string; readonly config: unknown }[] = [
  {
    path: '/config/logins/0/password',
    config: { logins: [{ user: 'app', tenants: '*', password: 'hush' }] },
  },
  {
    path: '/config/servers/s/url',
    config: { servers: { s: { url: 'postgresql://pool:hush@db/saas' } } },
  },
  {
    path: '/config/servers/s/users/app/password',
    config: {
      servers: { s: { url: 'postgresql://p@db', users: { app: { user: 'u', password: 'hush' } } } },
    },
  },
  {
    path: '/config/tenants/0/databaseUrl',
    config: { tenants: [{ name: 'a', strategy: 'database', databaseUrl: 'postgres://a:hush@db' }] },
  },
  {
    path: '/config/tenants/0/serverLogin/password',
    config: {
      tenants: [{ name: 'a', strategy: 'schema', serverLogin: { user: 'a', password: 'hush' } }],
    },
  },
  { path: '/config/admin/token', config: { admin: { token: 'hush' } } },
  {
    path: '/config/catalog/postgres/url',
    config: { catalog: { postgres: { url: 'postgres://a:hush@db' } } },
  },
  { path: '/config/catalog/redis/url', config: { catalog: { redis: { url: 'redis://:hush@r' } } } },
  {
    path: '/config/catalog/redis/cluster/0',
    config: { catalog: { redis: { cluster: ['redis://:hush@r'] } } },
  },
  { path: '/config/catalog/redis/password', config: { catalog: { redis: { password: 'hush' } } } },
  { path: '/config/catalog/keys/0/key', config: { catalog: { keys: [{ id: 'a', key: 'hush' }] } } },
  {
    path: '/config/isolation/keys/0/key',
    config: { isolation: { keys: [{ id: 'a', key: 'hush' }] } },
  },
  {
    path: '/config/console/logins/0/password',
    config: { console: { logins: [{ user: 'ops', role: 'admin', password: 'hush' }] } },
  },
]

for (const { path, config } of SECRETS) {
  t.test(`keeps secrets out of ${path}`, async (t) => {
    t.match(refusal(withConfig(config)), `at '${path}'`)
    const text = JSON.stringify(config)
    const referring = JSON.parse(text.replace('hush', reference('file:/run/secrets/x')))
    t.equal(refusal(withConfig(referring)), 'accepted')
  })
}

t.test('takes what is no secret', async (t) => {
  const config = {
    logins: [{ user: 'app', tenants: '*', password: 'SCRAM-SHA-256$4096:c2FsdA==$a:b' }],
    servers: { a: { url: 'postgresql://pool@db/saas' }, b: { url: 'postgresql://db/saas' } },
    catalog: { postgres: { url: reference('env:DATABASE_URL') } },
    tls: { client: { cert: '/run/tls/tls.crt', key: '/run/tls/tls.key' } },
  }
  t.equal(refusal(withConfig(config), '--set=existingSecret=x'), 'accepted')
})

/** What only templates can see. */
const CONTRADICTIONS: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
  { args: ['config.listen.host=127.0.0.1'], says: /config\.listen\.host: nobody would reach/ },
  { args: ['config.admin.host=127.0.0.1'], says: /config\.admin\.host: probes would not/ },
  {
    args: ['terminationGracePeriodSeconds=30'],
    says: /terminationGracePeriodSeconds: 30 is not above the 31 s/,
  },
  { args: ['autoscaling.minReplicas=20'], says: /autoscaling\.minReplicas/ },
  { args: ['tests.user=app.acme'], says: /tests\.passwordSecret\.name/ },
  { args: ['prometheusRule.disabledAlerts={Bogus}'], says: /there is no alert Bogus/ },
  { args: ['extraEnv.PGUSHER_LISTEN_PORT=5432'], says: /PGUSHER_LISTEN_PORT: say it in config/ },
  {
    args: ['mode=sidecar', 'autoscaling.enabled=true'],
    says: /autoscaling\.enabled: .*mode sidecar/,
  },
  { args: ['mode=sidecar', 'networkPolicy.enabled=true'], says: /networkPolicy\.enabled: / },
  { args: ['mode=sidecar', 'serviceMonitor.enabled=true'], says: /serviceMonitor\.enabled: / },
  {
    args: ['secretEnv.A.name=x', 'secretEnv.A.key=x', 'extraEnv.A=x'],
    says: /extraEnv\.A: is in secretEnv/,
  },
  {
    args: [`config.admin.token=${reference('env:TOKEN')}`],
    says: /config: \$\{env:TOKEN\}: give the variable/,
  },
  {
    args: [`config.admin.token=${reference('file:/etc/pgusher/secrets/admin/token')}`],
    says: /\/etc\/pgusher\/secrets\/admin: give the Secret in secretFiles\.admin/,
  },
]

for (const { args, says } of CONTRADICTIONS) {
  t.test(`refuses ${args.join(' with ')}`, async (t) => {
    t.match(refusal(...args.map((value) => `--set=${value}`)), says)
  })
}

t.test('refuses a Kubernetes without native sidecars', async (t) => {
  t.match(refusal('--kube-version=1.28.9'), /incompatible with Kubernetes/)
  t.equal(refusal('--kube-version=1.29.0'), 'accepted')
})

t.test('names all that does not fit together at once', async (t) => {
  const text = refusal(
    '--set=config.admin.host=::1',
    `--set=config.admin.token=${reference('env:TOKEN')}`,
  )
  t.match(text, /config\.admin\.host/)
  t.match(text, /TOKEN/)
})

t.test('a setting without a value is as if it was not there', async (t) => {
  const nothing = ['{"listen":{"port":null},"timeouts":null}', 'null']
  for (const config of nothing) {
    t.strictSame(renderChart(CHART, `--set-json=config=${config}`), renderChart(CHART))
  }
})

t.test('a default of the chart is taken away by null', async (t) => {
  const user = 'securityContext.runAsUser=null,podSecurityContext.seccompProfile=null'
  const objects = renderChart(CHART, `--set=${user}`)
  const pod = at(theObject(objects, 'Deployment'), 'spec.template.spec')
  t.notOk('runAsUser' in (at(pod, 'containers.0.securityContext') as object))
  t.notOk('seccompProfile' in (at(pod, 'securityContext') as object))
})

t.test('takes an escaped reference for the text that it is', async (t) => {
  const value = `--set=config.tenants[0].labels.note=$${reference('env:TOKEN')}`
  const tenant = '--set=config.tenants[0].name=a,config.tenants[0].strategy=schema'
  t.equal(refusal(tenant, value), 'accepted')
})

t.test('takes every setting that there is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-values-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'values.yaml')
  const config = parse(readFileSync('config/full.yaml', 'utf8'))
  writeFileSync(file, stringify({ config, existingSecret: 'passwords' }))
  const reachable = '--set=config.listen.host=::,config.admin.host=::'
  t.equal(refusal('--values', file, reachable), 'accepted')
})

interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly additionalProperties?: SchemaNode | false
}

/** The places of a schema at which any key may stand. */
function openPlaces({ type, properties, items, additionalProperties }: SchemaNode): string[] {
  const isOpen = [type].flat().includes('object') && additionalProperties === undefined
  const below = Object.entries({
    ...properties,
    ...(items && { '[]': items }),
    ...(additionalProperties && { '<name>': additionalProperties }),
  }).flatMap(([key, node]) => openPlaces(node).map((place) => `${key}.${place}`))
  return [...(isOpen ? [''] : []), ...below]
}

t.test('any key may stand in large objects of the Kubernetes API alone', async (t) => {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'))
  t.strictSame(openPlaces(schema).sort(), [
    'affinity.',
    'autoscaling.behavior.',
    'autoscaling.metrics.[].',
    'global.',
    'networkPolicy.extraEgress.[].',
    'networkPolicy.extraIngress.[].',
    'podMonitor.metricRelabelings.[].',
    'podMonitor.relabelings.[].',
    'podSecurityContext.windowsOptions.',
    'securityContext.windowsOptions.',
    'serviceMonitor.metricRelabelings.[].',
    'serviceMonitor.relabelings.[].',
  ])
})
