import type { WireMessage } from '../../wire/message-buffer.ts'
import { BackendCode } from '../../wire/message-codes.ts'
import { readErrorFields } from '../../wire/message-fields.ts'
import { type ServerAddress, ServerLoginError } from '../server-errors.ts'
import type { MessageReader } from './message-reader.ts'

/** What is said beyond that in one login is forgotten. */
const MAX_NOTICES = 100

/** One login under way: whom we talk to, and where its messages come from. */
export interface LoginExchange {
  readonly address: ServerAddress
  readonly reader: MessageReader
  /** NoticeResponse bodies that came on the way. */
  readonly notices: Buffer[]
}

/**
 * The next message that says something about the login: notices are laid by.
 *
 * @throws ServerLoginError - the server sent an ErrorResponse.
 */
export async function nextReply(exchange: LoginExchange): Promise<WireMessage> {
  const { address, reader, notices } = exchange
  for (;;) {
    const message = await reader.next()
    if (message.code === BackendCode.errorResponse) throw refusalOf(address, message.body)
    if (message.code !== BackendCode.noticeResponse) return message
    if (notices.length < MAX_NOTICES) notices.push(Buffer.from(message.body))
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
    // Copied, as a view would keep the whole chunk alive.
    serverReport: Buffer.from(body),
    isPermanent: isPermanentSqlState(serverSqlState),
  })
}

/** Class 28 is about the login, 3D000 about the database: neither heals by itself. */
function isPermanentSqlState(sqlState = ''): boolean {
  return sqlState.startsWith('28') || sqlState === '3D000'
}
