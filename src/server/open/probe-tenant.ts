import type { Socket } from 'node:net'
import { type DeadlineOptions, withDeadline } from '../../base/deadline.ts'
import { ProxyError } from '../../base/proxy-error.ts'
import type { ServerTarget } from '../../catalog/route.ts'
import { quoteLiteral } from '../../sql/quote.ts'
import type { Tenancy } from '../../tenancy/tenancy.ts'
import { query, terminate } from '../../wire/frontend-messages.ts'
import { BackendCode } from '../../wire/message-codes.ts'
import { endSocket } from '../end-socket.ts'
import { ServerLoginError, ServerUnreachableError } from '../server-errors.ts'
import { openServer } from './login.ts'
import { MessageReader } from './message-reader.ts'
import { type LoginExchange, nextReply, unexpectedMessage } from './server-reply.ts'

/** Whether what a tenant's record leads to is there. */
export type Presence = 'present' | 'absent'

/** What the server calls a login to a database that it does not have. */
const NO_SUCH_DATABASE = '3D000'
const STATUS_IDLE = 0x49

/** Nothing of a client's: where to look, and whom the server's own list of sessions shows. */
const STARTUP_PARAMETERS = [
  ['search_path', 'pg_catalog'],
  ['application_name', 'pgusher probe'],
] as const

/** DataRow bodies with one boolean. */
const PRESENCE_OF_ROW: ReadonlyMap<string, Presence> = new Map([
  [booleanRow('t'), 'present'],
  [booleanRow('f'), 'absent'],
])

/**
 * Asks the server for the database or the schema that a tenant's record leads to, over a connection
 * of its own that is closed with the answer. Of what a client sent, the tenant's name at most is in
 * it, inside a quoted literal. The rows of a `row` tenant are not asked for: it is present.
 *
 * Postgres checks the password before it says that there is no such database.
 *
 * @throws ServerUnreachableError - refused, timed out, aborted or closed early.
 * @throws ServerLoginError - the server refused the login or the question, or gave no answer that
 *   makes sense. The missing database of a `schema` tenant is such a refusal.
 */
export async function probeTenant(
  target: ServerTarget,
  tenancy: Tenancy,
  options: DeadlineOptions,
): Promise<Presence> {
  switch (tenancy.strategy) {
    case 'database':
      return probeDatabase(target, options)
    case 'schema':
      return withDeadline(options, (signal) => probeSchema(target, tenancy, signal))
    case 'row':
      return 'present'
  }
}

async function probeDatabase(target: ServerTarget, options: DeadlineOptions): Promise<Presence> {
  try {
    const { socket } = await openServer(target, {
      ...options,
      startupParameters: STARTUP_PARAMETERS,
    })
    sayGoodbye(socket)
    return 'present'
  } catch (error) {
    if (error instanceof ServerLoginError && error.serverSqlState === NO_SUCH_DATABASE) {
      return 'absent'
    }
    throw error
  }
}

async function probeSchema(
  target: ServerTarget,
  { searchPath }: Extract<Tenancy, { readonly strategy: 'schema' }>,
  signal: AbortSignal,
): Promise<Presence> {
  const startupParameters = STARTUP_PARAMETERS
  const { socket, rest } = await openServer(target, { startupParameters, timeoutMs: 0, signal })
  const reader = new MessageReader(socket, target, signal)
  // What came early is read as if it came now.
  socket.emit('data', rest)
  try {
    socket.write(query(schemaQuery(searchPath[0] ?? '')))
    return await readPresence({ address: target, reader, notices: [] })
  } catch (error) {
    throw probeErrorOf(target, error)
  } finally {
    reader.release()
    sayGoodbye(socket)
  }
}

/** Postgres cuts the name to 63 bytes here, as it does in a `search_path`. */
function schemaQuery(schema: string): string {
  return `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ${quoteLiteral(schema)}::pg_catalog.name)`
}

/** Both answers are rows of their own: no silence and no muddle is taken for one of them. */
async function readPresence(exchange: LoginExchange): Promise<Presence> {
  await expectReply(exchange, BackendCode.rowDescription)
  const row = await expectReply(exchange, BackendCode.dataRow)
  const presence = PRESENCE_OF_ROW.get(row.toString('latin1'))
  if (presence === undefined) throw unexpectedMessage(exchange.address, BackendCode.dataRow)
  await expectReply(exchange, BackendCode.commandComplete)
  const status = await expectReply(exchange, BackendCode.readyForQuery)
  if (status[0] !== STATUS_IDLE) {
    throw unexpectedMessage(exchange.address, BackendCode.readyForQuery)
  }
  return presence
}

async function expectReply(exchange: LoginExchange, expected: number): Promise<Buffer> {
  for (;;) {
    const { code, body } = await nextReply(exchange)
    if (code === expected) return body
    // A server whose configuration is read anew may say so at any time.
    if (code !== BackendCode.parameterStatus) throw unexpectedMessage(exchange.address, code)
  }
}

/** Turns what `wire/` says of malformed bytes into a failure of the server. */
function probeErrorOf(target: ServerTarget, error: unknown): unknown {
  if (error instanceof ServerUnreachableError || error instanceof ServerLoginError) return error
  if (!(error instanceof ProxyError)) return error
  return new ServerLoginError(target, { reason: error.message, isPermanent: false, cause: error })
}

function sayGoodbye(socket: Socket): void {
  socket.on('error', () => {})
  socket.write(terminate())
  endSocket(socket)
}

/** One column of one byte. */
function booleanRow(letter: 't' | 'f'): string {
  return `\0\x01\0\0\0\x01${letter}`
}
