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

/** Where a name lies in its chunk. */
interface Extent {
  readonly start: number
  readonly end: number
}

/** Bounds on what one client may prepare. */
export interface StatementLimits {
  /** Longest SQL text of a named statement, in bytes. */
  readonly maxStatementBytes: number
  /** Most named statements that one client may hold. */
  readonly maxPreparedPerClient: number
}

/** Where a client's statements belong. */
export interface StatementScope {
  readonly table: StatementTable
  /** Clients with the same key share statements. */
  readonly tenantKey: string
  readonly limits: StatementLimits
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
  /** Names whose Parse is not answered yet, and in which batch it was sent. */
  readonly #underWay = new Map<string, { readonly batch: number }>()
  readonly #scope: StatementScope

  constructor(scope: StatementScope) {
    this.#scope = scope
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
    this.#underWay.clear()
  }

  #parse(frame: Frame, server: ServerConnection, frames: FrameStream): FrameFate {
    const { chunk, start, frameBytes } = frame
    const nameStart = start + FRAME_HEAD_BYTES
    if (chunk[nameStart] === 0 || server.isSkipping) return pass(server, 'parse')
    if (frameBytes > this.#scope.limits.maxStatementBytes) {
      throw new StatementTooLongError(frameBytes, this.#scope.limits.maxStatementBytes)
    }
    if (chunk.length - start < frameBytes) return 'whole'
    const nameEnd = endOfString(frame, nameStart)
    const name = chunk.toString('latin1', nameStart, nameEnd)
    const taken = this.#byName.get(name)
    if (taken !== undefined && !this.#isUnsure(name, server)) {
      // The name is in use: the server says so itself when it gets its own name a second time.
      prepare(taken, server, frames)
      return sendParse({ statement: taken }, server, frames)
    }
    if (taken === undefined && this.#byName.size >= this.#scope.limits.maxPreparedPerClient) {
      throw new TooManyStatementsError(this.#scope.limits.maxPreparedPerClient)
    }
    const tail = chunk.subarray(nameEnd + 1, start + frameBytes)
    const statement = this.#scope.table.intern(this.#scope.tenantKey, tail)
    const naming = this.#give(name, statement, server)
    if (isReady(statement, server, frames)) {
      server.owe('inventedParse', naming)
      return 'drop'
    }
    const parsing = server.statements.begin(statement, server.batch)
    return sendParse({ statement, change: both(naming, parsing) }, server, frames)
  }

  /** Names a statement, until its Parse turns out to have been skipped. */
  #give(name: string, statement: Statement, { batch }: ServerConnection): PendingChange {
    const parsing = { batch }
    const end = (): boolean => this.#underWay.get(name) === parsing && this.#underWay.delete(name)
    this.#underWay.set(name, parsing)
    this.#byName.set(name, statement)
    return {
      done: end,
      undo: () => {
        if (end()) this.#byName.delete(name)
      },
    }
  }

  #isOpen(frame: Frame, server: ServerConnection, name: Extent): boolean {
    if (this.#underWay.size === 0) return false
    return this.#isUnsure(frame.chunk.toString('latin1', name.start, name.end), server)
  }

  /** Its Parse was sent in an earlier batch, where an error may have made the server skip it. */
  #isUnsure(name: string, server: ServerConnection): boolean {
    const parsing = this.#underWay.get(name)
    return parsing !== undefined && parsing.batch !== server.batch
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
    const name = { start: nameStart, end: nameEnd }
    const statement = this.#lookUp(frame, server, name)
    if (statement === undefined) return pass(server, owed)
    // If the client's own Parse may have been skipped, it is left to the server to say so.
    const isOpen = this.#isOpen(frame, server, name) && server.statements.use(statement)
    if (!isOpen) prepare(statement, server, frames)
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
  #lookUp(frame: Frame, server: ServerConnection, name: Extent): Statement | undefined {
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
  if (isReady(statement, server, frames)) return
  server.owe('hiddenParse', server.statements.begin(statement, server.batch))
  frames.insert(parse(statement.serverName, statement.tail))
}

/**
 * Whether the server holds the statement for certain. If not, its name there is free behind what
 * is sent now: a Parse of it that an earlier batch may have skipped is taken back.
 */
function isReady(statement: Statement, server: ServerConnection, frames: FrameStream): boolean {
  if (!server.statements.use(statement)) {
    makeRoom(statement, server, frames)
    return false
  }
  if (!server.statements.isUnsure(statement, server.batch)) return true
  server.owe('hiddenClose')
  frames.insert(closeStatement(statement.serverName))
  return false
}

function both(first: PendingChange, second: PendingChange): PendingChange {
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
