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

/** A client holds `limits.maxPreparedPerClient` named statements already. */
export class TooManyStatementsError extends ProxyError {
  override readonly code = 'TOO_MANY_STATEMENTS'
  override readonly sqlState = SqlState.programLimitExceeded
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint = 'Close prepared statements that are no longer used.'

  constructor(max: number) {
    const message = `a session may hold at most ${max} prepared statements`
    super(message)
    this.clientMessage = message
  }
}
