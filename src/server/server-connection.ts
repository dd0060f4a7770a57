import type { Socket } from 'node:net'
import { foldCase } from '../sql/fold-case.ts'
import type { Link, TokenPlace } from '../tenancy/link.ts'
import { blockQuery, type LinkOrigin, mayHinder, resetMove } from '../tenancy/link.ts'
import { query, terminate } from '../wire/frontend-messages.ts'
import { awaitHangUp, endSocket } from './end-socket.ts'
import { LinkWriter, type WrittenLink } from './link-writer.ts'
import type { LoginNotices, OpenedServer } from './open/login.ts'
import { PlaceWatch } from './place-watch.ts'
import { PreparedStatements } from './prepared-statements.ts'
import type { Owed, PendingChange } from './reply-ledger.ts'
import type { ReplySink } from './reply-sink.ts'
import type { TransactionStatus } from './reply-stream.ts'
import { ReplyStream } from './reply-stream.ts'
import type { LinkRequest, ServerConnectionOptions } from './server-connection-options.ts'
import type { ServerAddress } from './server-errors.ts'
import { LinkFailedError, ServerLostError } from './server-errors.ts'
import { type FactsWanted, factsQuery } from './session-facts.ts'

type SentLink = Pick<WrittenLink, 'move' | 'parts'>

let lastId = 0

/**
 * One logged-in connection to Postgres. It knows what the server owes, in which transaction status
 * it stands and to whom it is linked; it stays in one pool for life. Any surprise closes it.
 */
export class ServerConnection {
  /** Number of its own in this process, for the log and the console. */
  readonly id: number
  readonly processId: number
  readonly secretKey: Buffer
  readonly isEncrypted: boolean
  readonly expiresAtMs: number
  readonly statements: PreparedStatements
  readonly home: Link | undefined
  /** What the server remarked when it was opened. */
  readonly notices: LoginNotices
  /** When it was last put back, on the pool's clock. */
  idleSinceMs = 0
  readonly #address: ServerAddress
  readonly #socket: Socket
  readonly #replies: ReplyStream
  #sink: ReplySink | undefined
  readonly #links: LinkWriter
  readonly #place: PlaceWatch
  readonly #handedOver: () => void
  #link: Link | undefined
  #wanted: Link | undefined
  #isDirty = false
  #isDistrusted = false
  #isServersWord = false
  #isPaused = false
  #isClosed = false

