import type { CancelKey } from '../cancel/cancel-keys.ts'
import {
  authenticationOk,
  backendKeyData,
  parameterStatus,
  readyForQuery,
} from '../wire/backend-messages.ts'

/** What ends a login: it is all said in one write. */
export function greeting(parameters: ReadonlyMap<string, string>, key: CancelKey): Buffer {
  return Buffer.concat([
    authenticationOk(),
    ...[...parameters].map(([name, value]) => parameterStatus(name, value)),
    backendKeyData(key.processId, key.secretKey),
    readyForQuery('I'),
  ])
}
