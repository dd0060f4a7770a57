import { ProxyError } from '../../base/proxy-error.ts'
import { SqlState } from '../../base/sql-state.ts'

/** What an operator typed is no command of the console, or not complete. */
export class ConsoleSyntaxError extends ProxyError {
  override readonly code = 'CONSOLE_SYNTAX'
  override readonly sqlState = SqlState.syntaxError
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string

  /** @param fault - Also the log message: quotes nothing but names of commands. */
  constructor(fault: string, hint = 'SHOW HELP lists the commands.') {
    super(fault)
    this.clientMessage = fault
    this.hint = hint
  }
}

/** The command is not for this login. */
export class ConsoleRightError extends ProxyError {
  override readonly code = 'CONSOLE_RIGHT_MISSING'
  override readonly sqlState = SqlState.insufficientPrivilege
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint = 'Log in with a login whose role in console.logins allows it.'

  constructor(login: string, command: string) {
    super(`console login ${JSON.stringify(login)} may not ${command}`)
    this.clientMessage = `permission denied for ${command}`
  }
}

/** A command of PgBouncer's that has no meaning here, or one that drivers send and nobody needs. */
export class ConsoleUnsupportedError extends ProxyError {
  override readonly code = 'CONSOLE_UNSUPPORTED'
  override readonly sqlState = SqlState.featureNotSupported
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string | undefined

  constructor(what: string, hint?: string) {
    super(`the console does not support ${what}`)
    this.clientMessage = this.message
    this.hint = hint
  }
}

/** A setting can't be changed here: the configuration says what it is. */
export class ConsoleSettingError extends ProxyError {
  override readonly code = 'CONSOLE_SETTING'
  override readonly sqlState = SqlState.cantChangeRuntimeParam
  override readonly origin = 'client'
  override readonly clientMessage = 'settings are changed in the configuration'
  override readonly hint = 'Change the file or the environment, then RELOAD.'

  constructor() {
    super('a SET that is not for the session of a driver')
  }
}

/** Nobody has such a name or number: a tenant, a session. */
export class ConsoleUnknownObjectError extends ProxyError {
  override readonly code = 'CONSOLE_UNKNOWN_OBJECT'
  override readonly sqlState = SqlState.undefinedObject
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string | undefined

  constructor(what: string, hint?: string) {
    super(`there is no ${what}`)
    this.clientMessage = this.message
    this.hint = hint
  }
}

/** The operator canceled a command that was waiting for something, such as PAUSE. */
export class ConsoleCanceledError extends ProxyError {
  override readonly code = 'CONSOLE_CANCELED'
  override readonly sqlState = SqlState.queryCanceled
  override readonly origin = 'client'
  override readonly clientMessage = 'canceling statement due to user request'
  override readonly hint = 'What the command began stays: RESUME ends a pause.'

  constructor() {
    super('a command of the console was canceled')
  }
}

/** A prepared statement or portal that a message names is not there, or there are too many. */
export class ConsoleStatementError extends ProxyError {
  override readonly code = 'CONSOLE_STATEMENT'
  override readonly sqlState: SqlState
  override readonly origin = 'client'
  override readonly clientMessage: string

  constructor(sqlState: SqlState, fault: string) {
    super(fault)
    this.sqlState = sqlState
    this.clientMessage = fault
  }
}

/** A reload was refused: the configuration in force stays. The log has the reasons. */
export class ConsoleReloadError extends ProxyError {
  override readonly code = 'CONSOLE_RELOAD'
  override readonly sqlState = SqlState.configFileError
  override readonly origin = 'client'
  override readonly clientMessage = 'the configuration was refused; the one before stays in force'
  override readonly hint: string

  /** @param problems - What is wrong, with places; secrets are not quoted in it. */
  constructor(problems: string, options?: ErrorOptions) {
    super(`the configuration was refused: ${problems}`, options)
    this.hint = problems
  }
}

/** As many operators are connected as `console.maxClients` allows. */
export class ConsoleFullError extends ProxyError {
  override readonly code = 'CONSOLE_FULL'
  override readonly sqlState = SqlState.tooManyConnections
  override readonly origin = 'client'
  override readonly clientMessage = 'too many clients of the console'

  constructor(maxClients: number) {
    super(`all ${maxClients} places of the console are taken`)
  }
}
