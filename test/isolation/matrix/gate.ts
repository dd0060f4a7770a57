import { Client } from 'pg'
import type { PostgresServer } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

const KEY = 8088

/** Runs, in the database of a gate, for as long as that is shut. */
export const WAIT_AT_GATE = `SELECT pg_advisory_xact_lock(${KEY})`

/** Holds queries of a database back, so that they run for as long as a test needs them to. */
export class Gate {
  readonly #client: Client

  private constructor(client: Client) {
    this.#client = client
  }

  /** One that is shut. */
  static async open(server: PostgresServer, database: string): Promise<Gate> {
    const client = new Client({ connectionString: server.url(database) })
    await client.connect()
    await client.query(`SELECT pg_advisory_lock(${KEY})`)
    return new Gate(client)
  }

  /** Waits until somebody stands before it. */
  async untilBesieged(): Promise<void> {
    const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
    await until(async () => (await this.#client.query(waiting)).rowCount === 1)
  }

  /** Lets through whoever stands before it, and shuts again behind them. */
  async letThrough<T>(passing: Promise<T>): Promise<T> {
    await this.#client.query(`SELECT pg_advisory_unlock(${KEY})`)
    const passed = await passing
    await this.#client.query(`SELECT pg_advisory_lock(${KEY})`)
    return passed
  }

  async close(): Promise<void> {
    await this.#client.end()
  }
}
