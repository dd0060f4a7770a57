import { closeComplete } from '../wire/backend-messages.ts'
import { codeTable } from '../wire/code-table.ts'
import type { Frame, FrameFate, FrameVisitor } from '../wire/frame-stream.ts'
import {
  attentionTable,
  FRAME_HEAD_BYTES,
  FrameStream,
  MAX_REPLY_BYTES,
} from '../wire/frame-stream.ts'
import { BackendCode } from '../wire/message-codes.ts'
import { readErrorFields, readParameterStatus, readSqlState } from '../wire/message-fields.ts'
import { STATEMENT_PREFIX } from './prepared-statements.ts'
import type { OwnQuery } from './reply-ledger.ts'
import { ReplyLedger } from './reply-ledger.ts'
import type { ReportedSets } from './reported-sets.ts'
import { FactsReader, readColumns, type SessionFacts } from './session-facts.ts'

/** Asks for a whole frame, however long. */
const WHOLE = 0xffff_ffff
/** Enough of CommandComplete to tell the tags that change session state. */
const TAG_BYTES = FRAME_HEAD_BYTES + 16
const READY_BYTES = FRAME_HEAD_BYTES + 1

/** While a client is served: rows, copy data and notifications pass unseen, all else is checked by its head. */
const SERVING = attentionTable(
  {
    [BackendCode.dataRow]: 0,
    [BackendCode.copyData]: 0,
    [BackendCode.notificationResponse]: 0,
    [BackendCode.readyForQuery]: READY_BYTES,
    [BackendCode.commandComplete]: TAG_BYTES,
    [BackendCode.parameterStatus]: WHOLE,
    [BackendCode.errorResponse]: WHOLE,
  },
  FRAME_HEAD_BYTES,
)

/** While a link is answered, or nobody is served: nothing passes. */
const KEEPING = attentionTable(
  {
    [BackendCode.dataRow]: WHOLE,
    [BackendCode.readyForQuery]: READY_BYTES,
    [BackendCode.errorResponse]: WHOLE,
    [BackendCode.parameterStatus]: WHOLE,
  },
  FRAME_HEAD_BYTES,
)

/** When nothing counts any more. */
const IGNORING = attentionTable({}, 0)

/**
 * The first three letters of the command tags that tell of session state beyond settings: LISTEN,
 * PREPARE, DISCARD, DEALLOCATE, and RESET, which takes a token away. As numbers, for no string is made of a tag that is not among them.
 */
const STATE_TAGS: ReadonlySet<number> = new Set(
  ['LIS', 'PRE', 'DIS', 'DEA', 'RES'].map((letters) =>
    Buffer.from(letters, 'latin1').readUIntBE(0, 3),
  ),
)

/** Fields of an ErrorResponse: the routine behind "cached plan must not change result type". */
const STALE_PLAN = Buffer.from('\0RRevalidateCachedQuery\0')
/** A statement of ours is not there, or there already: our books are wrong. */
const WRONG_NAMES = [Buffer.from('\0C26000\0'), Buffer.from('\0C42P05\0')]
const SYNTAX_ERROR = Buffer.from('\0C42601\0')

/** Transaction status as ReadyForQuery gives it. */
export type TransactionStatus = 'idle' | 'inTransaction' | 'failed'

const STATUS = codeTable<TransactionStatus>({
  73: 'idle',
  84: 'inTransaction',
  69: 'failed',
})

/** What a reply stream reports while it walks a chunk. */
export interface ReplyListener {
  /** Bytes that belong to the client. */
  passed(bytes: Buffer): void
  /** The link was answered; `failure` holds the server's error fields if it failed. */
  linkAnswered(failure: ReadonlyMap<string, string> | undefined): void
  /** The first row that answers a link. */
  linkRow(columns: readonly (string | undefined)[]): void
  /** What was asked of the session was answered; `undefined` when the server could not say. */
  factsTold(facts: SessionFacts | undefined): void
  /** A plan no longer fits its tables: statements have to be prepared anew. */
  plansChanged(): void
  /** A command may have changed session state; `tag` is the start of its command tag. */
  stateChanged(tag: string): void
  /** An error goes to the client: the server's own, or what the proxy says in place of it. */
  errorReported(sqlState: string, origin: 'server' | 'proxy'): void
  /** The server said something that it can't mean here: the connection must not be used again. */
  surprised(code: number): void
}

