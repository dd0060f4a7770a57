import type { ServerConnection } from '../server/server-connection.ts'
import type { CloseReason } from './pool-observer.ts'

/** What a lease gives its server connection back to. */
export interface Lender {
  takeBack(server: ServerConnection): void
  giveUp(server: ServerConnection, reason: CloseReason): void
}

/** One client's hold on one server connection. Ends once, by `release` or by `discard`. */
export class Lease {
  readonly server: ServerConnection
  readonly #lender: Lender
  #isOver = false

  constructor(server: ServerConnection, lender: Lender) {
    this.server = server
    this.#lender = lender
  }

  /** Puts a clean server connection back; the pool closes one that is not. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#lender.takeBack(this.server)
  }

  /** Closes the server connection. */
  discard(reason: CloseReason): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#lender.giveUp(this.server, reason)
  }
}
