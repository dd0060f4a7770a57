import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { findLeaks } from '../../examples/demo/refusals.ts'
import { TENANTS } from '../../examples/demo/tenants.ts'
import { findFaults } from '../../examples/demo/visit.ts'
import { processEnvironment } from '../../src/config/sources/process-environment.ts'
import { failOnLeaks } from '../support/leaks.ts'
import { cacheDir } from '../support/postgres-binaries.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)

const DEMO = fileURLToPath(new URL('../../examples/demo/demo.js', import.meta.url))
/** The last line that the demo says before it waits. */
const SERVING = 'Ctrl-C ends the demo'

interface RunningDemo {
  kill(signal: NodeJS.Signals): void
  /** Resolves to the output so far when it holds `text`; rejects when the demo ends before. */
  says(text: string): Promise<string>
  readonly ended: Promise<{ readonly exitCode: number | null; readonly output: string }>
  /** Fails the test if a process or a file of the demo is still there. */
  leavesNothing(): Promise<void>
}

/** The demo as a process whose temporary files are in a folder of its own. */
async function startDemo(t: Test, args: readonly string[]): Promise<RunningDemo> {
  const folder = mkdtempSync(join(tmpdir(), 'demo-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  const cache = await cacheDir()
  symlinkSync(cache, join(folder, basename(cache)))
  failOnLeaks(t)
  const child = spawn(process.execPath, [DEMO, ...args], {
    env: { ...processEnvironment, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(async () => void child.kill('SIGKILL'))
  let output = ''
  const take = (text: string) => {
    output += text
  }
  child.stdout.setEncoding('utf8').on('data', take)
  child.stderr.setEncoding('utf8').on('data', take)
  const ended = once(child, 'close').then(([exitCode]) => ({ exitCode, output }))
  return {
    kill: (signal) => void child.kill(signal),
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        child.stdout.on('data', () => {
          if (output.includes(text)) resolve(output)
        })
        void ended.then(() => reject(new Error(`the demo ended:\n${output}`)))
      }),
    async leavesNothing() {
      t.strictSame(readdirSync(folder), [basename(cache)], 'no file is left')
      await until(() => processesAt(folder).length === 0)
    },
  }
}

/** Command lines that name a folder: the server's and its watchdog's do. */
function processesAt(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(folder))
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/** The cells of the lines that begin with a tenant's name. */
function tenantRows(output: string): readonly (readonly string[])[] {
  const rows = output.split('\n').map((line) => line.trim().split(/ {2,}/))
  return TENANTS.flatMap(({ name }) => rows.filter(([first]) => first === name).slice(0, 1))
}

t.test('once: six tenants, each with its own rows, and nothing left', async (t) => {
  const demo = await startDemo(t, ['--once'])
  const { exitCode, output } = await demo.ended
  t.equal(exitCode, 0, output)
  const rows = tenantRows(output)
  t.strictSame(
    rows.map(([tenant, strategy, database, , orders, owners]) => {
      return { tenant, strategy, database, orders, owners }
    }),
    TENANTS.map(({ name, strategy, items }) => ({
      tenant: name,
      strategy,
      database: strategy === 'database' ? name : 'saas',
      orders: `${items.length + 1}`,
      owners: name,
    })),
  )
  const backends = rows.map((row) => row[6])
  t.equal(new Set(backends.slice(2)).size, 1, 'schema and row tenants share a server connection')
  t.equal(new Set(backends).size, 3, 'and nobody else does')
  for (const reason of ['notGranted', 'unknownTenant', 'wrongPassword']) t.match(output, reason)
  await demo.leavesNothing()
})

t.test('serves until Ctrl-C, and the lines that it shows work', async (t) => {
  const demo = await startDemo(t, [])
  const output = await demo.says(SERVING)
  const lines = output.split('\n').filter((line) => /^ {2}(psql|PGPASSWORD=)/.test(line))
  const found: string[] = []
  const look = lines.pop() ?? ''
  const { stdout: seen } = await run('/bin/sh', ['-c', `${look} -X`])
  for (const word of ['cl_active', 'strategy', 'initech']) t.match(seen, word, 'the console')
  for (const line of lines) {
    const command = `${line} -X -At -c 'SELECT DISTINCT owner FROM orders'`
    const { stdout } = await run('/bin/sh', ['-c', command])
    found.push(stdout.trim().split('\n').at(-1) ?? '')
  }
  t.strictSame(found, ['acme', 'globex', 'hooli', 'initech'])
  demo.kill('SIGINT')
  t.equal((await demo.ended).exitCode, 0)
  await demo.leavesNothing()
})

t.test('can be interrupted while it starts', async (t) => {
  const demo = await startDemo(t, [])
  await demo.says('Starting')
  demo.kill('SIGINT')
  demo.kill('SIGINT')
  const { exitCode, output } = await demo.ended
  t.equal(exitCode, 0, output)
  t.notMatch(output, 'Error')
  await demo.leavesNothing()
})

const TENANT = { name: 'acme', strategy: 'database', items: ['anvil'] } as const
const VIEWS = [
  { name: 'its own', view: { orders: 2, owners: ['acme'], updated: 2 }, faults: 0 },
  {
    name: 'rows of another',
    view: { orders: 2, owners: ['acme', 'hooli'], updated: 2 },
    faults: 1,
  },
  { name: 'too many rows', view: { orders: 3, owners: ['acme'], updated: 2 }, faults: 1 },
  { name: 'a write too far', view: { orders: 2, owners: ['acme'], updated: 3 }, faults: 1 },
  { name: 'nothing', view: { orders: 0, owners: [], updated: 0 }, faults: 2 },
] as const
for (const { name, view, faults } of VIEWS) {
  t.test(`the demo's check: ${name}`, async (t) => {
    t.equal(findFaults(TENANT, view).length, faults)
  })
}

const REFUSED = { attempt: 'x', sqlState: '28P01', message: 'no', reason: 'r' } as const
const ATTEMPTS = [
  { name: 'all alike', refusals: [REFUSED, REFUSED], leaks: 0 },
  { name: 'other words', refusals: [REFUSED, { ...REFUSED, message: 'never' }], leaks: 1 },
  { name: 'let in', refusals: [REFUSED, { ...REFUSED, sqlState: 'let in' }], leaks: 1 },
] as const
for (const { name, refusals, leaks } of ATTEMPTS) {
  t.test(`the demo's check of refusals: ${name}`, async (t) => {
    t.equal(findLeaks(refusals).length, leaks)
  })
}
