import { ProxyError } from '../base/proxy-error.ts'
import type { ReplySink } from '../server/reply-sink.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { LinkRequest } from '../server/server-connection-options.ts'
import type { FactsWanted, SessionFacts } from '../server/session-facts.ts'
import { mayEndTransaction } from '../sql/transaction-end.ts'
import { parameterStatus } from '../wire/backend-messages.ts'
import type { RequestStream } from './request-stream.ts'

/** Pieces up to this many bytes are joined into one write; longer ones are written as they are. */
const JOIN_BYTES = 16_384

/** The client's side of a relay. */
export interface RelayClient {
  /** @returns false when the client takes no more for now; `Relay.clientDrained` follows. */
  write(bytes: Buffer): boolean
  /** What is written from `cork` to `uncork`, or to the end, leaves in one write. */
  cork(): void
  uncork(): void
  /** Stops and starts reading its requests. */
  pause(): void
  resume(): void
}

/** Whoever runs the relay hears how a turn stands. */
export interface RelayListener {
  /** No reply is owed and no request is half sent. */
  turnSettled(): void
  /**
   * The answer to `Relay.ask`; `undefined` when the server could not say.
   *
   * @param held - What the client has sent meanwhile.
   * @returns Whether that is to be done here, at once. Else it is the listener's, and `turnSettled`
   * comes next.
   */
  factsTold(facts: SessionFacts | undefined, held: readonly Buffer[]): boolean
  /** An error goes to the client: the server's own, or what the proxy says in place of it. */
  errorReported(sqlState: string, origin: 'server' | 'proxy'): void
  /**
   * The server connection is gone, and with it whatever it was doing.
   *
   * @param unsent - The requests of the turn, if none of them was sent: they may be tried again.
   */
  turnLost(error: ProxyError, unsent: readonly Buffer[] | undefined): void
}

/** What a relay joins, and what it has to know. */
export interface RelayParts {
  readonly client: RelayClient
  readonly requests: RequestStream
  readonly listener: RelayListener
  /** ParameterStatus values that the client was greeted with. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Where a turn stands: a link's answer is awaited, bytes flow, or the server is asked what the
 * client's session holds.
 */
type Turn =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'linking'
      readonly server: ServerConnection
      readonly held: Buffer[]
      /** The first request went out with the link. */
      readonly isUnderWay: boolean
    }
  | { readonly kind: 'flowing'; readonly server: ServerConnection }
  | { readonly kind: 'asking'; readonly server: ServerConnection; readonly held: Buffer[] }

const NO_TURN: Turn = { kind: 'none' }

/**
 * Joins one client to the server connection that it has for the moment. Chunks pass as they came;
 * a side that takes no more stops the other side from being read.
 */
export class Relay implements ReplySink {
  readonly #client: RelayClient
  readonly #listener: RelayListener
  readonly #requests: RequestStream
  #turn: Turn = NO_TURN
  /** ParameterStatus values as the client knows them. */
  #told: ReadonlyMap<string, string>
  #receivedBytes = 0
  #sentBytes = 0
  #isGathering = false

  constructor({ client, requests, listener, parameters }: RelayParts) {
    this.#client = client
    this.#requests = requests
    this.#listener = listener
    this.#told = parameters
  }

  /**
   * Begins a turn with the requests that brought it about. A link travels in the same write as
   * the first chunk; later ones wait until it is acknowledged. So does a first chunk that could
   * end the transaction block in which a failed link leaves the server, and any chunk behind a
   * risky link.
   *
   * @param link - From `beginLink` of the server connection.
   */
  begin(
    server: ServerConnection,
    link: LinkRequest | undefined,
    requests: readonly Buffer[],
  ): void {
    if (link === undefined) {
      this.join(server)
      for (const chunk of requests) this.#request(server, chunk)
      this.#settleUnanswered(server)
      return
    }
    server.attach(this)
    const [first, ...later] = requests
    if (first === undefined || link.isRisky || this.#mayEndBlock(first)) {
      this.#turn = { kind: 'linking', server, held: [...requests], isUnderWay: false }
      server.write(link.bytes)
      return
    }
    this.#turn = { kind: 'linking', server, held: later, isUnderWay: true }
    this.#receivedBytes += first.length
    this.#write(server, [link.bytes, ...this.#requests.push(first, server)])
  }

  /** Bytes of the client's requests that it was given. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Bytes that it gave to the client. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  /** ParameterStatus values as the client knows them. */
  get told(): ReadonlyMap<string, string> {
    return this.#told
  }

  /** Begins a turn that waits for its first request. */
  join(server: ServerConnection): void {
    server.attach(this)
    this.#turn = { kind: 'flowing', server }
    this.#tellParameters(server)
  }

  /** More bytes of the client in the course of a turn. */
  request(chunk: Buffer): void {
    const turn = this.#turn
    if (turn.kind === 'flowing') {
      this.#request(turn.server, chunk)
      this.#settleUnanswered(turn.server)
    } else if (turn.kind !== 'none') {
      turn.held.push(chunk)
      this.#client.pause()
    }
  }

