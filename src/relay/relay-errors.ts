import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** A named prepared statement is longer than `limits.maxStatementBytes`. */
export class StatementTooLongError extends ProxyError {
  override readonly code = 'STATEMENT_TOO_LONG'
  override readonly sqlState = SqlState.programLimitExceeded
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint = 'Use the unnamed statement, or session mode.'

  constructor(statementBytes: number, maxStatementBytes: number) {
    const message = `a prepared statement of ${statementBytes} bytes exceeds the limit of ${maxStatementBytes}`
    super(message)
    this.clientMessage = message
  }
}

/** A client holds as many named statements as it may, in number or in bytes. */
export class TooManyStatementsError extends ProxyError {
  override readonly code = 'TOO_MANY_STATEMENTS'
  override readonly sqlState = SqlState.programLimitExceeded
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint = 'Close prepared statements that are no longer used.'

  /** @param most - What it may hold, in words. */
  constructor(most: string) {
    const message = `a session may hold at most ${most}`
    super(message)
    this.clientMessage = message
  }
}
