import type { PendingChange } from './reply-ledger.ts'

/** One statement text as PgUsher prepares it on servers, under a name of its own. */
export interface Statement {
  /** The name on every server connection that holds it. */
  readonly serverName: string
  /** Body of Parse behind the name: the SQL text, its NUL, and the parameter types. */
  readonly tail: Buffer
  /** Its text may end a transaction block; `true` too often, never `false` wrongly. */
  readonly mayEndTransaction: boolean
}

/**
 * The statements that one server connection holds, the least recently used first. Bounded: adding
 * one more names the one to close.
 */
export class PreparedStatements {
  readonly #held = new Set<Statement>()
  /** Whose Parse is not answered yet, and in which batch it was sent last. */
  readonly #underWay = new Map<Statement, { readonly batch: number }>()
  readonly #max: number

  /** @param max - Most statements held at once, at least 1. */
  constructor(max: number) {
    this.#max = Math.max(1, max)
  }

  get count(): number {
    return this.#held.size
  }

  /** Whether the server holds it; counts as a use. */
  use(statement: Statement): boolean {
    if (!this.#held.delete(statement)) return false
    this.#held.add(statement)
    return true
  }

  /** Notes that the server gets it. Returns the one that has to go for it. */
  add(statement: Statement): Statement | undefined {
    this.#held.add(statement)
    if (this.#held.size <= this.#max) return undefined
    const [oldest] = this.#held
    if (oldest !== undefined) this.#held.delete(oldest)
    return oldest
  }

  /** Takes back that one was closed. It may stand beyond the bound until the next `add`. */
  restore(statement: Statement): void {
    this.#held.add(statement)
  }

  /** Notes that a Parse is sent, to be settled by its reply. */
  begin(statement: Statement, batch: number): PendingChange {
    const parsing = { batch }
    const end = (): boolean =>
      this.#underWay.get(statement) === parsing && this.#underWay.delete(statement)
    this.#underWay.set(statement, parsing)
    return {
      done: end,
      // A later Parse of it may be on its way: then it is that one that counts.
      undo: () => {
        if (end()) this.#held.delete(statement)
      },
    }
  }

  /**
   * Whether its Parse was sent in an earlier batch and is not answered yet: an error there may
   * have made the server skip it.
   */
  isUnsure(statement: Statement, batch: number): boolean {
    const parsing = this.#underWay.get(statement)
    return parsing !== undefined && parsing.batch !== batch
  }

  clear(): void {
    this.#held.clear()
  }
}