  /** From now on what the client sends is held: the server is about to be asked. */
  hold(): void {
    if (this.#turn.kind !== 'flowing') return
    this.#turn = { kind: 'asking', server: this.#turn.server, held: [] }
  }

  /**
   * Asks the server what the client's session holds, between two requests; what the client sends
   * meanwhile is held. The listener hears `factsTold`.
   */
  ask(wanted: FactsWanted): void {
    this.hold()
    if (this.#turn.kind !== 'asking') return
    const { server } = this.#turn
    this.#requests.leave()
    const restore = this.#requests.takeRestore(server)
    const question = server.beginAsk(wanted)
    server.write(restore === undefined ? question : Buffer.concat([restore, question]))
  }

  /** What the client sent while the server was asked is not for it any more. */
  dropHeld(): void {
    if (this.#turn.kind === 'asking') this.#turn.held.length = 0
  }

  /** ParameterStatus values that the client's own requests have changed since the last call. */
  takeChangedParameters(): ReadonlyMap<string, string> {
    if (this.#turn.kind === 'none') return NO_CHANGES
    const { parameters } = this.#turn.server
    const changes = changedParameters(this.#told, parameters)
    this.#told = parameters
    return changes
  }

  /** Ends the turn: what the server says from now on is not for this client. */
  end(): void {
    if (this.#turn.kind === 'none') return
    this.#turn = NO_TURN
    this.#requests.leave()
    // It may have been paused for a server connection that is no longer its own.
    this.#client.resume()
  }

  /** From now on, what is said right behind a reply leaves in the same write. */
  gather(): void {
    this.#isGathering = true
  }

  /** The client reads again. */
  clientDrained(): void {
    if (this.#turn.kind !== 'none') this.#turn.server.resume()
  }

  replyBytes(bytes: Buffer): void {
    this.#sentBytes += bytes.length
    if (this.#isGathering) corkForNow(this.#client)
    if (!this.#client.write(bytes) && this.#turn.kind !== 'none') this.#turn.server.pause()
  }

  linked(): void {
    const turn = this.#turn
    if (turn.kind !== 'linking') return
    this.#turn = { kind: 'flowing', server: turn.server }
    this.#tellParameters(turn.server)
    this.#requestHeld(turn.held)
  }

  factsTold(facts: SessionFacts | undefined): void {
    const turn = this.#turn
    if (turn.kind !== 'asking') return
    this.#turn = { kind: 'flowing', server: turn.server }
    if (this.#listener.factsTold(facts, turn.held)) this.#requestHeld(turn.held)
  }

  plansChanged(): void {
    this.#requests.plansChanged()
  }

  statementsDropped(): void {
    this.#requests.forgetStatements()
  }

  errorReported(sqlState: string, origin: 'server' | 'proxy'): void {
    this.#listener.errorReported(sqlState, origin)
  }

  settled(): void {
    if (this.#turn.kind === 'flowing' && this.#requests.isBetweenFrames)
      this.#listener.turnSettled()
  }

  drained(): void {
    this.#client.resume()
  }

  lost(error: ProxyError): void {
    const turn = this.#turn
    this.#turn = NO_TURN
    const isUnsent = turn.kind === 'linking' && !turn.isUnderWay
    this.#listener.turnLost(error, isUnsent ? turn.held : undefined)
  }

  /** Sends what was held, unless the turn is over. */
  #requestHeld(held: readonly Buffer[]): void {
    const turn = this.#turn
    if (held.length === 0 || turn.kind !== 'flowing') return
    this.#client.resume()
    try {
      for (const chunk of held) this.#request(turn.server, chunk)
    } catch (error) {
      // We are called by the server connection, which would take it for the server's fault.
      if (!(error instanceof ProxyError)) throw error
      this.lost(error)
    }
  }

  /** What the connection reports may not be what the client knows from another one. */
  #tellParameters({ parameters }: ServerConnection): void {
    if (parameters === this.#told) return
    const changes = changedParameters(this.#told, parameters)
    this.#told = parameters
    if (changes.size === 0) return
    this.replyBytes(Buffer.concat(reports(changes)))
  }

  /** Whether a failed link's transaction block might not hold `request` back. */
  #mayEndBlock(request: Buffer): boolean {
    return mayEndTransaction(request) || this.#requests.mayBindEnd(request)
  }

  /** Leftovers of a failed copy, or a lone Flush, end a turn that no reply will end. */
  #settleUnanswered(server: ServerConnection): void {
    if (server.isSettled && this.#turn.kind === 'flowing') this.settled()
  }

  #request(server: ServerConnection, chunk: Buffer): void {
    this.#receivedBytes += chunk.length
    this.#write(server, this.#requests.push(chunk, server))
  }

  #write(server: ServerConnection, pieces: readonly Buffer[]): void {
    if (!writePieces(server, pieces)) this.#client.pause()
  }
}

function corkForNow(client: RelayClient): void {
  client.cork()
  process.nextTick(() => client.uncork())
}

function writePieces(server: ServerConnection, pieces: readonly Buffer[]): boolean {
  const [only] = pieces
  if (only === undefined) return true
  if (pieces.length === 1) return server.write(only)
  let bytes = 0
  for (const piece of pieces) bytes += piece.length
  // One small copy is cheaper than the bookkeeping of a gathered write.
  if (bytes <= JOIN_BYTES) return server.write(Buffer.concat(pieces, bytes))
  return server.writeAll(pieces)
}

/** What tells a client that knows `before` of the values `now`. */
export function reportChanges(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): readonly Buffer[] {
  return reports(changedParameters(before, now))
}

function reports(changes: ReadonlyMap<string, string>): readonly Buffer[] {
  return Array.from(changes, ([name, value]) => parameterStatus(name, value))
}

const NO_CHANGES: ReadonlyMap<string, string> = new Map()

function changedParameters(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  if (before === now) return NO_CHANGES
  let changes: Map<string, string> | undefined
  for (const [name, value] of now) {
    if (before.get(name) === value) continue
    changes ??= new Map()
    changes.set(name, value)
  }
  return changes ?? NO_CHANGES
}
