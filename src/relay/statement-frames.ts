import type { Statement } from '../server/prepared-statements.ts'
import type { Owed, PendingChange } from '../server/reply-ledger.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { Frame, FrameFate, FrameStream } from '../wire/frame-stream.ts'
import { FRAME_HEAD_BYTES } from '../wire/frame-stream.ts'
import { closeStatement, parse } from '../wire/frontend-messages.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'

/** Where a client's frames go: changed in place from turn to turn. */
export interface Passage {
  server: ServerConnection
  readonly frames: FrameStream
}

/** Lets a frame pass as it is. */
export function pass(server: ServerConnection, owed: Owed): FrameFate {
  server.owe(owed)
  return 'pass'
}

/** Sends a statement that the server does not hold, ahead of the frame that needs it. */
export function prepare(statement: Statement, passage: Passage): void {
  const { server, frames } = passage
  const isHeld = server.statements.use(statement)
  if (isHeld && !server.statements.isUnsure(statement, server.batch)) return
  makeFree(statement, passage)
  server.owe('hiddenParse', server.statements.begin(statement, server.batch))
  frames.insert(parse(statement.serverName, statement.tail))
}

/**
 * Makes room for a Parse of the statement: its name on the server is free behind what is sent now,
 * whatever stands under it. A Parse of the client's own is always done: it asks for a plan of the
 * tables as they are now.
 */
export function makeFree(statement: Statement, passage: Passage): void {
  const { server, frames } = passage
  if (!server.statements.use(statement)) {
    makeRoom(statement, passage)
    return
  }
  server.owe('hiddenClose')
  frames.insert(closeStatement(statement.serverName))
}

/** Enters a statement among those that the server holds, closing others if need be. */
function makeRoom(statement: Statement, { server, frames }: Passage): void {
  for (const evicted of server.statements.add(statement)) {
    server.owe('hiddenClose', { undo: () => server.statements.restore(evicted) })
    frames.insert(closeStatement(evicted.serverName))
  }
}

/** Sends a Parse of the client's under the server's name, in place of the frame. */
export function sendParse(
  sent: { readonly statement: Statement; readonly change?: PendingChange },
  { server, frames }: Passage,
): FrameFate {
  server.owe('parse', sent.change)
  frames.insert(parse(sent.statement.serverName, sent.statement.tail))
  return 'drop'
}

/** Two changes as one. */
export function both(first: PendingChange, second: PendingChange): PendingChange {
  return {
    done: () => {
      first.done?.()
      second.done?.()
    },
    undo: () => {
      first.undo()
      second.undo()
    },
  }
}

/** A frame's head with the statement's server name in it, and how many bytes that replaces. */
export function renamed(
  frame: Frame,
  before: Buffer,
  { statement, nameEnd }: { readonly statement: Statement; readonly nameEnd: number },
): [Buffer, number] {
  const replacedBytes = nameEnd + 1 - frame.start
  const nameBytes = statement.serverName.length
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES + before.length + nameBytes + 1)
  head[0] = frame.code
  head.writeUInt32BE(frame.frameBytes - 1 + head.length - replacedBytes, 1)
  before.copy(head, FRAME_HEAD_BYTES)
  head.write(statement.serverName, FRAME_HEAD_BYTES + before.length, 'latin1')
  head[head.length - 1] = 0
  return [head, replacedBytes]
}

/** Where the string that starts at `from` ends: the index of its NUL. */
export function endOfString(frame: Frame, from: number): number {
  const end = frame.chunk.indexOf(0, from)
  if (end === -1 || end >= frame.start + frame.frameBytes) {
    throw new ProtocolViolationError('a name in an extended-query message has no end')
  }
  return end
}
