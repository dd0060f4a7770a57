import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { migrate } from '../../../src/catalog/postgres/schema/migrate.ts'
import { KeyRing, type SealingKey } from '../../../src/catalog/sealing/key-ring.ts'
import { type PostgresServer, startPostgres } from '../../support/postgres.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'

/** As much of a tap test as ends what was started. */
interface Ending {
  teardown(action: () => unknown): void
}

/** A catalog in a Postgres of its own. */
export interface TestCatalog {
  readonly server: PostgresServer
  readonly client: Client
  /** One more connection to it. */
  connect(): Promise<Client>
}

/** Starts a Postgres with the schema `pgusher` in its database `postgres`. */
export async function startCatalog(t: Ending, major: PostgresMajor): Promise<TestCatalog> {
  const server = await startPostgres({ major })
  t.teardown(() => server.stop())
  const connect = async () => {
    const client = new Client(server.url('postgres'))
    await client.connect()
    t.teardown(() => client.end())
    return client
  }
  const client = await connect()
  await migrate(client)
  return { server, client, connect }
}

export function randomKey(id: string): SealingKey {
  return { id, key: randomBytes(32).toString('base64') }
}

/** Adds tenants of strategy `database`, each with one sealed password; `t000`, `t001` and so on. */
export async function addTenants(client: Client, count: number, ring: KeyRing): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => tenantName(index))
  await client.query(
    `INSERT INTO pgusher.tenants (name, strategy, database_url, secrets, secrets_version)
     SELECT name, 'database', 'postgresql://app@db/' || name, secrets::jsonb, 1
     FROM unnest($1::text[], $2::text[]) AS added(name, secrets)`,
    [
      names,
      names.map((name) =>
        JSON.stringify({
          databaseUrl: ring.seal(`hush of ${name}`, {
            kind: 'tenant',
            name,
            place: 'databaseUrl',
            version: 1,
          }),
        }),
      ),
    ],
  )
}

export function tenantName(index: number): string {
  return `t${String(index).padStart(3, '0')}`
}

/** Opens the password of every tenant, with those keys and no others. */
export async function openTenants(
  client: Client,
  keys: readonly SealingKey[],
): Promise<Record<string, string>> {
  const ring = new KeyRing(keys)
  const { rows } = await client.query<{ name: string; sealed: string; version: number }>(
    `SELECT name, secrets ->> 'databaseUrl' AS sealed, secrets_version AS version
     FROM pgusher.tenants ORDER BY name`,
  )
  return Object.fromEntries(
    rows.map(({ name, sealed, version }) => [
      name,
      ring.open(sealed, { kind: 'tenant', name, place: 'databaseUrl', version }),
    ]),
  )
}
