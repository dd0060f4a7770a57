import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { PASSWORD, type TestProxy } from './proxy.ts'

/** A program of Postgres, as a client of a tenant. */
export interface ToolRun {
  readonly proxy: TestProxy
  readonly tenant: string
  /** Found on the PATH. */
  readonly program: string
  readonly args: readonly string[]
}

/** One that runs. */
export interface RunningTool {
  readonly child: ChildProcess
  /** What it has said so far. */
  output(): string
  readonly exitCode: Promise<number | null>
}

/** As much of a tap test as ends what was started. */
export interface Ending {
  teardown(action: () => void): void
}

/** Starts a program; it ends with the test at the latest. */
export function startTool(t: Ending, { proxy, tenant, program, args }: ToolRun): RunningTool {
  const { PATH = '', HOME = '' } = process.env
  const env = {
    PATH,
    HOME,
    LANG: 'C.UTF-8',
    PGHOST: '127.0.0.1',
    PGPORT: String(proxy.port),
    PGUSER: `app.${tenant}`,
    PGPASSWORD: PASSWORD,
  }
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => void child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  const exitCode = once(child, 'close').then(([code]) => code as number | null)
  return { child, output: () => output, exitCode }
}
