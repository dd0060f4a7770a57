import type { ServerConnection } from '../server/server-connection.ts'

/** The server connections to which a cancel request is on its way. */
export class CancelHolds {
  /** How many are on their way to each. */
  readonly #counts = new Map<ServerConnection, number>()

  has(server: ServerConnection): boolean {
    return this.#counts.has(server)
  }

  /** It is closed: what was on its way to it does not matter any more. */
  delete(server: ServerConnection): void {
    this.#counts.delete(server)
  }

  /**
   * One more is on its way, until the returned function is called.
   *
   * @param ended - Called when it was the last one.
   */
  hold(server: ServerConnection, ended: () => void): () => void {
    this.#counts.set(server, (this.#counts.get(server) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const left = (this.#counts.get(server) ?? 1) - 1
      if (left > 0) {
        this.#counts.set(server, left)
        return
      }
      this.#counts.delete(server)
      ended()
    }
  }
}
