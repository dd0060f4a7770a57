import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** As many tenants as may have a log level of their own have one. Told to operators alone. */
export class LogLevelsFullError extends ProxyError {
  override readonly code = 'LOG_LEVELS_FULL'
  override readonly sqlState = SqlState.programLimitExceeded
  override readonly origin = 'client'
  override readonly clientMessage = 'too many tenants have a log level of their own'
  override readonly hint = 'Clear one that is not needed any more.'

  constructor() {
    super('too many tenants have a log level of their own')
  }
}
