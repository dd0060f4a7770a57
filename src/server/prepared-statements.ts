import type { StatementEffects } from '../sql/scan/statement-effects.ts'
import type { PendingChange } from './reply-ledger.ts'

/** What the names of PgUsher's own statements on servers begin with. */
export const STATEMENT_PREFIX = 'pgusher_'

/** An epoch that no family has. */
const NO_EPOCH = -1

/** The statements of one tenant: what makes one of them stale makes all of them. */
export interface StatementFamily {
  /** Of the links that they are prepared under. */
  readonly tenantKey: string
  /** Grows when a plan turned out not to fit its tables any more. */
  epoch: number
}

/** One statement text as PgUsher prepares it on servers, under a name of its own. */
export interface Statement {
  readonly family: StatementFamily
  /** The name on every server connection that holds it. */
  readonly serverName: string
  /** Body of Parse behind the name: the SQL text, its NUL, and the parameter types. */
  readonly tail: Buffer
  /** Its text may end a transaction block; `true` too often, never `false` wrongly. */
  readonly mayEndTransaction: boolean
  /** What it may do to its session; `undefined` for nothing. */
  readonly effects: StatementEffects | undefined
}

/**
 * The statements that one server connection holds, the least recently used first. Bounded in
 * number and in bytes: adding one more names those to close.
 */
export class PreparedStatements {
  /** With the epoch of its family when it was prepared. */
  readonly #held = new Map<Statement, number>()
  /** Whose Parse is not answered yet, and in which batch it was sent last. */
  readonly #underWay = new Map<Statement, { readonly batch: number }>()
  /** The one that was used last, if it is held. */
  #newest: Statement | undefined
  readonly #max: number
  readonly #maxBytes: number
  #bytes = 0
  /** How many DEALLOCATE ALL are not answered yet; those that failed among them. */
  #distrusts = 0

  /**
   * @param max - Most statements held at once, at least 1.
   * @param maxBytes - Most bytes of their texts; a longer one is held alone.
   */
  constructor(max: number, maxBytes: number) {
    this.#max = Math.max(1, max)
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#held.size
  }

  /** Whether the server holds it; counts as a use. */
  use(statement: Statement): boolean {
    // The common case by itself: the same one again and again.
    if (statement === this.#newest) return true
    const epoch = this.#held.get(statement)
    if (epoch === undefined) return false
    this.#held.delete(statement)
    this.#held.set(statement, epoch)
    this.#newest = statement
    return true
  }

  /** Notes that the server gets it. Returns those that have to go for it. */
  add(statement: Statement): readonly Statement[] {
    this.#enter(statement)
    const evicted: Statement[] = []
    for (const oldest of this.#held.keys()) {
      const isOver = this.#held.size > this.#max || this.#bytes > this.#maxBytes
      if (!isOver || oldest === statement) return evicted
      this.#remove(oldest)
      evicted.push(oldest)
    }
    return evicted
  }

  /** Takes back that one was closed. It may stand beyond the bound until the next `add`. */
  restore(statement: Statement): void {
    this.#enter(statement)
  }

  /** Notes that a Parse is sent, to be settled by its reply. */
  begin(statement: Statement, batch: number): PendingChange {
    const parsing = { batch }
    const end = (): boolean =>
      this.#underWay.get(statement) === parsing && this.#underWay.delete(statement)
    this.#underWay.set(statement, parsing)
    if (this.#held.has(statement)) this.#held.set(statement, statement.family.epoch)
    return {
      done: end,
      // A later Parse of it may be on its way: then it is that one that counts.
      undo: () => {
        if (end()) this.#remove(statement)
      },
    }
  }

  /**
   * Whether what the server has under its name may not do: its Parse was sent in an earlier batch
   * and is not answered yet, and an error there may have made the server skip it; or its plan is
   * of a time before the tables changed.
   */
  isUnsure(statement: Statement, batch: number): boolean {
    const parsing = this.#underWay.size === 0 ? undefined : this.#underWay.get(statement)
    if (parsing !== undefined && parsing.batch !== batch) return true
    return this.#held.get(statement) !== statement.family.epoch
  }

  /**
   * A DEALLOCATE ALL is sent. Whether their names on the server are taken depends on how it ends:
   * each is closed before its next use.
   */
  distrust(): void {
    this.#distrusts += 1
    for (const statement of this.#held.keys()) this.#held.set(statement, NO_EPOCH)
  }

  /** A DEALLOCATE ALL was done: what was prepared behind it is still there. */
  deallocated(): void {
    if (this.#distrusts === 0) {
      // One that nobody saw coming.
      this.clear()
      return
    }
    this.#distrusts -= 1
    for (const [statement, epoch] of this.#held) if (epoch === NO_EPOCH) this.#remove(statement)
  }

  clear(): void {
    this.#held.clear()
    this.#newest = undefined
    this.#bytes = 0
    this.#distrusts = 0
  }

  #enter(statement: Statement): void {
    if (!this.#held.has(statement)) this.#bytes += statement.tail.length
    this.#held.set(statement, statement.family.epoch)
    this.#newest = undefined
  }

  #remove(statement: Statement): void {
    if (this.#newest === statement) this.#newest = undefined
    if (this.#held.delete(statement)) this.#bytes -= statement.tail.length
  }
}
