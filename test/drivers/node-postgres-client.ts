import pg from 'pg'
import type { Test } from 'tap'
import type { Seat } from '../support/driver-seats.ts'

/** The tenant in the user; the database may have any name. */
export function connectionConfig({ host, port, user, password, database }: Seat): pg.ClientConfig {
  return { host, port, user, password, database }
}

/** A connected node-postgres client, ended with the test. */
export async function open(t: Test, seat: Seat, config: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...connectionConfig(seat), ...config })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

/** The process of the server connection that runs this query. */
export async function pidOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  return rows[0].pid
}

/** The value of a setting, as `SHOW` gives it. */
export async function show(client: pg.ClientBase, setting: string): Promise<string> {
  const { rows } = await client.query('SELECT current_setting($1) AS value', [setting])
  return rows[0].value
}

/** Sends one request, as drivers that separate preparing from running do. */
export class OneRequest implements pg.Submittable {
  readonly done: Promise<unknown>
  readonly #write: (connection: pg.Connection) => void
  #finish: (result: unknown) => void = () => {}

  constructor(write: (connection: pg.Connection) => void) {
    this.#write = write
    this.done = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  submit(connection: pg.Connection): void {
    this.#write(connection)
    connection.sync()
  }

  handleError(error: unknown): void {
    this.#finish(error)
  }

  handleDataRow({ fields }: { readonly fields: unknown }): void {
    this.#finish(fields)
  }

  handleReadyForQuery(): void {
    this.#finish('ready')
  }

  handleRowDescription(): void {}

  handleCommandComplete(): void {}
}
