import type { CancelKey } from '../../cancel/cancel-keys.ts'
import type { LoginNotices } from '../../server/open/login.ts'
import {
  authenticationOk,
  backendKeyData,
  parameterStatus,
  readyForQuery,
} from '../../wire/backend-messages.ts'
import { message } from '../../wire/byte-writer.ts'
import { BackendCode } from '../../wire/message-codes.ts'

/** What a client is greeted with. */
export interface Greeting {
  readonly parameters: ReadonlyMap<string, string>
  readonly key: CancelKey
  /** What the server remarked, where the client has one of its own. */
  readonly notices?: LoginNotices | undefined
}

/** What ends a login: it is all said in one write. */
export function greeting({ parameters, key, notices }: Greeting): Buffer {
  return Buffer.concat([
    authenticationOk(),
    ...(notices?.early ?? []).map(notice),
    ...[...parameters].map(([name, value]) => parameterStatus(name, value)),
    backendKeyData(key.processId, key.secretKey),
    ...(notices?.late ?? []).map(notice),
    readyForQuery('I'),
  ])
}

function notice(body: Buffer): Buffer {
  return message(BackendCode.noticeResponse, body)
}