/** One server connection's replies: tells what belongs to the client from what is ours. */
export class ReplyStream implements FrameVisitor {
  readonly ledger = new ReplyLedger()
  readonly #sets: ReportedSets
  #parameters: ReadonlyMap<string, string>
  /** What the server has reported since `parameters` was last asked for. */
  #news: Map<string, string> | undefined
  readonly #listener: ReplyListener
  readonly #frames: FrameStream
  #status: TransactionStatus = 'idle'
  #isServing = false
  #isOver = false
  #lastCode = 0
  #queryCount = 0
  /** What the server said against the proxy's own query. */
  #ownFailure: ReadonlyMap<string, string> | undefined
  #facts = new FactsReader()
  /** No row has answered the link yet. */
  #isFirstRow = false

  constructor(
    listener: ReplyListener,
    parameters: ReadonlyMap<string, string>,
    sets: ReportedSets,
  ) {
    this.#listener = listener
    this.#sets = sets
    this.#parameters = sets.intern(parameters)
    this.#frames = new FrameStream(this, KEEPING, MAX_REPLY_BYTES)
  }

  /** What the server reported last, by name: one object for equal sets, which never changes. */
  get parameters(): ReadonlyMap<string, string> {
    if (this.#news !== undefined) {
      this.#parameters = this.#sets.intern(this.#news)
      this.#news = undefined
    }
    return this.#parameters
  }

  /** ReadyForQuery messages that went to clients: as many as queries were answered. */
  get queryCount(): number {
    return this.#queryCount
  }

  get transactionStatus(): TransactionStatus {
    return this.#status
  }

  /** Nothing is owed and nothing is half said. */
  get isSettled(): boolean {
    return this.ledger.isSettled && this.#frames.isBetweenFrames
  }

  /** No message is half sent. */
  get isOutputWhole(): boolean {
    return this.#frames.isOutputWhole
  }

  /** A word of our own may follow: no message is half sent, and the last one was no error. */
  get isInterruptible(): boolean {
    return this.isOutputWhole && this.#lastCode !== BackendCode.errorResponse
  }

  /** Whether replies go to a client. */
  set isServing(isServing: boolean) {
    this.#isServing = isServing
    this.#attend()
  }

  /** Everything that comes is dropped from now on. */
  stop(): void {
    this.#isOver = true
    this.#frames.attention = IGNORING
  }

  /** Notes that a link of so many messages was sent, before its bytes go out. */
  expectLink(parts: number): void {
    this.#ownFailure = undefined
    this.#isFirstRow = true
    for (let part = 1; part < parts; part += 1) this.ledger.push('linkPart')
    this.ledger.push('link')
    this.#attend()
  }

  /** Notes that a question about the session was sent, before its bytes go out. */
  expectAnswer(): void {
    this.#ownFailure = undefined
    this.#facts = new FactsReader()
    this.ledger.push('ask')
    this.#attend()
  }

  /** @throws ProtocolViolationError - on an impossible length. */
  push(chunk: Buffer): void {
    this.#frames.push(chunk)
    // The client may wait for them, if all that it sent behind them was a Flush.
    if (this.#isServing && !this.#isOver && this.#frames.isBetweenFrames) {
      const invented = this.takeInvented()
      if (invented !== undefined) this.#listener.passed(invented)
    }
  }

