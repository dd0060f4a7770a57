import type { ProxyError } from '../base/proxy-error.ts'
import { errorResponse } from '../wire/backend-messages.ts'

/** The ErrorResponse that ends a session. */
export function fatalResponse(error: ProxyError): Buffer {
  return errorResponse({
    severity: 'FATAL',
    code: error.sqlState,
    message: error.clientMessage,
    hint: error.hint,
  })
}
