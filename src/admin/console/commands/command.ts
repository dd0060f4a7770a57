import type { TenantLogLevels } from '../../../telemetry/log/tenant-log-levels.ts'
import type { Operations } from '../../operations.ts'
import type { ConsoleSources } from '../console-sources.ts'
import type { Token } from '../language/statements.ts'
import type { Column, Row } from '../table.ts'
import type { TotalsHistory } from '../tenant-totals.ts'

/** What a login may do; `admin` includes `stats`. */
export type ConsoleRole = 'admin' | 'stats'

/** What a command works on. */
export interface CommandContext {
  readonly sources: ConsoleSources
  readonly history: TotalsHistory
  readonly operations: Operations
  readonly logLevels: TenantLogLevels
  /** Aborted when the operator cancels the command, or leaves. */
  readonly signal: AbortSignal
}

/** What came of a command. */
export interface Answer {
  /** Of the command's columns. */
  readonly rows?: readonly Row[]
  /** Told beside the answer. */
  readonly notice?: string | undefined
}

/** A command with its arguments. */
export interface Deed {
  /** The tenant that it is about, for the log. */
  readonly tenant?: string | undefined
  run(context: CommandContext): Answer | Promise<Answer>
}

/** One command of the console. */
export interface Command {
  /** What it begins with, in capitals. */
  readonly words: readonly string[]
  /** What may follow them, for people. */
  readonly usage?: string
  /** What a login needs for it. `admin` for whatever changes something; each of these is logged. */
  readonly right: ConsoleRole
  /** PgBouncer has it, and here it only tells what to do instead. */
  readonly isRefused?: true
  /** Names it in CommandComplete. */
  readonly tag: string
  /** None where it answers without rows. */
  readonly columns: readonly Column[]
  /**
   * Reads what follows the words.
   *
   * @throws ConsoleSyntaxError - when that makes no sense.
   */
  read(rest: readonly Token[]): Deed
}
