import type { PendingChange } from '../server/reply-ledger.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { StatementEffects } from '../sql/scan/statement-effects.ts'
import { mayEndTransaction } from '../sql/transaction-end.ts'
import type { FrameStream } from '../wire/frame-stream.ts'
import { closeStatement, parse } from '../wire/frontend-messages.ts'

/** What a statement that is bound was parsed from. */
export interface Bound {
  /** Body of Parse behind the name. */
  readonly tail: Buffer
  readonly effects: StatementEffects | undefined
}

/**
 * The client's unnamed statement. On Postgres it lives until the next Parse without a name or the
 * next simple query, also beyond the end of a transaction: so it follows the client to whichever
 * server connection it gets, and never meets another client there.
 */
export class UnnamedStatement {
  #unnamed: Bound | undefined
  /** Where what the server has under no name is known to be the client's own, or nothing. */
  #settledOn: ServerConnection | undefined

  /** Whether to bind it could end a transaction. */
  get mayEndTransaction(): boolean {
    return this.#unnamed !== undefined && mayEndTransaction(this.#unnamed.tail)
  }

  get bound(): Bound | undefined {
    return this.#unnamed
  }

  /** A Parse without a name is sent. `tail` is copied. */
  parsed(
    tail: Buffer,
    effects: StatementEffects | undefined,
    server: ServerConnection,
  ): PendingChange {
    const unnamed = { tail: Buffer.from(tail), effects }
    this.#unnamed = unnamed
    this.#settledOn = server
    return {
      // Skipped or failed, nobody can tell: there is none until the client parses one anew.
      undo: () => {
        if (this.#unnamed === unnamed) this.dropped(undefined)
      },
    }
  }

  /** The server forgets it by what is sent: a simple query, or Close. */
  dropped(server: ServerConnection | undefined): void {
    this.#unnamed = undefined
    this.#settledOn = server
  }

  /** Something of the proxy's own, or another client, may take its place on the server. */
  left(): void {
    this.#settledOn = undefined
  }

  /** Brings it to the server ahead of the frame that uses it; or sees to it that there is none. */
  prepare(server: ServerConnection, frames: FrameStream): void {
    if (this.#settledOn === server || server.isSkipping) return
    this.#settledOn = server
    if (this.#unnamed === undefined) {
      server.owe('hiddenClose')
      frames.insert(closeStatement(''))
      return
    }
    server.owe('hiddenParse', { undo: () => this.left() })
    frames.insert(parse('', this.#unnamed.tail))
  }
}
