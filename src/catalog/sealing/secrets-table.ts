import type { RowSecrets } from './reseal.ts'
import type { SealableRow } from './sealed-settings.ts'

/** What reading and writing secrets needs of a client of `pg`. */
export interface SecretsClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>
}

/** The secrets of a row as they are to be, for the row as it was read. */
export type SecretsChange = Pick<RowSecrets, 'name' | 'secrets' | 'secretsVersion'>

const TABLES = { tenant: 'pgusher.tenants', server: 'pgusher.servers' } as const

/** The settings in which passwords have their places. */
const PLACES = {
  tenant:
    "'databaseUrl', database_url, 'authQuery', auth_query, 'users', users, 'serverLogin', server_login",
  server: "'url', url, 'authQuery', auth_query, 'users', users",
} as const

/** Each is one statement, which tells the proxies row by row only up to a hundred rows. */
const PAGE_ROWS = 100

/** Deadlock, serialization failure: another writer was first. */
const OVERTAKEN = new Set(['40P01', '40001'])

/** The secrets of the `tenants` or `servers` of the catalog in Postgres. */
export class SecretsTable {
  readonly kind: RowSecrets['kind']
  readonly #client: SecretsClient

  constructor(client: SecretsClient, kind: RowSecrets['kind']) {
    this.#client = client
    this.kind = kind
  }

  /** The next rows that have secrets, in the order of their names; none after the last one. */
  after(name: string): Promise<RowSecrets[]> {
    return this.#read(`name > $1 AND secrets <> '{}' ORDER BY name LIMIT ${PAGE_ROWS}`, name)
  }

  /** The rows of these names that there are. */
  named(names: readonly string[]): Promise<RowSecrets[]> {
    return this.#read('name = ANY ($1)', names)
  }

  /** One row, with those of its settings in which passwords have their places. */
  async row(name: string): Promise<SealableRow | undefined> {
    const text = `SELECT name, jsonb_build_object(${PLACES[this.kind]}) AS settings,
secrets, secrets_version AS "secretsVersion" FROM ${TABLES[this.kind]} WHERE name = $1`
    const { rows } = await this.#client.query(text, [name])
    return (rows as readonly SealableRow[])[0]
  }

  /**
   * Writes those rows that are still as they were read.
   *
   * @returns the names of those that were written.
   */
  async write(changes: readonly SecretsChange[]): Promise<ReadonlySet<string>> {
    if (changes.length === 0) return new Set()
    const { rows } = await this.#update(changes)
    return new Set((rows as readonly { name: string }[]).map(({ name }) => name))
  }

  async #read(condition: string, value: unknown): Promise<RowSecrets[]> {
    const columns = 'name, secrets, secrets_version AS "secretsVersion"'
    const text = `SELECT ${columns} FROM ${TABLES[this.kind]} WHERE ${condition}`
    const { rows } = await this.#client.query(text, [value])
    return (rows as readonly SecretsChange[]).map((row) => ({ ...row, kind: this.kind }))
  }

  async #update(changes: readonly SecretsChange[]): ReturnType<SecretsClient['query']> {
    const text = `UPDATE ${TABLES[this.kind]} AS kept
SET secrets = change.secrets::jsonb, secrets_version = change.version + 1
FROM unnest($1::text[], $2::text[], $3::integer[]) AS change(name, secrets, version)
WHERE kept.name = change.name AND kept.secrets_version = change.version
RETURNING kept.name`
    try {
      return await this.#client.query(text, [
        changes.map(({ name }) => name),
        changes.map(({ secrets }) => JSON.stringify(secrets)),
        changes.map(({ secretsVersion }) => secretsVersion),
      ])
    } catch (error) {
      if (OVERTAKEN.has(String((error as { code?: unknown }).code))) return { rows: [] }
      throw error
    }
  }
}
