import { type ParseArgsConfig, parseArgs } from 'node:util'
import { ProxyError } from '../base/proxy-error.ts'
import { ConfigError } from '../config/config-errors.ts'

/** Exit codes of every subcommand. */
export const ExitCode = { ok: 0, failure: 1, usage: 2 } as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** What a subcommand has of the outside. */
export interface CommandIo {
  readonly env: NodeJS.ProcessEnv
  /** UTF-8; read to its end by commands that are told a secret. */
  readonly stdin: AsyncIterable<Uint8Array | string>
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
}

/** The command line makes no sense; the message says how it would. */
export class UsageError extends Error {}

/**
 * The configuration file that a command is to read, when it has no other option: `--config`, else
 * `PGUSHER_CONFIG`.
 *
 * @throws UsageError - when neither is there, or another option is.
 */
export function configFile(args: readonly string[], env: NodeJS.ProcessEnv): string {
  return namedConfigFile(readOptions(args, { config: { type: 'string' } }).config, env)
}

/**
 * @param named - What `--config` says.
 * @throws UsageError - when neither that nor `PGUSHER_CONFIG` names a file.
 */
export function namedConfigFile(named: string | undefined, env: NodeJS.ProcessEnv): string {
  const file = named ?? env['PGUSHER_CONFIG']
  if (file === undefined || file === '') {
    throw new UsageError('name the configuration file: --config FILE, or PGUSHER_CONFIG')
  }
  return file
}

/**
 * Reads the options of a command, which takes nothing else.
 *
 * @throws UsageError - when something else is there, or an option lacks its value.
 */
export function readOptions<const Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ options: Options }>>['values'] {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Turns what a user can mend into a message and an exit code; a bug stays an exception. */
export function reportFailure(error: unknown, { stderr }: CommandIo): ExitCode {
  if (!(error instanceof UsageError) && !(error instanceof ProxyError)) throw error
  stderr.write(`pgusher: ${error.message}\n`)
  const isUsage = error instanceof UsageError || error instanceof ConfigError
  return isUsage ? ExitCode.usage : ExitCode.failure
}
