import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Between two looks whether the port is open, in ms: also the error of a start that is timed. */
const POLL_MS = 2
const START_LIMIT_MS = 60_000
/** How long SIGTERM is given before SIGKILL. */
const PATIENCE_MS = 5000
const OUTPUT_LIMIT_CHARS = 64 * 1024

/** What is started, and the port at which it shows that it is up. */
export interface DaemonOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly port: number
  readonly options?: Pick<SpawnOptions, 'uid' | 'gid' | 'cwd' | 'env'>
}

/** A server that runs as a process of its own. */
export interface Daemon {
  readonly pid: number
  readonly port: number
  /** From the start of the process to the first accepted connection. */
  readonly startMs: number
  stop(): Promise<void>
}

/** @throws Error - with what the process said, when it ends before it listens. */
export async function startDaemon({
  command,
  args,
  port,
  options = {},
}: DaemonOptions): Promise<Daemon> {
  const startedMs = performance.now()
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_LIMIT_CHARS)
    })
  }
  await once(child, 'spawn')
  try {
    await untilListening(child, port)
  } catch (error) {
    await stop(child)
    throw new Error(`${command} ${args.join(' ')} did not start:\n${output}`, { cause: error })
  }
  const startMs = performance.now() - startedMs
  return { pid: child.pid ?? 0, port, startMs, stop: () => stop(child) }
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  const deadlineMs = performance.now() + START_LIMIT_MS
  while (!(await accepts(port))) {
    if (hasEnded(child)) throw new Error('it ended')
    if (performance.now() > deadlineMs) throw new Error('it took too long')
    await sleep(POLL_MS)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  await ended
  clearTimeout(timer)
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
