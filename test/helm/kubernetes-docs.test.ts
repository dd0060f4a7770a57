import { copyFileSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { copyCharts, shell } from '../support/helm.ts'

const page = readFileSync('docs/kubernetes.md', 'utf8')

/** The commands of the page's shell blocks, each as a whole. */
const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
  .flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
  .map((command) => command.trim())
  .filter((command) => command !== '' && !command.startsWith('#'))

/** Those for which a dry run, or none, does without a cluster. */
const offline = commands.filter((command) => /^helm (dependency|install|template) /.test(command))

const { folder, remove } = copyCharts()
t.teardown(remove)
copyFileSync('examples/kubernetes/ten-replicas.yaml', join(folder, 'my-values.yaml'))

t.test('the page has commands of every kind', async (t) => {
  t.equal(offline.length, 4)
  t.ok(commands.length > 15)
})

for (const command of offline) {
  t.test(command, async (t) => {
    const dryRun = command.replace('helm install', 'helm install --dry-run=client')
    const { exitCode, errors } = shell(`IMAGE=registry.example.com/x; ${dryRun}`, folder)
    t.equal(exitCode, 0, errors)
  })
}

t.test('what helm template wrote is what pgusher check accepts', async (t) => {
  const [check = ''] = commands.filter((command) => command.includes('main.js check'))
  const { exitCode, out, errors } = shell(check.replace('dist/', `${resolve('dist')}/`), folder)
  t.equal(errors, '')
  t.match(out, /configuration ok/)
  t.equal(exitCode, 0)
})

t.test('every shell command of the page can be parsed', async (t) => {
  for (const command of commands) {
    t.equal(shell(`set -n; ${command}`, folder).errors, '', command)
  }
})

t.test(
  'every value that the page names in code is one of the chart, or of the proxy',
  async (t) => {
    const schema = JSON.parse(readFileSync('helm/pgusher/values.schema.json', 'utf8'))
    const roots = Object.keys(schema.properties)
    const named = [...page.matchAll(/`([a-zA-Z]+(?:\.[a-zA-Z]+)+)(?:: [^`]*)?`/g)]
      .map(([, path = '']) => path)
      .filter((path) => roots.includes(path.split('.')[0] ?? ''))
    t.ok(named.length > 8)
    for (const path of named) t.ok(isKnown(schema, path.split('.')), path)
  },
)

interface Node {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: Node | false
}

function isKnown(node: Node, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true
  const child = node.properties?.[key]
  if (child !== undefined) return isKnown(child, rest)
  // An object of the Kubernetes API, whose keys are not ours.
  return node.type === 'object' && node.properties === undefined
}
