import type { Logger } from '../../base/logger.ts'
import { foreseen } from '../../session/session-errors.ts'
import type { Answer, CommandContext, ConsoleRole } from './commands/command.ts'
import { nameOf, type ReadCommand } from './commands/command-table.ts'
import { ConsoleRightError } from './console-errors.ts'

/** Who gives a command. */
export interface Commander {
  /** Of the connection. */
  readonly session: number
  readonly login: string
  /** Where the connection comes from. */
  readonly client: string
  /** What the login may do at this moment; `undefined` once the configuration has it no more. */
  role(): ConsoleRole | undefined
  readonly logger: Logger
}

/**
 * The one way by which commands are run: checks the right of the login, and logs what changes
 * something, whatever came of it.
 *
 * @throws ConsoleRightError - the login may not.
 * @throws ProxyError - the command failed.
 */
export async function runCommand(
  { command, deed }: ReadCommand,
  commander: Commander,
  context: CommandContext,
): Promise<Answer> {
  const role = commander.role()
  const isAllowed = role === 'admin' || role === command.right
  const refusal = isAllowed ? undefined : new ConsoleRightError(commander.login, nameOf(command))
  if (command.right !== 'admin') {
    if (refusal !== undefined) throw refusal
    return deed.run(context)
  }
  const { session, login, client, logger } = commander
  // Not `tenant`, whose log level could keep the line back.
  const fields = { session, login, client, command: nameOf(command), scope: deed.tenant }
  try {
    if (refusal !== undefined) throw refusal
    const answer = await deed.run(context)
    logger.info('operator command', { ...fields, notice: answer.notice })
    return answer
  } catch (thrown) {
    const { code, message } = foreseen(thrown)
    logger.warn('operator command failed', { ...fields, code, detail: message })
    throw thrown
  }
}