  constructor(opened: OpenedServer, options: ServerConnectionOptions) {
    lastId += 1
    this.id = lastId
    this.processId = opened.processId
    this.secretKey = opened.secretKey
    this.isEncrypted = opened.isEncrypted
    this.expiresAtMs = options.expiresAtMs
    this.statements = new PreparedStatements(
      options.maxPreparedStatements,
      options.maxPreparedBytes,
    )
    this.#links = new LinkWriter(opened.processId, options.signer)
    const user = opened.parameters.get('session_authorization')
    this.#place = new PlaceWatch(user, options.violated)
    this.#handedOver = options.handedOver
    this.home = options.home
    this.notices = opened.notices
    this.#link = options.home
    this.#address = options.address
    this.#socket = opened.socket
    this.#replies = new ReplyStream(
      {
        passed: (bytes) => this.#sink?.replyBytes(bytes),
        linkAnswered: (failure) => this.#linkAnswered(failure),
        linkRow: (columns) => this.#place.answered(columns),
        factsTold: (facts) => this.#sink?.factsTold(facts),
        plansChanged: () => this.#sink?.plansChanged(),
        errorReported: (sqlState, origin) => this.#sink?.errorReported(sqlState, origin),
        stateChanged: (tag) => this.#stateChanged(tag),
        surprised: (code) => this.#lose(`unexpected message 0x${code.toString(16)}`),
      },
      opened.parameters,
      options.reportedSets,
    )
    this.#listen(opened.rest)
  }

  /** ParameterStatus values, as the server reported them last. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#replies.parameters
  }

  get transactionStatus(): TransactionStatus {
    return this.#replies.transactionStatus
  }

  /** Queries of clients that it has answered. */
  get queryCount(): number {
    return this.#replies.queryCount
  }

  /** The server skips what it gets until the next Sync. */
  get isSkipping(): boolean {
    return this.#replies.ledger.isSkipping
  }

  /** Number of the Syncs sent so far. */
  get batch(): number {
    return this.#replies.ledger.batch
  }

  /** ReadyForQuery `I` was the last word and nothing is owed: it may pass to somebody else. */
  get isClean(): boolean {
    if (this.#isClosed || this.#isDistrusted || this.isViolated) return false
    if (this.#replies.ledger.isDoubtful) return false
    return this.#replies.isSettled && this.transactionStatus === 'idle'
  }

  /** Nothing is owed, whatever the transaction status. */
  get isSettled(): boolean {
    return this.#replies.isSettled
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whom it acts for; `undefined` in the resting state. */
  get link(): Link | undefined {
    return this.#link
  }

  /** What may be on it that `link` does not tell of. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  /** No message of it is half handed out: one of the proxy's own may follow. */
  get isOutputWhole(): boolean {
    return this.#replies.isOutputWhole
  }

  /** A query of the proxy's own is being answered. */
  get isOccupied(): boolean {
    return this.#replies.ledger.own !== undefined
  }

  /** Whoever borrows it gets its replies from now on. */
  attach(sink: ReplySink): void {
    this.#sink = sink
    this.#replies.isServing = true
  }

  /** Nobody gets its replies: anything that comes now but a setting's report is a surprise. */
  detach(sink: ReplySink | undefined): void {
    this.#sink = sink
    this.#replies.isServing = false
    this.resume()
  }

  /** Something may still happen to it that nobody can see coming: it must not be lent again. */
  distrust(): void {
    this.#isDistrusted = true
  }

  /** The client asked for the end, or broke the protocol: what the server says of it is the last. */
  leaveLastWord(): void {
    this.#isDistrusted = true
    this.#isServersWord = true
  }

  /** Whether the server ends its answers by itself, with ReadyForQuery. */
  get isEnding(): boolean {
    return this.#replies.ledger.isEnding
  }

  /** Its tenant has left its place in a way that no text showed. */
  get isViolated(): boolean {
    return this.#place.isViolated
  }

  /** The server said what the settings of its session are, by name in lower case. */
  verify(settings: ReadonlyMap<string, string>): void {
    const link = this.#link
    if (link === undefined) return
    this.#place.told(link, settings)
    // Code can have reset it out of sight.
    if (link.token !== undefined && !settings.has(foldCase(link.token.setting))) {
      this.#links.loseToken()
    }
  }

  /** The server reported, behind a request, that the search path is another one. */
  verifyPath(searchPath: string): void {
    if (this.#link !== undefined) this.#place.pathReported(this.#link, searchPath)
  }

  /** Whether its tenant needs another token before its next request. */
  get needsToken(): boolean {
    return this.#link !== undefined && this.#links.needsToken(this.#link)
  }

  /** Anything may have been done to it: it must be reset before it is used again. */
  markDirty(): void {
    this.#isDirty = true
  }

  /**
   * What moves it to `wanted`; `undefined` when it is there already. The sink hears `linked`, or
   * `lost` with a `LinkFailedError`.
   */
  beginLink(wanted: Link): LinkRequest | undefined {
    const written = this.#links.write(this.#origin, wanted)
    if (written === undefined) {
      this.#link = wanted
      return undefined
    }
    const { bytes, move } = written
    const isRisky = move !== undefined && (this.#isDirty || mayHinder(this.#link))
    if (move?.isReset === true) {
      this.statements.clear()
      this.#handedOver()
    }
    this.#expectLink(wanted, written)
    return { bytes, isRisky }
  }

  /**
   * The client's own settings went into its link.
   *
   * @param isProven - The server said that there is nothing beyond that.
   */
  adopt(link: Link, isProven: boolean): void {
    this.#link = link
    if (isProven) this.#isDirty = false
  }

  /** The question what the session on it holds. The sink hears `factsTold`, or `lost`. */
  beginAsk(wanted: FactsWanted): Buffer {
    this.#replies.expectAnswer()
    return query(factsQuery(wanted))
  }

  /**
   * The bytes that take it to the state that it was opened in. The sink hears `settled`, or `lost`.
   */
  beginReset(): Buffer {
    this.statements.clear()
    this.#links.loseToken()
    const move = resetMove(this.#origin)
    this.#expectLink(this.home, { move, parts: 1 })
    return query(blockQuery(move))
  }

  /**
   * A text is sent that resets these settings, and nothing puts a token back behind it: its tenant
   * gets another one with its next request.
   */
  noteResets(resets: readonly string[] | 'all'): void {
    const setting = this.#link?.token?.setting
    const isLost = resets === 'all' || (setting !== undefined && resets.includes(foldCase(setting)))
    if (isLost) this.#links.loseToken()
  }

  /**
   * What puts a new token where a RESET takes one away, behind that.
   *
   * @param place - Of the client whose requests these are: its link may still be under way.
   */
  beginToken(place: TokenPlace): Buffer {
    this.owe('restore')
    return this.#links.sign(place)
  }

  /** Notes that a message is about to be written, so that its reply is known when it comes. */
  owe(owed: Owed, change?: PendingChange): void {
    this.#replies.ledger.push(owed, change)
  }

  /** Hands out invented replies that nothing else will bring out: the client asked for a flush. */
  flushInvented(): void {
    const bytes = this.#replies.takeInvented()
    if (bytes !== undefined) this.#sink?.replyBytes(bytes)
  }

  /** @returns false when the server takes no more for now: the sink hears `drained`. */
  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes)
  }

  /** Writes several pieces with one system call. */
  writeAll(pieces: readonly Buffer[]): boolean {
    this.#socket.cork()
    let isWelcome = true
    for (const piece of pieces) isWelcome = this.#socket.write(piece)
    this.#socket.uncork()
    return isWelcome
  }

  /** Stops reading replies, so that the server feels a client that does not read. */
  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
  }

  /**
   * Ends it. Says goodbye where the server would listen, else cuts the line.
   *
   * @param gone - Called once: when the server has hung up as well, or now where the line is cut.
   */
  close(gone?: () => void): void {
    const isPolite = this.isClean
    if (!this.#isClosed) {
      this.#end()
      if (isPolite) this.#socket.write(terminate())
      else this.#socket.destroy()
    }
    if (!isPolite) gone?.()
    else if (gone === undefined) endSocket(this.#socket)
    else awaitHangUp(this.#socket, gone)
  }

  #listen(rest: Buffer): void {
    this.#socket.on('data', (chunk: Buffer) => this.#received(chunk))
    this.#socket.on('drain', () => this.#sink?.drained())
    this.#socket.on('error', (error) => this.#lose(error.message, error))
    this.#socket.on('close', () => this.#lose('the server closed the connection'))
    if (rest.length > 0) this.#received(rest)
    this.#socket.resume()
  }

  #received(chunk: Buffer): void {
    if (this.#isClosed) return
    const wasSettled = this.#replies.isSettled
    try {
      this.#replies.push(chunk)
    } catch (error) {
      this.#lose('the server broke the protocol', error)
      return
    }
    if (!wasSettled && this.#replies.isSettled && !this.#isClosed) this.#sink?.settled()
  }

  #linkAnswered(failure: ReadonlyMap<string, string> | undefined): void {
    if (failure !== undefined || this.transactionStatus !== 'idle') {
      this.#fail(new LinkFailedError(this.#wanted?.tenantKey ?? '', failure ?? new Map()))
      return
    }
    this.#link = this.#wanted
    this.#isDirty = false
    this.#sink?.linked()
  }

  get #origin(): LinkOrigin {
    const serverEncoding = this.parameters.get('server_encoding')
    return { link: this.#link, isDirty: this.#isDirty, serverEncoding }
  }

  #expectLink(wanted: Link | undefined, sent: SentLink): void {
    this.#wanted = wanted
    this.#place.leave(sent.move?.verified === undefined ? undefined : this.#link)
    this.#replies.expectLink(sent.parts)
  }

  #stateChanged(tag: string): void {
    const isWhole = tag === 'DISCARD ALL' || tag === 'DEALLOCATE ALL'
    // A text that nobody looked at may have reset a token that nothing puts back.
    if (this.home !== undefined && /^(?:RESET|DISCARD ALL)$/.test(tag)) this.#links.loseToken()
    if (tag === 'RESET') return
    // To deallocate one statement leaves nothing behind.
    if (tag !== 'DEALLOCATE') this.#isDirty = true
    if (!isWhole) return
    this.statements.deallocated()
    this.#sink?.statementsDropped()
  }

  #lose(reason: string, cause?: unknown): void {
    if (this.#isClosed) return
    const isReportable = this.#replies.isInterruptible && !this.#isServersWord
    this.#fail(new ServerLostError(this.#address, reason, { cause, isReportable }))
  }

  #fail(error: LinkFailedError | ServerLostError): void {
    const sink = this.#sink
    this.#end()
    this.#socket.destroy()
    sink?.lost(error)
  }

  #end(): void {
    this.#isClosed = true
    this.#sink = undefined
    this.#replies.stop()
  }
}
