import { SqlState } from '../../../base/sql-state.ts'
import {
  bindComplete,
  closeComplete,
  noData,
  noParameters,
  parseComplete,
} from '../../../wire/backend-messages.ts'
import {
  type BindRequest,
  type ExecuteRequest,
  type NamedObject,
  type ParseRequest,
  readBind,
  readExecute,
  readNamedObject,
  readParse,
} from '../../../wire/extended-messages.ts'
import { type ReadCommand, readCommand } from '../commands/command-table.ts'
import { ConsoleStatementError, ConsoleSyntaxError } from '../console-errors.ts'
import { readStatements } from '../language/statements.ts'
import type { Row } from '../table.ts'
import { ResultEncoder } from './result-encoder.ts'

/** Most named statements, and most portals, of one connection. */
const MAX_NAMED = 100

/** A prepared statement. */
interface Prepared {
  /** `undefined` for a text without a command. */
  readonly read: ReadCommand | undefined
}

/** A statement that is bound, and how far it was run. */
export interface Portal extends Prepared {
  readonly encoder: ResultEncoder
  /** Rows that were not fetched yet; `undefined` before the command was run. */
  rows: readonly Row[] | undefined
}

/** The statements and portals of one connection: all of the extended protocol but Execute. */
export class PreparedCommands {
  readonly #statements = new Map<string, Prepared>()
  readonly #portals = new Map<string, Portal>()

  /** @returns the answer to a Parse message. The other methods likewise. */
  parse(body: Buffer): Buffer {
    const { statement, text }: ParseRequest = readParse(body)
    if (statement !== '' && this.#statements.has(statement)) {
      throw new ConsoleStatementError(
        SqlState.duplicatePreparedStatement,
        'the prepared statement exists already',
      )
    }
    const [first, ...more] = readStatements(text)
    if (more.length > 0) {
      throw new ConsoleSyntaxError('several commands in one prepared statement')
    }
    const read = first === undefined ? undefined : readCommand(first)
    keep(this.#statements, statement, { read })
    return parseComplete()
  }

  bind(body: Buffer): Buffer {
    const { portal, statement, parameterCount, resultFormats }: BindRequest = readBind(body)
    const { read } = this.#statement(statement)
    if (parameterCount > 0) {
      throw new ConsoleStatementError(SqlState.protocolViolation, 'commands have no parameters')
    }
    const encoder = new ResultEncoder(read?.command.columns ?? [], resultFormats)
    keep(this.#portals, portal, { read, encoder, rows: undefined })
    return bindComplete()
  }

  describe(body: Buffer): Buffer {
    const target: NamedObject = readNamedObject(body, 'Describe')
    if (target.kind === 'portal') {
      const { read, encoder } = this.#portal(target.name)
      return hasColumns(read) ? encoder.description() : noData()
    }
    const { read } = this.#statement(target.name)
    const columns = read?.command.columns ?? []
    const result = hasColumns(read) ? new ResultEncoder(columns, []).description() : noData()
    return Buffer.concat([noParameters(), result])
  }

  close(body: Buffer): Buffer {
    const { kind, name }: NamedObject = readNamedObject(body, 'Close')
    if (kind === 'portal') this.#portals.delete(name)
    else this.#statements.delete(name)
    return closeComplete()
  }

  /** The portal that an Execute message names, and how many of its rows are asked for. */
  executed(body: Buffer): { readonly portal: Portal; readonly maxRows: number } {
    const { portal, maxRows }: ExecuteRequest = readExecute(body)
    return { portal: this.#portal(portal), maxRows }
  }

  /** A Sync ends what stands for a transaction, and portals with it. */
  sync(): void {
    this.#portals.clear()
  }

  /** A Query replaces what has no name. */
  dropUnnamed(): void {
    this.#statements.delete('')
    this.#portals.clear()
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name)
    if (portal !== undefined) return portal
    throw new ConsoleStatementError(SqlState.invalidCursorName, 'there is no such portal')
  }

  #statement(name: string): Prepared {
    const statement = this.#statements.get(name)
    if (statement !== undefined) return statement
    throw new ConsoleStatementError(
      SqlState.invalidSqlStatementName,
      'there is no such prepared statement',
    )
  }
}

function hasColumns(read: ReadCommand | undefined): boolean {
  return read !== undefined && read.command.columns.length > 0
}

function keep<Thing>(things: Map<string, Thing>, name: string, thing: Thing): void {
  if (things.size >= MAX_NAMED && !things.has(name)) {
    throw new ConsoleStatementError(
      SqlState.programLimitExceeded,
      `the console keeps ${MAX_NAMED} statements and portals at most`,
    )
  }
  things.set(name, thing)
}
