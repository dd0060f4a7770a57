import { ProxyError } from '../base/proxy-error.ts'
import type { ReplySink } from '../server/reply-sink.ts'
import type { LinkRequest, ServerConnection } from '../server/server-connection.ts'
import { mayEndTransaction } from '../sql/transaction-end.ts'
import type { RequestStream } from './request-stream.ts'

/** Pieces up to this many bytes are joined into one write; longer ones are written as they are. */
const JOIN_BYTES = 16_384

/** The client's side of a relay. */
export interface RelayClient {
  /** @returns false when the client takes no more for now; `Relay.clientDrained` follows. */
  write(bytes: Buffer): boolean
  /** Stops and starts reading its requests. */
  pause(): void
  resume(): void
}

/** Whoever runs the relay hears how a turn stands. */
export interface RelayListener {
  /** No reply is owed and no request is half sent. */
  turnSettled(): void
  /**
   * The server connection is gone, and with it whatever it was doing.
   *
   * @param unsent - The requests of the turn, if none of them was sent: they may be tried again.
   */
  turnLost(error: ProxyError, unsent: readonly Buffer[] | undefined): void
}

/** Where a turn stands: a link's answer is awaited, or bytes flow. */
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

  constructor(client: RelayClient, requests: RequestStream, listener: RelayListener) {
    this.#client = client
    this.#requests = requests
    this.#listener = listener
  }

  /**
   * Begins a turn with the requests that brought it about. A link travels in the same write as
   * the first chunk; later ones wait until it is acknowledged. So does a first chunk that could
   * end the transaction block in which a failed link leaves the server, and any chunk behind a
   * risky link.
   *
   * @param link - From `beginLink` or `beginRestore` of the server connection.
   */
  begin(
    server: ServerConnection,
    link: LinkRequest | undefined,
    requests: readonly Buffer[],
  ): void {
    server.attach(this)
    if (link === undefined) {
      this.#turn = { kind: 'flowing', server }
      for (const chunk of requests) this.#request(server, chunk)
      this.#settleUnanswered(server)
      return
    }
    const [first, ...later] = requests
    if (first === undefined || link.isRisky || this.#mayEndBlock(first)) {
      this.#turn = { kind: 'linking', server, held: [...requests], isUnderWay: false }
      server.write(link.bytes)
      return
    }
    this.#turn = { kind: 'linking', server, held: later, isUnderWay: true }
    this.#write(server, [link.bytes, ...this.#requests.push(first, server)])
  }

  /** More bytes of the client in the course of a turn. */
  request(chunk: Buffer): void {
    const turn = this.#turn
    if (turn.kind === 'flowing') {
      this.#request(turn.server, chunk)
      this.#settleUnanswered(turn.server)
    } else if (turn.kind === 'linking') {
      turn.held.push(chunk)
      this.#client.pause()
    }
  }

  /** Ends the turn: what the server says from now on is not for this client. */
  end(): void {
    if (this.#turn.kind === 'none') return
    this.#turn = NO_TURN
    // It may have been paused for a server connection that is no longer its own.
    this.#client.resume()
  }

  /** The client reads again. */
  clientDrained(): void {
    if (this.#turn.kind !== 'none') this.#turn.server.resume()
  }

  replyBytes(bytes: Buffer): void {
    if (!this.#client.write(bytes) && this.#turn.kind !== 'none') this.#turn.server.pause()
  }

  linked(): void {
    const turn = this.#turn
    if (turn.kind !== 'linking') return
    this.#turn = { kind: 'flowing', server: turn.server }
    if (turn.held.length === 0) return
    this.#client.resume()
    try {
      for (const chunk of turn.held) this.#request(turn.server, chunk)
    } catch (error) {
      // We are called by the server connection, which would take it for the server's fault.
      if (!(error instanceof ProxyError)) throw error
      this.lost(error)
    }
  }

  statementsDropped(): void {
    this.#requests.forgetStatements()
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

  /** Whether a failed link's transaction block might not hold `request` back. */
  #mayEndBlock(request: Buffer): boolean {
    return mayEndTransaction(request) || this.#requests.mayBindEnd(request)
  }

  /** Leftovers of a failed copy, or a lone Flush, end a turn that no reply will end. */
  #settleUnanswered(server: ServerConnection): void {
    if (server.isSettled && this.#turn.kind === 'flowing') this.settled()
  }

  #request(server: ServerConnection, chunk: Buffer): void {
    this.#write(server, this.#requests.push(chunk, server))
  }

  #write(server: ServerConnection, pieces: readonly Buffer[]): void {
    if (!writePieces(server, pieces)) this.#client.pause()
  }
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
