import { nearestName } from '../../../base/nearest-name.ts'
import { ConsoleSyntaxError } from '../console-errors.ts'
import type { Statement } from '../language/statements.ts'
import { columns } from '../table.ts'
import { expectEnd } from './arguments.ts'
import { CHANGE_COMMANDS } from './change-commands.ts'
import type { Command, Deed } from './command.ts'
import { LOG_COMMANDS } from './log-commands.ts'
import { SESSION_COMMANDS } from './session-commands.ts'
import { SHOW_COMMANDS } from './show-commands.ts'

/** Lists those that people would type. */
const HELP: Command = {
  words: ['SHOW', 'HELP'],
  right: 'stats',
  tag: 'SHOW',
  columns: columns('text', 'command role'),
  read(rest) {
    expectEnd(rest)
    return { run: () => ({ rows: helpRows() }) }
  },
}

/** Every command that there is, with the right that it needs: nothing else is ever run. */
export const COMMANDS: readonly Command[] = [
  HELP,
  ...SHOW_COMMANDS,
  ...CHANGE_COMMANDS,
  ...LOG_COMMANDS,
  ...SESSION_COMMANDS,
]

/** A command that was typed. */
export interface ReadCommand {
  readonly command: Command
  readonly deed: Deed
}

/**
 * Finds the command that a statement begins with, the longest one, and reads what follows.
 *
 * @throws ConsoleSyntaxError, ConsoleUnsupportedError - it is none, or what follows makes no sense.
 */
export function readCommand(statement: Statement): ReadCommand {
  const command = COMMANDS.filter(({ words }) => beginsWith(statement, words)).reduce<
    Command | undefined
  >(
    (best, one) => (best !== undefined && best.words.length >= one.words.length ? best : one),
    undefined,
  )
  if (command === undefined) throw unknownCommand(statement)
  return { command, deed: command.read(statement.slice(command.words.length)) }
}

/** As people write it. */
export function nameOf({ words }: Command): string {
  return words.join(' ')
}

function beginsWith(statement: Statement, words: readonly string[]): boolean {
  return words.every((word, index) => {
    const token = statement[index]
    return token?.kind === 'word' && token.text.toUpperCase() === word
  })
}

function unknownCommand(statement: Statement): ConsoleSyntaxError {
  const words = statement
    .filter(({ kind }) => kind === 'word')
    .map(({ text }) => text.toUpperCase())
  const typed = words.slice(0, 2).join(' ').slice(0, 63)
  const names = COMMANDS.filter(({ isRefused }) => isRefused !== true).map(nameOf)
  const nearest = nearestName(typed, names) ?? nearestName(words[0]?.slice(0, 63) ?? '', names)
  const fault = 'no such command of the console'
  return nearest === undefined
    ? new ConsoleSyntaxError(fault)
    : new ConsoleSyntaxError(fault, `Did you mean ${nearest}? SHOW HELP lists the commands.`)
}

function helpRows() {
  return [HELP, ...SHOW_COMMANDS, ...CHANGE_COMMANDS, ...LOG_COMMANDS]
    .filter(({ isRefused }) => isRefused !== true)
    .map((command) => ({
      command: [nameOf(command), command.usage ?? ''].join(' ').trim(),
      role: command.right,
    }))
}
