import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'
import { type KubernetesObject, readObjects } from '../support/helm.ts'
import { WITHOUT_HOOKS } from '../support/without-hooks.ts'
import { type RenderedSet, renderAll } from './chart-sets.ts'

/** The package that knows objects of an API group, which holds their types and their checks. */
function moduleOf({ apiVersion }: KubernetesObject): string {
  const isOperator = apiVersion.startsWith('monitoring.coreos.com/')
  return `${isOperator ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}`
}

const STRICT = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  module: 'nodenext',
  target: 'es2023',
  types: [],
}

/** What tsc says about objects that are written down as literals of the types of the API. */
function typeFaults(objects: readonly KubernetesObject[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-types-'))
  try {
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: STRICT }))
    writeFileSync(join(folder, 'objects.ts'), objects.map(asLiteral).join('\n'))
    const tsc = resolve('node_modules/.bin/tsc')
    const [env, ...words] = WITHOUT_HOOKS
    const { status, stdout } = spawnSync(env, [...words, tsc, '-p', folder], { encoding: 'utf8' })
    return status === 0 ? '' : stdout || 'tsc did not run'
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function asLiteral(object: KubernetesObject, index: number): string {
  const { kind } = object
  return `import type { I${kind} as Type${index} } from '${moduleOf(object)}'
export const object${index}: Type${index} = ${JSON.stringify(object)}`
}

/** What the rules of the API say about the values of an object; it lets unknown keys pass. */
async function valueFault(object: KubernetesObject): Promise<string> {
  const Model = (await import(moduleOf(object)))[object.kind]
  try {
    new Model(object).validate()
    return ''
  } catch (error) {
    return `${object.kind} ${object.metadata.name}: ${error}`
  }
}

const plain = readObjects('examples/kubernetes/sidecar.yaml')
const database = readObjects('examples/kubernetes/postgres.yaml')
const sets: readonly RenderedSet[] = [
  ...renderAll(),
  { name: 'sidecar.yaml', objects: plain },
  { name: 'postgres.yaml', objects: database },
]

t.test('every object has the type that the Kubernetes API gives it', async (t) => {
  t.equal(typeFaults(sets.flatMap(({ objects }) => objects)), '')
})

for (const { name, objects } of sets) {
  t.test(`the values of every object are fit: ${name}`, async (t) => {
    for (const object of objects) t.equal(await valueFault(object), '')
  })
  t.test(`no object is there twice: ${name}`, async (t) => {
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    t.strictSame(names, [...new Set(names)])
  })
}

const sample = (spec: unknown) =>
  ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'x' },
    spec,
  }) as KubernetesObject

t.test('the checks see what is wrong', async (t) => {
  t.equal(typeFaults([sample({ maxUnavailable: 1 })]), '')
  t.match(typeFaults([sample({ maxUnavailabel: 1 })]), /maxUnavailabel/)
  t.match(await valueFault(sample({ selector: 'all' })), /selector/)
})

t.test('everything that the chart has is rendered', async (t) => {
  const kinds = new Set(sets.flatMap(({ objects }) => objects.map(({ kind }) => kind)))
  t.strictSame([...kinds].sort(), [
    'ConfigMap',
    'Deployment',
    'HorizontalPodAutoscaler',
    'NetworkPolicy',
    'Pod',
    'PodDisruptionBudget',
    'PodMonitor',
    'PrometheusRule',
    'Service',
    'ServiceAccount',
    'ServiceMonitor',
  ])
})
