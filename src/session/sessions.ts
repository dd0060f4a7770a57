import type { Session } from './session.ts'

/** The logged-in sessions of this process. */
export class Sessions {
  readonly #open = new Set<Session>()
  #emptied: (() => void) | undefined
  #isDraining = false

  get count(): number {
    return this.#open.size
  }

  /** No new session is let in. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  add(session: Session): void {
    this.#open.add(session)
    if (this.#isDraining) session.drain()
  }

  remove(session: Session): void {
    this.#open.delete(session)
    if (this.#open.size === 0) this.#emptied?.()
  }

  /** Sends idle clients away now, the others at the end of their transaction. */
  drain(): Promise<void> {
    this.#isDraining = true
    const empty = new Promise<void>((resolve) => {
      this.#emptied = resolve
    })
    for (const session of [...this.#open]) session.drain()
    return this.#open.size === 0 ? Promise.resolve() : empty
  }

  /** Sends everybody away at once. */
  kill(): void {
    for (const session of [...this.#open]) session.kill()
  }
}
