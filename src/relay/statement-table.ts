import { createHash, randomBytes } from 'node:crypto'
import {
  STATEMENT_PREFIX,
  type Statement,
  type StatementFamily,
} from '../server/prepared-statements.ts'
import type { SqlDialect } from '../sql/scan/statement-effects.ts'
import { scanStatements } from '../sql/scan/statement-scan.ts'
import { mayEndTransaction } from '../sql/transaction-end.ts'

/**
 * One `Statement` for each text and tenant, however many clients prepare it, so that a server
 * connection holds it once. A statement is forgotten with its last holder: the table itself keeps
 * nothing alive, and its size is bounded by what sessions and servers may hold.
 */
export class StatementTable {
  readonly #statements = new WeakTable<Statement>()
  readonly #families = new WeakTable<StatementFamily>()
  readonly #prefix: string
  #lastNumber = 0

  /** @param prefix - Of the names on servers; random, so that no client can guess one. */
  constructor(prefix = `${STATEMENT_PREFIX}${randomBytes(6).toString('hex')}_`) {
    this.#prefix = prefix
  }

  /** The family of a tenant's statements: one object, for as long as anybody holds it. */
  family(tenantKey: string): StatementFamily {
    return this.#families.get(tenantKey) ?? this.#families.set(tenantKey, { tenantKey, epoch: 0 })
  }

  /**
   * @param tail - Body of Parse behind the name; copied, so it may lie in a bigger chunk.
   * @param dialect - How its text is read: the same bytes may mean something else in another.
   */
  intern(family: StatementFamily, tail: Buffer, dialect: SqlDialect): Statement {
    const key = createHash('sha256')
      .update(`${family.tenantKey}\0${dialect.backslashEscapes}${dialect.hasUnsafeBytes}`)
      .update(tail)
      .digest('base64')
    const known = this.#statements.get(key)
    if (known !== undefined) return known
    this.#lastNumber += 1
    return this.#statements.set(key, {
      family,
      serverName: `${this.#prefix}${this.#lastNumber}`,
      tail: Buffer.from(tail),
      mayEndTransaction: mayEndTransaction(tail),
      effects: scanStatements({ bytes: tail, start: 0, end: tail.indexOf(0) }, dialect),
    })
  }
}

/** Values by key, each for as long as somebody else holds it. */
class WeakTable<Value extends object> {
  readonly #values = new Map<string, WeakRef<Value>>()
  readonly #forget = new FinalizationRegistry<string>((key) => {
    if (this.#values.get(key)?.deref() === undefined) this.#values.delete(key)
  })

  get(key: string): Value | undefined {
    return this.#values.get(key)?.deref()
  }

  set(key: string, value: Value): Value {
    this.#values.set(key, new WeakRef(value))
    this.#forget.register(value, key)
    return value
  }
}
