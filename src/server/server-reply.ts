import type { WireMessage } from '../wire/message-buffer.ts'
import { BackendCode } from '../wire/message-codes.ts'
import { readErrorFields } from '../wire/message-fields.ts'
import type { MessageReader } from './message-reader.ts'
import { type ServerAddress, ServerLoginError } from './server-errors.ts'

/** One login under way: whom we talk to, and where its messages come from. */
export interface LoginExchange {
  readonly address: ServerAddress
  readonly reader: MessageReader
}

/**
 * The next message that says something about the login: notices are skipped.
 *
 * @throws ServerLoginError - the server sent an ErrorResponse.
 */
export async function nextReply({ address, reader }: LoginExchange): Promise<WireMessage> {
  for (;;) {
    const message = await reader.next()
    if (message.code === BackendCode.errorResponse) throw refusalOf(address, message.body)
    if (message.code !== BackendCode.noticeResponse) return message
  }
}

/** A message that has no place in a login: we never guess what it may mean. */
export function unexpectedMessage(address: ServerAddress, code: number): ServerLoginError {
  const shown = code.toString(16).padStart(2, '0')
  return new ServerLoginError(address, {
    reason: `it sent a message of type 0x${shown}, which has no place there`,
    isPermanent: false,
  })
}

function refusalOf(address: ServerAddress, body: Buffer): ServerLoginError {
  const fields = readErrorFields(body)
  const serverSqlState = fields.get('C')
  const serverMessage = fields.get('M')
  return new ServerLoginError(address, {
    reason: `${serverMessage ?? 'no reason given'} (SQLSTATE ${serverSqlState ?? 'missing'})`,
    serverSqlState,
    serverMessage,
    isPermanent: isPermanentSqlState(serverSqlState),
  })
}

/** Class 28 is about the login, 3D000 about the database: neither heals by itself. */
function isPermanentSqlState(sqlState = ''): boolean {
  return sqlState.startsWith('28') || sqlState === '3D000'
}
