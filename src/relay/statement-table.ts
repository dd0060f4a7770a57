import { createHash, randomBytes } from 'node:crypto'
import type { Statement } from '../server/prepared-statements.ts'
import { mayEndTransaction } from '../sql/transaction-end.ts'

/**
 * One `Statement` for each text and tenant, however many clients prepare it, so that a server
 * connection holds it once. A statement is forgotten with its last holder: the table itself keeps
 * nothing alive, and its size is bounded by what sessions and servers may hold.
 */
export class StatementTable {
  readonly #statements = new Map<string, WeakRef<Statement>>()
  readonly #forget = new FinalizationRegistry<string>((key) => {
    if (this.#statements.get(key)?.deref() === undefined) this.#statements.delete(key)
  })
  readonly #prefix: string
  #lastNumber = 0

  /** @param prefix - Of the names on servers; random, so that no client can guess one. */
  constructor(prefix = `pgusher_${randomBytes(6).toString('hex')}_`) {
    this.#prefix = prefix
  }

  /** @param tail - Body of Parse behind the name; copied, so it may lie in a bigger chunk. */
  intern(tenantKey: string, tail: Buffer): Statement {
    const key = createHash('sha256').update(tenantKey).update('\0').update(tail).digest('base64')
    const known = this.#statements.get(key)?.deref()
    if (known !== undefined) return known
    this.#lastNumber += 1
    const statement = {
      serverName: `${this.#prefix}${this.#lastNumber}`,
      tail: Buffer.from(tail),
      mayEndTransaction: mayEndTransaction(tail),
    }
    this.#statements.set(key, new WeakRef(statement))
    this.#forget.register(statement, key)
    return statement
  }
}
