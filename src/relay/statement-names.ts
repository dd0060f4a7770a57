import type { Statement } from '../server/prepared-statements.ts'
import type { Owed, PendingChange } from '../server/reply-ledger.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { Frame, FrameFate, FrameStream } from '../wire/frame-stream.ts'
import { FRAME_HEAD_BYTES } from '../wire/frame-stream.ts'
import { closeStatement, parse } from '../wire/frontend-messages.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'
import { StatementTooLongError, TooManyStatementsError } from './relay-errors.ts'
import type { StatementTable } from './statement-table.ts'

/** Enough of Bind, Describe and Close to find two names in: Postgres cuts names at 63 bytes. */
export const NAMES_BYTES = FRAME_HEAD_BYTES + 1024
const STATEMENT_KIND = 0x53

/** Bounds on what one client may prepare. */
export interface StatementLimits {
  /** Longest SQL text of a named statement, in bytes. */
  readonly maxStatementBytes: number
  /** Most named statements that one client may hold. */
  readonly maxPreparedPerClient: number
}

/** A frame that uses a statement: what it is owed, and where the name begins. */
interface Naming {
  readonly frame: Frame
  readonly owed: 'bind' | 'describe'
  readonly nameStart: number
}

/**
 * One client's prepared statements in transaction mode. Each is known to servers under a name of
 * our own, and is prepared on whichever server connection the client gets before it is used there.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export class StatementNames {
  readonly #byName = new Map<string, Statement>()
  readonly #table: StatementTable
  readonly #tenantKey: string
  readonly #limits: StatementLimits

  constructor(table: StatementTable, tenantKey: string, limits: StatementLimits) {
    this.#table = table
    this.#tenantKey = tenantKey
    this.#limits = limits
  }

  /** Whether `bytes` may bind a statement of the client whose text can end a transaction. */
  mayBindEnd(bytes: Buffer): boolean {
    for (const [name, { mayEndTransaction }] of this.#byName) {
      // Bind has the statement's name between the NULs of the portal's name and of its own.
      if (mayEndTransaction && bytes.includes(`\0${name}\0`, 0, 'latin1')) return true
    }
    return false
  }

  /** Rewrites one frame on its way to `server`. The unnamed statement passes as it is. */
  rewrite(frame: Frame, server: ServerConnection, frames: FrameStream): FrameFate {
    switch (frame.code) {
      case FrontendCode.parse:
        return this.#parse(frame, server, frames)
      case FrontendCode.bind:
        return this.#bind(frame, server, frames)
      case FrontendCode.describe:
        return this.#describe(frame, server, frames)
      default:
        return this.#close(frame, server)
    }
  }

  /** Every name is free again. */
  clear(): void {
    this.#byName.clear()
  }

  #parse(frame: Frame, server: ServerConnection, frames: FrameStream): FrameFate {
    const { chunk, start, frameBytes } = frame
    const nameStart = start + FRAME_HEAD_BYTES
    if (chunk[nameStart] === 0 || server.isSkipping) return pass(server, 'parse')
    if (frameBytes > this.#limits.maxStatementBytes) {
      throw new StatementTooLongError(frameBytes, this.#limits.maxStatementBytes)
    }
    if (chunk.length - start < frameBytes) return 'whole'
    const nameEnd = endOfString(frame, nameStart)
    const name = chunk.toString('latin1', nameStart, nameEnd)
    const taken = this.#byName.get(name)
    if (taken !== undefined) {
      // The name is in use: the server says so itself when it gets its own name a second time.
      prepare(taken, server, frames)
      return sendParse({ statement: taken }, server, frames)
    }
    if (this.#byName.size >= this.#limits.maxPreparedPerClient) {
      throw new TooManyStatementsError(this.#limits.maxPreparedPerClient)
    }
    const tail = chunk.subarray(nameEnd + 1, start + frameBytes)
    const statement = this.#table.intern(this.#tenantKey, tail)
    this.#byName.set(name, statement)
    const forgetName = { undo: () => this.#byName.delete(name) }
    if (server.statements.use(statement)) {
      server.owe('inventedParse', forgetName)
      return 'drop'
    }
    makeRoom(statement, server, frames)
    const change = {
      undo: () => {
        forgetName.undo()
        server.statements.remove(statement)
      },
    }
    return sendParse({ statement, change }, server, frames)
  }

  #bind(frame: Frame, server: ServerConnection, frames: FrameStream): FrameFate {
    const portalEnd = endOfString(frame, frame.start + FRAME_HEAD_BYTES)
    return this.#rename({ frame, owed: 'bind', nameStart: portalEnd + 1 }, server, frames)
  }

  #describe(frame: Frame, server: ServerConnection, frames: FrameStream): FrameFate {
    const kindAt = frame.start + FRAME_HEAD_BYTES
    if (frame.chunk[kindAt] !== STATEMENT_KIND) return pass(server, 'describe')
    return this.#rename({ frame, owed: 'describe', nameStart: kindAt + 1 }, server, frames)
  }

  /** Puts the server's name for a statement in place of the client's, and the statement there. */
  #rename(
    { frame, owed, nameStart }: Naming,
    server: ServerConnection,
    frames: FrameStream,
  ): FrameFate {
    const nameEnd = endOfString(frame, nameStart)
    const statement = this.#lookUp(frame, server, { start: nameStart, end: nameEnd })
    if (statement === undefined) return pass(server, owed)
    prepare(statement, server, frames)
    server.owe(owed)
    const before = frame.chunk.subarray(frame.start + FRAME_HEAD_BYTES, nameStart)
    frames.replaceHead(...renamed(frame, before, { statement, nameEnd }))
    return 'pass'
  }

  /** The server keeps the statement for others; only the client's name for it goes. */
  #close(frame: Frame, server: ServerConnection): FrameFate {
    const kindAt = frame.start + FRAME_HEAD_BYTES
    if (frame.chunk[kindAt] !== STATEMENT_KIND) return pass(server, 'close')
    const nameEnd = endOfString(frame, kindAt + 1)
    const statement = this.#lookUp(frame, server, { start: kindAt + 1, end: nameEnd })
    if (statement === undefined) return pass(server, 'close')
    const name = frame.chunk.toString('latin1', kindAt + 1, nameEnd)
    this.#byName.delete(name)
    server.owe('inventedClose', { undo: () => this.#byName.set(name, statement) })
    return 'drop'
  }

  /** The client's statement of that name; an unknown or empty name is left to the server. */
  #lookUp(
    frame: Frame,
    server: ServerConnection,
    name: { readonly start: number; readonly end: number },
  ): Statement | undefined {
    if (name.start === name.end || server.isSkipping) return undefined
    return this.#byName.get(frame.chunk.toString('latin1', name.start, name.end))
  }
}

