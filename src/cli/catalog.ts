import { runInit } from './catalog-init.ts'
import { runRekey } from './catalog-rekey.ts'
import { runSeal } from './catalog-seal.ts'
import { type CommandIo, type ExitCode, reportFailure, UsageError } from './command.ts'

/**
 * `pgusher catalog init | rekey | seal`: sets up and tends the catalog's tables in Postgres.
 *
 * @param args - What follows `catalog` on the command line.
 */
export async function runCatalog(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const [command, ...others] = args
  switch (command) {
    case 'init':
      return runInit(others, io)
    case 'rekey':
      return runRekey(others, io)
    case 'seal':
      return runSeal(others, io)
    default:
      return reportFailure(new UsageError('say what to do: catalog init, rekey or seal'), io)
  }
}
