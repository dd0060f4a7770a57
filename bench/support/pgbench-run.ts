import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** None of the `PG*` variables of the user: they would lead pgbench elsewhere. */
const ENV = { PATH: process.env['PATH'] }

/** How pgbench sends its query: `simple`, `extended` or `prepared`. */
export type QueryMode = 'simple' | 'extended' | 'prepared'

/** Where pgbench connects to. */
export interface PgbenchTarget {
  readonly port: number
  readonly user: string
  readonly database: string
}

/** One run of the select-only script. */
export interface PgbenchLoad {
  readonly mode: QueryMode
  readonly clients: number
  readonly seconds: number
}

/** What pgbench says at the end of a run. */
export interface PgbenchResult {
  readonly transactions: number
  /** Without the time to connect. */
  readonly perSecond: number
  readonly latencyMs: number
}

/** Fills the tables. @throws Error - with what pgbench said. */
export async function initialise(target: PgbenchTarget, scale: number): Promise<void> {
  await pgbench(target, ['-i', '-q', '-s', String(scale)])
}

/** @throws Error - with what pgbench said: also when one of its clients failed. */
export async function runPgbench(target: PgbenchTarget, load: PgbenchLoad): Promise<PgbenchResult> {
  const { mode, clients, seconds } = load
  const threads = clients > 1 ? 2 : 1
  const output = await pgbench(target, [
    ...['-n', '-S', '-M', mode],
    ...['-c', String(clients), '-j', String(threads), '-T', String(seconds)],
  ])
  return {
    transactions: numberIn(output, /number of transactions actually processed: (\d+)/),
    perSecond: numberIn(output, /tps = ([\d.]+)/),
    latencyMs: numberIn(output, /latency average = ([\d.]+) ms/),
  }
}

async function pgbench(target: PgbenchTarget, args: readonly string[]): Promise<string> {
  const address = ['-h', '127.0.0.1', '-p', String(target.port), '-U', target.user]
  try {
    const { stdout } = await run('pgbench', [...address, ...args, target.database], { env: ENV })
    return stdout
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new Error('pgbench is not on the PATH: Debian has it in postgresql', { cause })
    }
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new Error(`pgbench ${args.join(' ')} failed:\n${said || String(cause)}`, { cause })
  }
}

function numberIn(output: string, pattern: RegExp): number {
  const found = pattern.exec(output)?.[1]
  if (found === undefined) throw new Error(`pgbench did not say ${pattern.source}:\n${output}`)
  return Number(found)
}
