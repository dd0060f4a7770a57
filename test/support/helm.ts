import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { parseAllDocuments } from 'yaml'

/** Helm keeps what it learns apart from that of the user, and asks nobody's cluster. */
const home = mkdtempSync(join(tmpdir(), 'pgusher-helm-'))
process.on('exit', () => rmSync(home, { recursive: true, force: true }))
const ENV = {
  PATH: process.env['PATH'] ?? '',
  HOME: home,
  HELM_CACHE_HOME: join(home, 'cache'),
  HELM_CONFIG_HOME: join(home, 'config'),
  HELM_DATA_HOME: join(home, 'data'),
  KUBECONFIG: join(home, 'none'),
}

export const CHART = 'helm/pgusher'

/** How a run of helm ended. */
export interface HelmRun {
  readonly exitCode: number | null
  readonly out: string
  readonly errors: string
}

/** Runs helm in the folder of the project. */
export function helm(...args: readonly string[]): HelmRun {
  const program = process.env['HELM_BIN'] || 'helm'
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    env: ENV,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error !== undefined) throw new Error(`helm does not run: ${error.message}`, { cause: error })
  return { exitCode: status, out: stdout, errors: stderr }
}

/** Part of an object of the Kubernetes API that tests look at; `at` reads the rest. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
}

/**
 * The objects that `helm template` makes.
 *
 * @param chart - Folder of the chart.
 * @param args - Such as `--values FILE` and `--set NAME=VALUE`.
 * @throws Error - with what helm says, when it refuses.
 */
export function renderChart(chart: string, ...args: readonly string[]): KubernetesObject[] {
  const release = [
    'template',
    '--name-template=shop',
    chart,
    '--namespace',
    'databases',
    '--kube-version',
    '1.33.0',
  ]
  const { exitCode, out, errors } = helm(...release, ...args)
  if (exitCode !== 0) throw new Error(errors)
  return parseObjects(out)
}

/** The objects of a file for `kubectl apply`. */
export function readObjects(file: string): KubernetesObject[] {
  return parseObjects(readFileSync(file, 'utf8'))
}

function parseObjects(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0]
      return document.toJS()
    })
    .filter((object) => object !== null)
}

/** The only object of a kind. */
export function theObject(
  objects: readonly KubernetesObject[],
  kind: string,
  name?: string,
): KubernetesObject {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  )
  const [object] = found
  if (object === undefined || found.length > 1) {
    throw new Error(`${found.length} objects are ${kind} ${name ?? ''}, not one`)
  }
  return object
}

/** What is at a path such as `spec.template.spec.containers.0`; `undefined` when nothing is. */
export function at(object: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], object)
}

/** A copy of the example chart of an application, with this chart as its dependency. */
export function packExample(): { readonly chart: string; remove(): void } {
  const { folder, remove } = copyCharts()
  const chart = join(folder, 'examples/kubernetes/app-with-sidecar')
  const { exitCode, errors } = helm('dependency', 'update', chart)
  if (exitCode !== 0) throw new Error(errors)
  return { chart, remove }
}

/** A folder with copies of the charts and examples, in the places that they have in the project. */
export function copyCharts(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-charts-'))
  for (const tree of [CHART, 'examples/kubernetes']) {
    cpSync(tree, join(folder, tree), { recursive: true })
  }
  return { folder, remove: () => rmSync(folder, { recursive: true }) }
}

/** Runs a shell command in which `helm` is the one of the tests. */
export function shell(command: string, cwd: string): HelmRun {
  const program = process.env['HELM_BIN'] || 'helm'
  const PATH = [dirname(program), dirname(process.execPath), ENV.PATH].join(delimiter)
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd,
    env: { ...ENV, PATH },
    encoding: 'utf8',
  })
  return { exitCode: status, out: stdout, errors: stderr }
}
