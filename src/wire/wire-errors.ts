import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** Bytes that no peer speaking protocol v3 would send. The connection can't be used further. */
export class ProtocolViolationError extends ProxyError {
  override readonly code = 'PROTOCOL_VIOLATION'
  override readonly sqlState = SqlState.protocolViolation
  override readonly origin = 'client'
  override readonly clientMessage: string

  /** @param clientMessage - Also the log message: say what is wrong, never quote what was sent. */
  constructor(clientMessage: string, options?: ErrorOptions) {
    super(clientMessage, options)
    this.clientMessage = clientMessage
  }
}

/**
 * The two ends of a TLS connection don't see the same one: somebody is in between, or took our
 * offer of channel binding out of the conversation.
 */
export class ChannelBindingError extends ProxyError {
  override readonly code = 'CHANNEL_BINDING_FAILED'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage: string

  /** @param clientMessage - Also the log message. */
  constructor(clientMessage: string, options?: ErrorOptions) {
    super(clientMessage, options)
    this.clientMessage = clientMessage
  }
}

/** The startup parameter `options` holds something other than settings. */
export class UnsupportedOptionError extends ProxyError {
  override readonly code = 'UNSUPPORTED_OPTION'
  override readonly sqlState = SqlState.invalidParameterValue
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint = 'options may hold "-c name=value" and "--name=value"'

  /** @param argument - What was not understood. Cut at `=`, as a value may be a secret. */
  constructor(argument: string, options?: ErrorOptions) {
    const [shown = ''] = argument.slice(0, 63).split('=')
    const text = `unsupported argument in the startup options: "${shown}"`
    super(text, options)
    this.clientMessage = text
  }
}
