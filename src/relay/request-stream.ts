import type { Owed } from '../server/reply-ledger.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import { codeTable } from '../wire/code-table.ts'
import type { Frame, FrameFate, FrameVisitor } from '../wire/frame-stream.ts'
import { attentionTable, FRAME_HEAD_BYTES, FrameStream } from '../wire/frame-stream.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'
import { NAMES_BYTES, StatementNames, type StatementScope } from './statement-names.ts'

/** Longest frame that Postgres takes. */
const MAX_REQUEST_BYTES = 0x3fff_ffff

/** What the server owes for each message that a client may send after its login. */
const OWED = codeTable<Owed>({
  [FrontendCode.query]: 'query',
  [FrontendCode.functionCall]: 'functionCall',
  [FrontendCode.parse]: 'parse',
  [FrontendCode.bind]: 'bind',
  [FrontendCode.describe]: 'describe',
  [FrontendCode.execute]: 'execute',
  [FrontendCode.close]: 'close',
  [FrontendCode.sync]: 'sync',
  [FrontendCode.copyDone]: 'copyEnd',
  [FrontendCode.copyFail]: 'copyEnd',
})

/** Statement names pass as they are: the client keeps its server connection. */
const KEEPING_NAMES = attentionTable({ [FrontendCode.copyData]: 0 }, FRAME_HEAD_BYTES)
const MAPPING_NAMES = attentionTable(
  {
    [FrontendCode.copyData]: 0,
    [FrontendCode.parse]: NAMES_BYTES,
    [FrontendCode.bind]: NAMES_BYTES,
    [FrontendCode.describe]: NAMES_BYTES,
    [FrontendCode.close]: NAMES_BYTES,
  },
  FRAME_HEAD_BYTES,
)

/**
 * One client's requests on their way to the server connection of the moment: notes what each is
 * owed, and rewrites the names of prepared statements.
 */
export class RequestStream implements FrameVisitor {
  readonly #frames: FrameStream
  readonly #statements: StatementScope | undefined
  /** Made when the client first uses the extended protocol. */
  #names: StatementNames | undefined
  #server: ServerConnection | undefined
  readonly #pieces: Buffer[] = []
  #isTerminated = false

  /** @param statements - `undefined` where names need no mapping: in session mode. */
  constructor(statements: StatementScope | undefined) {
    this.#statements = statements
    const attention = statements === undefined ? KEEPING_NAMES : MAPPING_NAMES
    this.#frames = new FrameStream(this, attention, MAX_REQUEST_BYTES)
  }

  /** The client said Terminate: nothing follows. */
  get isTerminated(): boolean {
    return this.#isTerminated
  }

  /** No request is half sent. */
  get isBetweenFrames(): boolean {
    return this.#frames.isBetweenFrames
  }

  /** Whether `bytes` may bind a prepared statement whose text can end a transaction. */
  mayBindEnd(bytes: Buffer): boolean {
    return this.#names?.mayBindEnd(bytes) ?? false
  }

  /**
   * Walks one chunk on its way to `server`.
   *
   * @returns What to write, in order; valid until the next call.
   * @throws ProtocolViolationError - the client sent what no client may send.
   */
  push(chunk: Buffer, server: ServerConnection): readonly Buffer[] {
    this.#server = server
    this.#pieces.length = 0
    this.#frames.push(chunk)
    return this.#pieces
  }

  /** The client's prepared statements are gone from every server, as far as it knows. */
  forgetStatements(): void {
    this.#names?.clear()
  }

  visit(frame: Frame): FrameFate {
    if (this.#isTerminated) return 'drop'
    const { code } = frame
    const server = this.#server as ServerConnection
    const owed = OWED[code]
    if (owed === undefined) return this.#visitUnanswered(code, server)
    if (this.#statements === undefined || !isNaming(code)) {
      server.owe(owed)
      return 'pass'
    }
    this.#names ??= new StatementNames(this.#statements)
    return this.#names.rewrite(frame, server, this.#frames)
  }

  emit(bytes: Buffer): void {
    this.#pieces.push(bytes)
  }

  #visitUnanswered(code: number, server: ServerConnection): FrameFate {
    if (code === FrontendCode.terminate) {
      this.#isTerminated = true
      return 'drop'
    }
    if (code !== FrontendCode.flush) {
      throw new ProtocolViolationError(`invalid frontend message type ${code}`)
    }
    server.flushInvented()
    return 'pass'
  }
}

/** Messages that may name a prepared statement. */
function isNaming(code: number): boolean {
  return (
    code === FrontendCode.bind ||
    code === FrontendCode.parse ||
    code === FrontendCode.describe ||
    code === FrontendCode.close
  )
}
