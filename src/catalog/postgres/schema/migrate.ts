import { quoteIdentifier } from '../../../sql/quote.ts'
import { SchemaMismatchError } from '../postgres-errors.ts'
import { BOOTSTRAP, checksumOf, MIGRATIONS, type Migration } from './migrations.ts'

/** Of all databases of a server: programs that migrate wait for each other. Any number will do. */
const LOCK_KEY = '8028075836811472754'

/** What `migrate` needs of a client of `pg`. */
export interface MigrationClient {
  query(text: string): Promise<{ rows: Record<string, unknown>[] }>
}

/**
 * Brings the schema `pgusher` up to date: takes the steps that were not taken yet, each in a
 * transaction of its own. Safe to run at any time and by several at once. The client's session must
 * be its own, not one of a pooler in transaction mode.
 *
 * @returns the steps that were taken; none when nothing was to be done.
 * @throws SchemaMismatchError - a step was changed after it was taken, or one is not known here.
 */
export async function migrate(
  client: MigrationClient,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<readonly Migration[]> {
  await client.query(`SELECT pg_catalog.pg_advisory_lock(${LOCK_KEY})`)
  try {
    const taken = await takenSteps(client)
    const pending = migrations.filter(({ number }) => !taken.has(number))
    checkTaken(taken, migrations)
    for (const migration of pending) await take(client, migration)
    return pending
  } finally {
    await client.query(`SELECT pg_catalog.pg_advisory_unlock(${LOCK_KEY})`)
  }
}

/** All steps as a script for `psql`, for a database that has none of them. */
export function migrationScript(): string {
  const steps = MIGRATIONS.map((step) => transaction(`${step.sql}${noteOf(step)}`))
  return [transaction(BOOTSTRAP), ...steps].join('\n')
}

/** What a role needs to read the catalog. */
export function readerGrants(role: string): string {
  const name = quoteIdentifier(role)
  return `GRANT USAGE ON SCHEMA pgusher TO ${name};
GRANT SELECT ON pgusher.state, pgusher.servers, pgusher.tenants, pgusher.logins, pgusher.grants TO ${name};
`
}

interface TakenStep {
  readonly name: string
  readonly checksum: string
}

async function takenSteps(client: MigrationClient): Promise<ReadonlyMap<number, TakenStep>> {
  const known = await client.query(
    `SELECT pg_catalog.to_regclass('pgusher.migrations') IS NOT NULL AS "isThere"`,
  )
  if (known.rows[0]?.['isThere'] !== true) await inTransaction(client, BOOTSTRAP)
  const { rows } = await client.query('SELECT number, name, checksum FROM pgusher.migrations')
  return new Map(
    rows.map(({ number, name, checksum }) => [
      Number(number),
      { name: String(name), checksum: String(checksum) },
    ]),
  )
}

function checkTaken(taken: ReadonlyMap<number, TakenStep>, migrations: readonly Migration[]): void {
  for (const [number, { name, checksum }] of taken) {
    const step = migrations.find((migration) => migration.number === number)
    if (step === undefined) throw new SchemaMismatchError('unknown', `${number}, ${name},`)
    if (checksumOf(step) !== checksum) {
      throw new SchemaMismatchError('changed', `${number}, ${name},`)
    }
  }
}

async function take(client: MigrationClient, migration: Migration): Promise<void> {
  await inTransaction(client, `${migration.sql}${noteOf(migration)}`)
}

async function inTransaction(client: MigrationClient, sql: string): Promise<void> {
  try {
    await client.query(transaction(sql))
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

function transaction(sql: string): string {
  return `BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\n${sql}COMMIT;\n`
}

function noteOf(migration: Migration): string {
  const { number, name } = migration
  return `INSERT INTO pgusher.migrations (number, name, checksum)
  VALUES (${number}, '${name}', '${checksumOf(migration)}');\n`
}
