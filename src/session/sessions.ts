/** A logged-in session, as far as its end is concerned. */
export interface OpenSession {
  /** The proxy shuts down: it goes as soon as that breaks nothing. */
  drain(): void
  /** Goes now, whatever it is doing. */
  kill(): void
}

/** The logged-in sessions of this process. */
export class Sessions {
  readonly #open = new Set<OpenSession>()
  #emptied: (() => void) | undefined
  #isDraining = false

  get count(): number {
    return this.#open.size
  }

  /** No new session is let in. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  add(session: OpenSession): void {
    this.#open.add(session)
    if (this.#isDraining) session.drain()
  }

  remove(session: OpenSession): void {
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
