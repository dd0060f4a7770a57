import pg from 'pg'
import type { Clock } from '../../base/clock.ts'
import { reasonOf } from '../../base/deadline.ts'
import { LayerFailedError, RecordRefusedError } from '../catalog-errors.ts'
import type { CatalogEntry, CatalogName } from '../entry.ts'
import type { ServerTarget } from '../route.ts'
import type { OpenSocket } from './connect-pg.ts'
import { type CustomQuery, readByQuery } from './custom-query.ts'
import { PgConnections } from './pg-connections.ts'
import { checkTables, readTables } from './table-query.ts'

/** SQLSTATEs of tables and schemas that are not there. */
const MISSING: readonly (string | undefined)[] = ['42P01', '3F000']
const REMEDY = ` ('pgusher catalog init' creates it)`

/** Where the catalog is, and how it is asked. */
export interface PostgresSourceOptions {
  readonly target: ServerTarget
  readonly maxConnections: number
  /** Longest wait for an answer, with the time for connecting, in ms. */
  readonly timeoutMs: number
  /** Asked in place of the tables of schema `pgusher`. */
  readonly query: CustomQuery | undefined
}

/** What stands around the source. */
export interface PostgresSourceParts {
  readonly clock: Clock
  readonly openSocket: OpenSocket
}

/**
 * The catalog as Postgres has it. It asks over connections of its own; of what a client sent they
 * see the name alone, as a bound parameter.
 */
export class PostgresSource {
  readonly #query: CustomQuery | undefined
  readonly #connections: PgConnections

  constructor(options: PostgresSourceOptions, { clock, openSocket }: PostgresSourceParts) {
    const { target, maxConnections, timeoutMs, query } = options
    this.#query = query
    const login = {
      target,
      openSocket,
      applicationName: 'pgusher-catalog',
      statementTimeoutMs: timeoutMs,
      isReadOnly: true,
    }
    this.#connections = new PgConnections(
      { login, maxConnections, timeoutMs },
      { clock, emptied() {} },
    )
  }

  /**
   * Looks a name up, in one snapshot.
   *
   * @throws LayerFailedError - no answer within `timeoutMs`, or none at all.
   * @throws RecordRefusedError - the custom query's answer is no tenant.
   */
  read(name: CatalogName): Promise<CatalogEntry> {
    const query = this.#query
    return this.#run((client) =>
      query === undefined ? readTables(client, name) : readByQuery(client, name, query),
    )
  }

  /**
   * Asks whether the catalog can be read.
   *
   * @throws LayerFailedError - it can not.
   */
  async check(): Promise<void> {
    await this.#run<unknown>((client) =>
      this.#query === undefined ? checkTables(client) : client.query('SELECT 1'),
    )
  }

  /** Closes what is idle now, and what is busy as soon as it has its answer. */
  close(): void {
    this.#connections.close()
  }

  async #run<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    try {
      return await this.#connections.run(work)
    } catch (cause) {
      throw cause instanceof RecordRefusedError ? cause : this.#failure(cause)
    }
  }

  #failure(cause: unknown): LayerFailedError {
    const isMissing = cause instanceof pg.DatabaseError && MISSING.includes(cause.code)
    const remedy = isMissing && this.#query === undefined ? REMEDY : ''
    return new LayerFailedError('postgres', `${reasonOf(cause)}${remedy}`, { cause })
  }
}
