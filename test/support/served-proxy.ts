import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { probePort } from './postgres-cluster.ts'
import { PASSWORD } from './proxy.ts'
import { until } from './until.ts'

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../src/main.js')

/** As much of a tap test as cleans up behind a process. */
export interface Cleaning {
  teardown(action: () => Promise<void>): void
}

/** A proxy process under test. */
export interface Served {
  readonly child: ChildProcess
  readonly port: number
  readonly file: string
  output(): string
  /** Resolves to the exit code. */
  readonly exited: Promise<number | null>
}

/** Settings as a file holds them, with free ports and a login. */
export async function servedSettings(
  base: Readonly<Record<string, unknown>>,
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, unknown>> {
  return {
    ...base,
    logins: [{ user: 'app', password: PASSWORD, tenants: '*' }],
    listen: { port: await probePort() },
    admin: { port: await probePort() },
    ...overrides,
  }
}

/** Starts `pgusher serve` on a configuration, of whatever worth; ends it with the test. */
export async function serve(t: Cleaning, config: unknown): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-test-'))
  const file = join(folder, 'pgusher.yaml')
  await writeFile(file, typeof config === 'string' ? config : stringify(config))
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], { env: {} })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  const exited = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true })
  })
  const listen = typeof config === 'string' ? undefined : (config as { listen: { port: number } })
  return { child, port: listen?.listen.port ?? 0, file, output: () => output, exited }
}

/** Starts it, and waits until it serves. */
export async function serveReady(
  t: Cleaning,
  config: Readonly<Record<string, unknown>>,
): Promise<Served> {
  const served = await serve(t, config)
  await until(() => served.output().includes('"serving"'))
  return served
}