function pass(server: ServerConnection, owed: Owed): FrameFate {
  server.owe(owed)
  return 'pass'
}

/** Sends a statement that the server does not hold, ahead of the frame that needs it. */
function prepare(statement: Statement, server: ServerConnection, frames: FrameStream): void {
  if (server.statements.use(statement)) return
  makeRoom(statement, server, frames)
  server.owe('hiddenParse', { undo: () => server.statements.remove(statement) })
  frames.insert(parse(statement.serverName, statement.tail))
}

/** Enters a statement among those that the server holds, closing another one if need be. */
function makeRoom(statement: Statement, server: ServerConnection, frames: FrameStream): void {
  const evicted = server.statements.add(statement)
  if (evicted === undefined) return
  server.owe('hiddenClose', { undo: () => server.statements.restore(evicted) })
  frames.insert(closeStatement(evicted.serverName))
}

function sendParse(
  sent: { readonly statement: Statement; readonly change?: PendingChange },
  server: ServerConnection,
  frames: FrameStream,
): FrameFate {
  server.owe('parse', sent.change)
  frames.insert(parse(sent.statement.serverName, sent.statement.tail))
  return 'drop'
}

/** A frame's head with the statement's server name in it, and how many bytes that replaces. */
function renamed(
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
function endOfString(frame: Frame, from: number): number {
  const end = frame.chunk.indexOf(0, from)
  if (end === -1 || end >= frame.start + frame.frameBytes) {
    throw new ProtocolViolationError('a name in an extended-query message has no end')
  }
  return end
}
