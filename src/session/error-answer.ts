import type { ProxyError } from '../base/proxy-error.ts'
import { errorResponse } from '../wire/backend-messages.ts'

/**
 * What a client is told of an error.
 *
 * @param severity - `ERROR` where its session goes on, `FATAL` where it ends.
 */
export function errorAnswer(error: ProxyError, severity: 'ERROR' | 'FATAL'): Buffer {
  const { sqlState: code, clientMessage, hint } = error
  return errorResponse({ severity, code, message: clientMessage, hint })
}
