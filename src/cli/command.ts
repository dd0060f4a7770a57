import { parseArgs } from 'node:util'
import { ConfigError } from '../config/config-errors.ts'

/** Exit codes of every subcommand. */
export const ExitCode = { ok: 0, failure: 1, usage: 2 } as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** What a subcommand has of the outside. */
export interface CommandIo {
  readonly env: NodeJS.ProcessEnv
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
}

/** The command line makes no sense; the message says how it would. */
class UsageError extends Error {}

/**
 * The configuration file that a command is to read: `--config`, else `PGUSHER_CONFIG`.
 *
 * @throws UsageError - when neither is there, or another option is.
 */
export function configFile(args: readonly string[], env: NodeJS.ProcessEnv): string {
  const file = configOption(args) ?? env['PGUSHER_CONFIG']
  if (file === undefined || file === '') {
    throw new UsageError('name the configuration file: --config FILE, or PGUSHER_CONFIG')
  }
  return file
}

/** Turns what a user can mend into a message and an exit code; a bug stays an exception. */
export function reportFailure(error: unknown, { stderr }: CommandIo): ExitCode {
  if (!(error instanceof UsageError) && !(error instanceof ConfigError)) throw error
  stderr.write(`pgusher: ${error.message}\n`)
  return ExitCode.usage
}

function configOption(args: readonly string[]): string | undefined {
  try {
    return parseArgs({ args: [...args], options: { config: { type: 'string' } } }).values.config
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
