import t from 'tap'
import { at, CHART, helm, type KubernetesObject, renderChart, theObject } from '../support/helm.ts'
import { renderAll } from './chart-sets.ts'
import { containersOf, podsOf } from './pod-parts.ts'

type Labels = Readonly<Record<string, string>>

const sets = renderAll()

function objectsOf(name: string): readonly KubernetesObject[] {
  return sets.find((set) => set.name === name)?.objects ?? []
}

/** Where each kind keeps the labels of the pods that it is about. */
const SELECTORS: Readonly<Record<string, string>> = {
  Service: 'spec.selector',
  Deployment: 'spec.selector.matchLabels',
  PodDisruptionBudget: 'spec.selector.matchLabels',
  NetworkPolicy: 'spec.podSelector.matchLabels',
  PodMonitor: 'spec.selector.matchLabels',
}

function chooses(selector: Labels, labels: Labels = {}): boolean {
  const wanted = Object.entries(selector)
  return wanted.length > 0 && wanted.every(([label, value]) => labels[label] === value)
}

function podLabels(objects: readonly KubernetesObject[]): Labels {
  return at(theObject(objects, 'Deployment'), 'spec.template.metadata.labels') as Labels
}

function portNames(objects: readonly KubernetesObject[]): readonly string[] {
  return podsOf(theObject(objects, 'Deployment'))
    .flatMap(containersOf)
    .flatMap(({ ports = [] }) => ports.map(({ name }) => name))
}

for (const { name, objects } of sets) {
  t.test(`every selector means the pods of the Deployment, and no others: ${name}`, async (t) => {
    const selecting = objects.filter(({ kind }) => kind in SELECTORS)
    t.ok(selecting.length > 1)
    const testPods = objects.filter(({ kind }) => kind === 'Pod')
    for (const object of selecting) {
      const selector = at(object, SELECTORS[object.kind] ?? '') as Labels
      t.ok(chooses(selector, podLabels(objects)), `${object.kind} ${object.metadata.name}`)
      for (const { metadata } of testPods) t.notOk(chooses(selector, metadata.labels))
    }
  })

  t.test(`every port that is named is one of the pod's: ${name}`, async (t) => {
    const names = portNames(objects)
    for (const { kind, spec } of objects as readonly (KubernetesObject & { spec?: object })[]) {
      const path = { Service: 'ports', PodMonitor: 'podMetricsEndpoints' }[kind]
      for (const port of (path && (at(spec, path) as readonly object[])) || []) {
        const { targetPort, port: named } = port as { targetPort?: string; port: string }
        t.ok(names.includes(targetPort ?? named), `${kind} ${targetPort ?? named}`)
      }
    }
  })
}

t.test('two releases in a namespace keep to their own pods', async (t) => {
  const [first, second] = ['one', 'two'].map((name) =>
    renderChart(CHART, `--set=fullnameOverride=${name}`, `--name-template=${name}`),
  )
  const selector = at(theObject(first ?? [], 'Deployment'), 'spec.selector.matchLabels') as Labels
  t.notOk(chooses(selector, podLabels(second ?? [])))
})

t.test('the ServiceMonitor means one Service, apart from that of the clients', async (t) => {
  const objects = objectsOf('everything')
  const monitor = theObject(objects, 'ServiceMonitor')
  const selector = at(monitor, 'spec.selector.matchLabels') as Labels
  const services = objects.filter(({ kind }) => kind === 'Service')
  const meant = services.filter(({ metadata }) => chooses(selector, metadata.labels))
  t.strictSame(
    meant.map(({ metadata }) => metadata.name),
    ['front-door-metrics'],
  )
  t.equal(at(meant[0], 'spec.ports.0.name'), at(monitor, 'spec.endpoints.0.port'))
  t.equal(at(meant[0], 'spec.clusterIP'), 'None')
  t.match(monitor.metadata.labels, { release: 'prometheus' })
  t.equal(at(monitor, 'spec.endpoints.0.relabelings.0.replacement'), 'pgusher')
})

t.test('nobody but the clients, Prometheus and what is named gets through', async (t) => {
  const policy = theObject(objectsOf('everything'), 'NetworkPolicy')
  t.strictSame(at(policy, 'spec.policyTypes'), ['Ingress', 'Egress'])
  t.strictSame(at(policy, 'spec.ingress'), [
    {
      from: [{ namespaceSelector: { matchLabels: { databases: 'allowed' } } }],
      ports: [{ port: 5432, protocol: 'TCP' }],
    },
    {
      from: [
        { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
      ],
      ports: [{ port: 9200, protocol: 'TCP' }],
    },
    { from: [{ podSelector: { matchLabels: { app: 'backup' } } }] },
  ])
  const [dns, postgres, redis, extra] = at(policy, 'spec.egress') as readonly unknown[]
  t.strictSame(at(dns, 'ports'), [
    { port: 53, protocol: 'UDP' },
    { port: 53, protocol: 'TCP' },
  ])
  t.strictSame(postgres, {
    ports: [
      { port: 5432, protocol: 'TCP' },
      { port: 5433, protocol: 'TCP' },
    ],
    to: [{ ipBlock: { cidr: '10.1.0.0/16' } }],
  })
  t.strictSame(redis, {
    ports: [{ port: 6379, protocol: 'TCP' }],
    to: [{ podSelector: { matchLabels: { app: 'redis' } } }],
  })
  t.strictSame(extra, { to: [{ ipBlock: { cidr: '10.2.0.0/16' } }] })
})

t.test('where no clients are named, pods with a label may connect', async (t) => {
  const policy = theObject(objectsOf('autoscaled'), 'NetworkPolicy')
  const label = { 'shop-pgusher-client': 'true' }
  t.strictSame(at(policy, 'spec.ingress.0.from'), [{ podSelector: { matchLabels: label } }])
  t.match(theObject(objectsOf('autoscaled'), 'Pod').metadata.labels, label)
  // Without Redis in the configuration there is no way to it.
  t.equal((at(policy, 'spec.egress') as readonly unknown[]).length, 2)
})

t.test('the Service leads from its own port, the headless one from that of the pods', async (t) => {
  const objects = objectsOf('everything')
  const portOf = (name: string) => at(theObject(objects, 'Service', name), 'spec.ports.0')
  t.match(portOf('front-door'), { port: 15_432, targetPort: 'postgres' })
  t.match(portOf('front-door-headless'), { port: 5432, targetPort: 'postgres' })
  t.equal(at(theObject(objects, 'Service', 'front-door-headless'), 'spec.clusterIP'), 'None')
})

function notes(...args: readonly string[]): string {
  const install = ['install', 'shop', CHART, '--namespace', 'databases', '--dry-run=client']
  const { exitCode, out, errors } = helm(...install, ...args)
  if (exitCode !== 0) throw new Error(errors)
  return out.slice(out.indexOf('NOTES:'))
}

t.test('the notes show the connection string and how many connections there will be', async (t) => {
  const text = notes('--values=test/helm/values/everything.yaml')
  t.match(text, 'postgresql://USER.TENANT@front-door.databases.svc:15432/DATABASE')
  t.match(text, 'server shared: 100')
  t.match(text, 'its own: 28')
  t.match(text, 'port-forward deployment/front-door 9200')
  const autoscaled = notes('--values=test/helm/values/autoscaled.yaml')
  t.match(autoscaled, 'Up to 12 pods')
  t.match(autoscaled, 'server shared: 96')
  t.match(autoscaled, 'shop-pgusher-client: "true"')
  t.match(notes('--set=mode=sidecar'), 'postgresql://USER.TENANT@127.0.0.1:6432/DATABASE')
})
