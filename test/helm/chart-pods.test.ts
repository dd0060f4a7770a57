import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  at,
  CHART,
  type KubernetesObject,
  packExample,
  readObjects,
  renderChart,
  theObject,
} from '../support/helm.ts'
import { renderAll, VALUE_FILES } from './chart-sets.ts'
import {
  configOf,
  containersOf,
  type PodSpec,
  podsOf,
  proxyContainer,
  restrictedFaults,
} from './pod-parts.ts'

const plain = readObjects('examples/kubernetes/sidecar.yaml')
const sets = [...renderAll(), { name: 'sidecar.yaml', objects: plain }]

function objectsOf(name: string): readonly KubernetesObject[] {
  return sets.find((set) => set.name === name)?.objects ?? []
}

const podOf = (objects: readonly KubernetesObject[]): PodSpec =>
  at(theObject(objects, 'Deployment'), 'spec.template.spec') as PodSpec

for (const { name, objects } of sets) {
  t.test(`pods keep to the restricted profile: ${name}`, async (t) => {
    const pods = objects.flatMap(podsOf)
    t.ok(pods.length > 0)
    for (const pod of pods) {
      t.strictSame(restrictedFaults(pod), [])
      t.equal(pod.automountServiceAccountToken, false)
    }
  })

  t.test(`what a pod refers to is there: ${name}`, async (t) => {
    for (const pod of objects.flatMap(podsOf)) {
      const volumes = (pod.volumes ?? []).map(({ name }) => name)
      t.strictSame(volumes, [...new Set(volumes)])
      for (const { volumeMounts = [] } of containersOf(pod)) {
        for (const mount of volumeMounts) t.ok(volumes.includes(mount.name), mount.name)
      }
    }
    t.type(at(configOf(objects), 'listen.port'), 'number')
  })

  t.test(`probes ask the admin port: ${name}`, async (t) => {
    const container = proxyContainer(theObject(objects, 'Deployment'))
    const { startupProbe, livenessProbe, readinessProbe, ports = [] } = container
    const asked = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet)
    t.strictSame(
      asked.map((get) => get?.path),
      ['/startupz', '/livez', '/readyz'],
    )
    const admin = ports.find(({ name }) => name.endsWith('admin'))
    for (const get of asked) t.equal(get?.port, admin?.name)
    t.strictSame(
      ports.map(({ containerPort }) => containerPort),
      ['listen.port', 'admin.port'].map((path) => at(configOf(objects), path)),
    )
  })
}

t.test('the check of the profile sees what is wrong', async (t) => {
  const container = { name: 'x', image: 'x', ports: [{ name: 'p', containerPort: 1, hostPort: 1 }] }
  const pod = { containers: [container], hostPID: true, volumes: [{ name: 'v', hostPath: {} }] }
  t.strictSame(restrictedFaults(pod), [
    'hostPID',
    'volume v',
    'x: allowPrivilegeEscalation',
    'x: capabilities.drop',
    'x: runAsNonRoot',
    'x: runAsUser',
    'x: seccompProfile',
    'x: readOnlyRootFilesystem',
    'x: hostPort',
  ])
})

for (const name of Object.keys(VALUE_FILES)) {
  t.test(`a pod of its own drains before it is told to stop: ${name}`, async (t) => {
    const objects = objectsOf(name)
    const container = proxyContainer(theObject(objects, 'Deployment'))
    t.equal(container.restartPolicy, undefined)
    t.strictSame(container.lifecycle?.preStop.exec.command, ['pgusher', 'drain'])
    const { drainDelayMs = 0, drainMs } = configOf(objects).timeouts
    t.ok(drainDelayMs >= 5000)
    const graceMs = (podOf(objects).terminationGracePeriodSeconds ?? 0) * 1000
    t.ok(graceMs >= drainDelayMs + drainMs + 10_000, `${graceMs} ms`)
  })
}

for (const name of ['application', 'sidecar.yaml']) {
  t.test(`a sidecar ends after its application: ${name}`, async (t) => {
    const objects = objectsOf(name)
    const pod = podOf(objects)
    const [sidecar] = pod.initContainers ?? []
    t.equal(sidecar?.name, 'pgusher')
    t.equal(sidecar?.restartPolicy, 'Always')
    t.equal(sidecar?.lifecycle, undefined)
    const { listen, timeouts } = configOf(objects)
    t.equal(listen.host, '127.0.0.1')
    t.equal(timeouts.drainDelayMs ?? 0, 0)
    t.ok((pod.terminationGracePeriodSeconds ?? 0) * 1000 >= timeouts.drainMs + 20_000)
  })
}

