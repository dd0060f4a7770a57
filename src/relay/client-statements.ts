import type { Statement } from '../server/prepared-statements.ts'
import type { PendingChange } from '../server/reply-ledger.ts'
import { TooManyStatementsError } from './relay-errors.ts'

/** Bounds on what one client may prepare. */
export interface StatementLimits {
  /** Longest SQL text of a named statement, in bytes. */
  readonly maxStatementBytes: number
  /** Most named statements that one client may hold. */
  readonly maxPreparedPerClient: number
  /** Most bytes of their texts. */
  readonly maxPreparedBytesPerClient: number
}

/** The named statements of one client, by the bytes of their names. */
export class ClientStatements {
  readonly #byName = new Map<string, Statement>()
  /** Names whose Parse is not answered yet, and in which batch it was sent. */
  readonly #underWay = new Map<string, { readonly batch: number }>()
  /** Names that go when a DEALLOCATE ALL on its way is done. */
  readonly #doomed = new Set<string>()
  readonly #limits: StatementLimits
  /** How many DEALLOCATE ALL are not answered yet; those that failed among them. */
  #dooms = 0
  /** Bytes of their texts. */
  #bytes = 0

  constructor(limits: StatementLimits) {
    this.#limits = limits
  }

  get(name: string): Statement | undefined {
    return this.#byName.get(name)
  }

  all(): Iterable<readonly [string, Statement]> {
    return this.#byName
  }

  /**
   * Names a statement, until its Parse turns out to have been skipped.
   *
   * @param batch - In which its Parse is sent.
   * @throws TooManyStatementsError - the client holds as many as it may.
   */
  give(name: string, statement: Statement, batch: number): PendingChange {
    if (!this.remove(name)) this.#requireRoom(statement)
    const parsing = { batch }
    const end = (): boolean => this.#underWay.get(name) === parsing && this.#underWay.delete(name)
    this.#underWay.set(name, parsing)
    this.#doomed.delete(name)
    this.restore(name, statement)
    return {
      done: end,
      undo: () => {
        if (end()) this.remove(name)
      },
    }
  }

  /** Takes back that one was removed. */
  restore(name: string, statement: Statement): void {
    this.remove(name)
    this.#byName.set(name, statement)
    this.#bytes += statement.tail.length
  }

  /** Takes back that one was removed, unless its name is another's by now. */
  takeBack(name: string, statement: Statement): void {
    if (!this.#byName.has(name)) this.restore(name, statement)
  }

  /** @returns Whether there was one of that name. */
  remove(name: string): boolean {
    const statement = this.#byName.get(name)
    if (statement === undefined) return false
    this.#bytes -= statement.tail.length
    return this.#byName.delete(name)
  }

  /** Its Parse was sent in an earlier batch, where an error may have made the server skip it. */
  isUnsure(name: string, batch: number): boolean {
    const parsing = this.#underWay.get(name)
    return parsing !== undefined && parsing.batch !== batch
  }

  /** Those with a name. */
  get count(): number {
    return this.#byName.size
  }

  /** Whether any Parse is on its way. */
  get isAnyUnderWay(): boolean {
    return this.#underWay.size > 0
  }

  /** A DEALLOCATE ALL is sent: its names are free behind it. */
  doom(): void {
    this.#dooms += 1
    for (const name of this.#byName.keys()) this.#doomed.add(name)
  }

  isDoomed(name: string): boolean {
    return this.#doomed.has(name)
  }

  /** A DEALLOCATE ALL was done: what was named behind it stays. */
  deallocated(): void {
    // One that nobody saw coming takes all.
    if (this.#dooms === 0) for (const name of this.#byName.keys()) this.#doomed.add(name)
    else this.#dooms -= 1
    for (const name of this.#doomed) {
      this.remove(name)
      this.#underWay.delete(name)
    }
    this.#doomed.clear()
  }

  #requireRoom({ tail }: Statement): void {
    const { maxPreparedPerClient, maxPreparedBytesPerClient } = this.#limits
    if (this.#byName.size >= maxPreparedPerClient) {
      throw new TooManyStatementsError(`${maxPreparedPerClient} prepared statements`)
    }
    if (this.#bytes + tail.length > maxPreparedBytesPerClient) {
      throw new TooManyStatementsError(`${maxPreparedBytesPerClient} bytes of prepared statements`)
    }
  }
}
