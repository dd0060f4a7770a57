import { randomInt } from 'node:crypto'
import { Client } from 'pg'
import type { Addressed } from '../../support/saas.ts'
import { until } from '../../support/until.ts'

/** Holds queries of a database back, so that they run for as long as a test needs them to. */
export class Gate {
  /** Runs, in its database, for as long as it is shut. */
  readonly wait: string
  readonly #key: number
  readonly #client: Client

  private constructor(client: Client, key: number) {
    this.#client = client
    this.#key = key
    this.wait = `SELECT pg_advisory_xact_lock(${key})`
  }

  /** One that is shut. */
  static async open(server: Addressed, database: string): Promise<Gate> {
    const client = new Client({ connectionString: server.url(database) })
    await client.connect()
    // Others may have gates in the same database.
    const key = randomInt(2 ** 31)
    await client.query(`SELECT pg_advisory_lock(${key})`)
    return new Gate(client, key)
  }

  /** Waits until somebody stands before it. */
  async untilBesieged(): Promise<void> {
    const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
      AND objid = ${this.#key}`
    await until(async () => (await this.#client.query(waiting)).rowCount === 1)
  }

  /** Lets through whoever stands before it, and shuts again behind them. */
  async letThrough<T>(passing: Promise<T>): Promise<T> {
    await this.#client.query(`SELECT pg_advisory_unlock(${this.#key})`)
    const passed = await passing
    await this.#client.query(`SELECT pg_advisory_lock(${this.#key})`)
    return passed
  }

  async close(): Promise<void> {
    await this.#client.end()
  }
}
