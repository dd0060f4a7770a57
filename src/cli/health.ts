import { loadConfig } from '../config/load-config.ts'
import { type CommandIo, configFile, ExitCode, reportFailure } from './command.ts'

/** Longest wait for an answer, in ms. */
const TIMEOUT_MS = 2000

/** Addresses that mean "all of this machine" to a server, and where to reach that. */
const LOOPBACKS: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** `pgusher health [--config FILE]`: whether the proxy of this configuration says that it is ready. */
export async function runHealth(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  let url: URL
  try {
    url = readyPage(loadConfig({ file: configFile(args, io.env), env: io.env }).admin)
  } catch (error) {
    return reportFailure(error, io)
  }
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    io.stdout.write(await response.text())
    return response.ok ? ExitCode.ok : ExitCode.failure
  } catch (error) {
    io.stderr.write(`pgusher: ${url} does not answer: ${reasonOf(error)}\n`)
    return ExitCode.failure
  }
}

function readyPage({ host, port }: { readonly host: string; readonly port: number }): URL {
  const reached = LOOPBACKS.get(host) ?? host
  return new URL(`http://${reached.includes(':') ? `[${reached}]` : reached}:${port}/readyz`)
}

/** fetch hides the reason behind words of its own. */
function reasonOf(error: unknown): string {
  const { cause = error } = error as { readonly cause?: unknown }
  return cause instanceof Error ? cause.message : String(cause)
}
