import { postAdmin } from '../admin/admin-client.ts'
import { AdminRequestError } from '../admin/admin-errors.ts'
import { readToken } from '../admin/admin-token.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load-config.ts'
import { FAREWELL_MS } from '../proxy-drain.ts'
import {
  type CommandIo,
  ExitCode,
  namedConfigFile,
  readOptions,
  reportFailure,
  UsageError,
} from './command.ts'

/** How much later than its bound a drain may be told of, in ms. */
const LEEWAY_MS = 1000

const OPTIONS = { config: { type: 'string' }, timeout: { type: 'string' } } as const

/** What decides how long a drain may take. */
export type DrainTimeouts = Pick<Config['timeouts'], 'drainDelayMs' | 'drainMs'>

/** Longest time from the word to drain until the process can end, in ms. */
export function drainBoundMs({ drainDelayMs, drainMs }: DrainTimeouts): number {
  return drainDelayMs + drainMs + FAREWELL_MS
}

/**
 * `pgusher drain [--config FILE] [--timeout SECONDS]`: has the proxy that runs with the same
 * configuration on this machine send its clients away, and waits until that is over. The proxy goes
 * on running without clients until it gets SIGTERM.
 */
export async function runDrain(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const { config: named, timeout } = readOptions(args, OPTIONS)
    const { admin, timeouts } = loadConfig({ file: namedConfigFile(named, io.env), env: io.env })
    const limitMs = timeout === undefined ? drainBoundMs(timeouts) + LEEWAY_MS : millis(timeout)
    const token = readToken(admin)
    if (token === undefined) {
      throw new UsageError('the proxy takes no such request: set admin.token or admin.tokenFile')
    }
    const outcome = await drain({ ...admin, token }, limitMs)
    io.stdout.write(`drained: ${outcome}\n`)
    return outcome === 'complete' ? ExitCode.ok : ExitCode.failure
  } catch (error) {
    return reportFailure(error, io)
  }
}

/** @throws AdminRequestError - the proxy does not answer, or is not drained in time. */
async function drain(place: Parameters<typeof postAdmin>[0], limitMs: number): Promise<string> {
  const signal = AbortSignal.timeout(limitMs)
  const port = `${place.host}:${place.port}`
  try {
    for (;;) {
      const { status, body } = await postAdmin(place, '/drain?wait', signal)
      if (status === 200) return outcomeIn(body)
      if (status !== 202) throw new AdminRequestError(`${port} answers ${status}: ${body.trim()}`)
    }
  } catch (error) {
    if (!signal.aborted) throw error
    throw new AdminRequestError(`${port} tells of no end within ${limitMs} ms`, { cause: error })
  }
}

function outcomeIn(body: string): string {
  const { outcome }: { readonly outcome?: unknown } = JSON.parse(body)
  return String(outcome)
}

function millis(seconds: string): number {
  const value = Number(seconds)
  if (seconds.trim() === '' || !(value > 0 && value <= MAX_SECONDS)) {
    throw new UsageError(`--timeout takes seconds, more than 0 and at most ${MAX_SECONDS}`)
  }
  return Math.ceil(value * 1000)
}

/** The longest that timers can wait is a little longer. */
const MAX_SECONDS = 2_000_000