t.test('the plain sidecar is the one of the chart', async (t) => {
  const [chart, file] = ['application', 'sidecar.yaml'].map((name) =>
    proxyContainer(theObject(objectsOf(name), 'Deployment')),
  )
  for (const key of [
    'image',
    'args',
    'restartPolicy',
    'env',
    'envFrom',
    'securityContext',
  ] as const) {
    t.strictSame(file?.[key], chart?.[key], key)
  }
})

t.test('the Postgres of the examples keeps to the restricted profile as well', async (t) => {
  const pods = readObjects('examples/kubernetes/postgres.yaml').flatMap(podsOf)
  t.strictSame(pods.map(restrictedFaults), [[]])
})

t.test('in mode sidecar the chart has no pods of its own', async (t) => {
  const kinds = renderChart(CHART, '--set=mode=sidecar').map(({ kind }) => kind)
  t.strictSame(kinds, ['ConfigMap'])
})

t.test('the sidecar template refuses the values of the other mode', async (t) => {
  const { chart, remove } = packExample()
  t.teardown(remove)
  t.throws(() => renderChart(chart, '--set=pgusher.mode=deployment'), {
    message: /pgusher\.sidecar: set mode to sidecar/,
  })
})

t.test('the number of pods belongs to the autoscaler, where there is one', async (t) => {
  const objects = objectsOf('autoscaled')
  const deployment = theObject(objects, 'Deployment')
  const spec = at(deployment, 'spec') as object
  t.notOk('replicas' in spec)
  const scaler = theObject(objects, 'HorizontalPodAutoscaler')
  t.equal(at(scaler, 'spec.scaleTargetRef.name'), deployment.metadata.name)
  t.equal(at(scaler, 'spec.minReplicas'), 3)
  t.equal(at(scaler, 'spec.maxReplicas'), 12)
  t.strictSame(at(scaler, 'spec.metrics.0.resource.target'), {
    type: 'AverageValue',
    averageValue: '600m',
  })
  t.equal(at(scaler, 'spec.metrics.1.type'), 'Pods')
  t.equal(at(theObject(objectsOf('everything'), 'Deployment'), 'spec.replicas'), 4)
})

t.test('a changed configuration makes new pods, a changed number of them does not', async (t) => {
  const checksum = (...args: readonly string[]) =>
    at(theObject(renderChart(CHART, ...args), 'Deployment'), 'spec.template')
  const first = checksum()
  t.strictSame(checksum('--set=replicaCount=5'), first)
  t.notSame(checksum('--set=config.pool.size=5'), first)
})

t.test('the image is the one of the tag, else of the digest', async (t) => {
  const imageOf = (...args: readonly string[]) =>
    proxyContainer(theObject(renderChart(CHART, ...args), 'Deployment')).image
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(imageOf(), `pgusher:${version}`)
  t.equal(imageOf('--set=image.repository=r.io/u,image.tag=dev'), 'r.io/u:dev')
  const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
  t.equal(
    proxyContainer(theObject(objectsOf('everything'), 'Deployment')).image,
    `registry.example.com:5000/databases/pgusher@${digest}`,
  )
})

t.test('the pods run the image as its Dockerfile makes it', async (t) => {
  const dockerfile = readFileSync('Dockerfile', 'utf8')
  t.match(dockerfile, /^ENTRYPOINT \["pgusher"\]$/m)
  const { args, securityContext } = proxyContainer(
    theObject(objectsOf('nothing given'), 'Deployment'),
  )
  t.strictSame(args, ['serve'])
  t.match(dockerfile, `USER ${securityContext?.runAsUser}:`)
})

t.test('the admin token is kept in memory', async (t) => {
  const pod = podOf(objectsOf('nothing given'))
  const { volumeMounts = [] } = proxyContainer(theObject(objectsOf('nothing given'), 'Deployment'))
  const mount = volumeMounts.find(({ mountPath }) => mountPath === '/run/pgusher')
  const volume = pod.volumes?.find(({ name }) => name === mount?.name)
  t.equal(at(volume, 'emptyDir.medium'), 'Memory')
})