  visit(frame: Frame): FrameFate {
    if (this.#isOver) return 'drop'
    const { code } = frame
    // What answers the proxy's own query is not said to anybody.
    this.#lastCode = this.ledger.own === undefined ? code : 0
    if (code === BackendCode.parameterStatus) {
      const { name, value } = readParameterStatus(bodyOf(frame))
      this.#news ??= new Map(this.#parameters)
      this.#news.set(name, value)
    }
    if (this.#isServing) this.#insertInvented()
    // A client may be listening while its connection is asked something; behind a link it is not.
    if (isAsynchronous(code)) return this.#isServing && !isOfLink(this.ledger.own) ? 'pass' : 'drop'
    if (code === BackendCode.commandComplete) this.#watchTag(frame)
    return this.#reply(frame)
  }

  emit(bytes: Buffer): void {
    if (!this.#isOver) this.#listener.passed(bytes)
  }

  /** Invented replies at the head of the ledger, which no reply of the server will bring out. */
  takeInvented(): Buffer | undefined {
    const invented = this.ledger.takeInvented()
    return invented === 0 ? undefined : Buffer.concat(new Array(invented).fill(closeComplete()))
  }

  #reply(frame: Frame): FrameFate {
    const { code } = frame
    const own = this.ledger.own
    if (own !== undefined && code === BackendCode.dataRow) return this.#ownRow(frame, own)
    const refusal = code === BackendCode.errorResponse ? this.#error(frame, own) : undefined
    const isExpected = own !== undefined || this.#isServing
    const verdict = isExpected ? this.ledger.settle(code) : 'surprise'
    if (verdict === 'surprise') {
      this.#frames.flush()
      this.#listener.surprised(code)
      return 'drop'
    }
    if (verdict === 'pass') this.#count(frame, refusal)
    if (code === BackendCode.readyForQuery) this.#ready(frame, own)
    if (refusal === undefined) return verdict
    this.#frames.insert(refusal)
    return 'drop'
  }

  #ownRow(frame: Frame, own: OwnQuery): FrameFate {
    if (own === 'ask') this.#facts.take(bodyOf(frame))
    else if (this.#isFirstRow) this.#listener.linkRow(readColumns(bodyOf(frame)))
    this.#isFirstRow = false
    return 'drop'
  }

  /** Looks at an error before it is settled. Returns what to say in place of it, if anything. */
  #error(frame: Frame, own: OwnQuery | undefined): Buffer | undefined {
    const body = bodyOf(frame)
    if (own !== undefined) {
      // What fails behind it only says that the block has failed.
      this.#ownFailure ??= readErrorFields(body)
      return undefined
    }
    if (tellsOfStatements(body)) this.#listener.plansChanged()
    return body.includes(SYNTAX_ERROR) ? this.ledger.refusal : undefined
  }

  /** What goes to the client counts as its own. */
  #count(frame: Frame, refusal: Buffer | undefined): void {
    if (frame.code === BackendCode.readyForQuery) this.#queryCount += 1
    if (frame.code !== BackendCode.errorResponse) return
    const body = refusal?.subarray(FRAME_HEAD_BYTES) ?? bodyOf(frame)
    this.#listener.errorReported(readSqlState(body), refusal === undefined ? 'server' : 'proxy')
  }

  #ready({ chunk, start }: Frame, own: OwnQuery | undefined): void {
    const status = STATUS[chunk[start + FRAME_HEAD_BYTES] ?? 0]
    if (status === undefined) {
      this.#listener.surprised(BackendCode.readyForQuery)
      return
    }
    this.#status = status
    // What is answered next may be ours, too.
    this.#attend()
    if (own === undefined || own === 'linkPart') return
    const failure = this.#ownFailure
    if (own === 'link') this.#listener.linkAnswered(failure)
    else this.#listener.factsTold(failure === undefined ? this.#facts.facts : undefined)
  }

  #insertInvented(): void {
    const invented = this.takeInvented()
    if (invented !== undefined) this.#frames.insert(invented)
  }

  #watchTag({ chunk, start, frameBytes }: Frame): void {
    if (frameBytes < FRAME_HEAD_BYTES + 4 || this.ledger.own !== undefined) return
    const at = start + FRAME_HEAD_BYTES
    const letters =
      ((chunk[at] as number) << 16) | ((chunk[at + 1] as number) << 8) | (chunk[at + 2] as number)
    if (!STATE_TAGS.has(letters)) return
    const end = start + Math.min(frameBytes - 1, TAG_BYTES)
    this.#listener.stateChanged(chunk.toString('latin1', at, end))
  }

  #attend(): void {
    this.#frames.attention = this.#isServing && this.ledger.own === undefined ? SERVING : KEEPING
  }
}

/** Messages that the server may send at any time. */
function isAsynchronous(code: number): boolean {
  return (
    code === BackendCode.parameterStatus ||
    code === BackendCode.noticeResponse ||
    code === BackendCode.notificationResponse
  )
}

function isOfLink(own: OwnQuery | undefined): boolean {
  return own === 'link' || own === 'linkPart'
}

function bodyOf({ chunk, start, frameBytes }: Frame): Buffer {
  return chunk.subarray(start + FRAME_HEAD_BYTES, start + frameBytes)
}

function tellsOfStatements(body: Buffer): boolean {
  if (body.includes(STALE_PLAN)) return true
  return WRONG_NAMES.some((code) => body.includes(code)) && body.includes(STATEMENT_PREFIX)
}
