import { getAdmin } from '../admin/admin-client.ts'
import { loadConfig } from '../config/load-config.ts'
import { type CommandIo, configFile, ExitCode, reportFailure } from './command.ts'

/** Longest wait for an answer, in ms. */
const TIMEOUT_MS = 2000

/**
 * `pgusher health [--config FILE]`: whether the proxy that runs with the same configuration on this
 * machine is ready.
 */
export async function runHealth(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const { admin } = loadConfig({ file: configFile(args, io.env), env: io.env })
    const { status, body } = await getAdmin(admin, '/readyz', AbortSignal.timeout(TIMEOUT_MS))
    io.stdout.write(body)
    return status === 200 ? ExitCode.ok : ExitCode.failure
  } catch (error) {
    return reportFailure(error, io)
  }
}
