import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { stringify } from 'yaml'
import { type BuiltImage, buildImage, listTree } from '../support/dockerfile.ts'
import { findImageNode } from '../support/node-release.ts'
import { PASSWORD } from '../support/proxy.ts'
import { query, RawClient, rows } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { servedSettings } from '../support/served-proxy.ts'
import { until } from '../support/until.ts'
import { WITHOUT_HOOKS } from '../support/without-hooks.ts'

const run = promisify(execFile)

t.setTimeout(280_000)

const ROOT = join(import.meta.dirname, '../../..')
const isRoot = process.getuid?.() === 0

const server = await startSaas(18)
t.teardown(() => server.stop())
const node = await findImageNode()
const folder = await mkdtemp(join(tmpdir(), 'pgusher-image-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const image = await buildImage({ source: ROOT, folder, programs: node })
await chmod(folder, 0o755)

/** The environment of a container, with its paths where they are here. */
function environmentOf({ root, env }: BuiltImage): NodeJS.ProcessEnv {
  const base = `${node}:/usr/bin:/bin`
  const pairs = Array.from(env, ([name, value]) => {
    const text = value.replaceAll('$PATH', base)
    const parts = text.split(':').map((part) => (isOwnPath(part) ? join(root, part) : part))
    return [name, parts.join(':')]
  })
  return { PATH: base, ...Object.fromEntries(pairs) }
}

function isOwnPath(text: string): boolean {
  return text.startsWith('/app') || text.startsWith('/etc')
}

/** Starts a program as the container's user, which owns nothing here. */
function start(words: readonly string[]): ChildProcess {
  const [uid, gid] = image.user.split(':').map(Number)
  const [program, ...args] = WITHOUT_HOOKS
  return spawn(program, [...args, ...words], {
    cwd: join(image.root, image.workdir),
    env: environmentOf(image),
    ...(isRoot && uid !== undefined && gid !== undefined ? { uid, gid } : {}),
  })
}

async function exitCodeOf(words: readonly string[]): Promise<number | null> {
  const child = start(words)
  child.stdout?.resume()
  child.stderr?.resume()
  const [code] = await once(child, 'close')
  return code
}

async function installed(): Promise<ReadonlyMap<string, { readonly dev?: boolean }>> {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'))
  const packages: Record<string, { dev?: boolean }> = lock.packages
  return new Map(Object.entries(packages).filter(([path]) => path !== ''))
}

t.test('holds what the program needs, and nothing else', async (t) => {
  const tree = await listTree(join(image.root, 'app'))
  const has = (path: string) => tree.has(`${path}/package.json`)
  for (const [path, { dev = false }] of await installed()) {
    if (dev) t.notOk(has(path), path)
  }
  for (const name of ['pg', 'pino', 'prom-client', 'ioredis', 'yaml', 'zod']) {
    t.ok(has(`node_modules/${name}`), name)
  }
  const strange = [...tree.keys()].filter((path) => !/^(node_modules|dist\/src)\//.test(path))
  t.strictSame(strange.sort(), ['LICENSE', 'package.json'])
  const own = [...tree.keys()].filter((path) => path.startsWith('dist/'))
  t.strictSame(
    own.filter((path) => path.endsWith('.ts') || path.endsWith('.map')),
    [],
  )
  const bytes = [...tree.values()].reduce((sum, entry) => sum + Number.parseInt(entry, 10), 0)
  t.comment(`below /app: ${(bytes / 1e6).toFixed(1)} MB in ${tree.size} files, beside Node`)
  t.ok(bytes < 40e6)
})

t.test('serves as an unprivileged user who may write nowhere, and ends when told to', async (t) => {
  const { stdout } = await run(join(node, 'node'), ['--version'])
  t.match(stdout, /^v24\./, 'under the Node of the image')
  const config = await servedSettings(saasSettings(server))
  await mkdir(join(image.root, 'etc/pgusher'), { recursive: true })
  await writeFile(join(image.root, 'etc/pgusher/pgusher.yaml'), stringify(config))
  if (!isRoot) await run('chmod', ['-R', 'a-w', image.root])
  t.teardown(() => (isRoot ? undefined : run('chmod', ['-R', 'u+w', image.root])))
  const before = await listTree(image.root)
  t.not(await exitCodeOf(image.healthcheck), 0, 'nothing serves yet')

  const child = start([...image.entrypoint, ...image.cmd])
  t.teardown(() => void child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk
    })
  }
  const exited = once(child, 'close')
  await until(() => output.includes('"serving"') || child.exitCode !== null)
  t.equal(child.exitCode, null, output)

  const words = (await readFile(`/proc/${child.pid}/cmdline`, 'utf8')).split('\0')
  t.match(words.slice(0, 2), ['node', '--max-semi-space-size=4'], 'it is the process, no shell')
  if (isRoot) t.match(await readFile(`/proc/${child.pid}/status`, 'utf8'), /^Uid:\s65532\s/m)

  const { port } = config['listen'] as { readonly port: number }
  const client = await RawClient.login(port, { user: 'app.globex', password: PASSWORD })
  t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), ['globex'])
  t.equal(await exitCodeOf(image.healthcheck), 0)
  await client.end()

  child.kill(image.stopSignal)
  t.strictSame(await exited, [0, null])
  t.strictSame(await listTree(image.root), before, 'it has written nothing')
})

t.test('says what it is', async (t) => {
  const titles = ['title', 'description', 'licenses', 'version', 'revision', 'created']
  for (const title of titles) t.ok(image.labels.get(`org.opencontainers.image.${title}`), title)
  t.strictSame(image.ports, [6432, 9127])
})
