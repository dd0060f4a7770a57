import { once } from 'node:events'
import pg from 'pg'
import { systemClock } from '../../../src/base/clock.ts'
import { parseServerUrl } from '../../../src/catalog/documents/server-url.ts'
import {
  PostgresSource,
  type PostgresSourceOptions,
} from '../../../src/catalog/postgres/postgres-source.ts'
import { migrate } from '../../../src/catalog/postgres/schema/migrate.ts'
import type { ServerTarget } from '../../../src/catalog/route.ts'
import { openSocket } from '../../../src/server/open/open-socket.ts'
import { type PostgresServer, startPostgres } from '../../support/postgres.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'

const MAJORS: readonly PostgresMajor[] = [15, 18]

/** What a test needs to clean up after itself. */
export interface Owner {
  teardown(action: () => unknown): void
}

/** A server whose database `postgres` holds an empty catalog. */
export interface CatalogServer {
  readonly major: PostgresMajor
  readonly server: PostgresServer
  /** A session of the superuser. */
  readonly client: pg.Client
}

/** One of each Postgres. They end with the test. */
export function startCatalogs(t: Owner): Promise<readonly CatalogServer[]> {
  return Promise.all(MAJORS.map((major) => startCatalog(t, major)))
}

async function startCatalog(t: Owner, major: PostgresMajor): Promise<CatalogServer> {
  const server = await startPostgres({ major })
  t.teardown(() => server.stop())
  const client = await connect(t, server)
  await migrate(client)
  return { major, server, client }
}

/** A session of the superuser, who writes the catalog. Ends with the test. */
export async function connect(
  t: Owner,
  server: PostgresServer,
  database = 'postgres',
): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url(database) })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())
  return client
}

export function targetOf(server: PostgresServer, database = 'postgres'): ServerTarget {
  const result = parseServerUrl(`${server.url(database)}?sslmode=disable`)
  if (result.kind !== 'target') throw new Error(result.finding.message)
  return result.target
}

/** A source of that server's catalog. Ends with the test. */
export function openSource(
  t: Owner,
  server: PostgresServer,
  options: Partial<PostgresSourceOptions> = {},
): PostgresSource {
  return openSourceOf(t, { target: targetOf(server), ...options })
}

/** A source of the catalog at that target. Ends with the test. */
export function openSourceOf(
  t: Owner,
  options: Partial<PostgresSourceOptions> & Pick<PostgresSourceOptions, 'target'>,
): PostgresSource {
  const source = new PostgresSource(
    { maxConnections: 4, timeoutMs: 5000, query: undefined, ...options },
    { clock: systemClock, openSocket },
  )
  t.teardown(() => source.close())
  return source
}

/** The constraint that refuses a statement; else the SQLSTATE, or `undefined` where it runs. */
export async function refusalOf(client: pg.Client, text: string): Promise<string | undefined> {
  try {
    await client.query(text)
    return undefined
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
    return error.constraint ?? error.code
  }
}

/** The next notification that a session of `LISTEN` hears. */
export async function nextPayload(client: pg.Client): Promise<string> {
  const [{ payload }] = await once(client, 'notification')
  return payload
}

/** A SCRAM verifier, of whatever password. */
export const VERIFIER =
  'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='

/** An envelope that no key opens. */
export const ENVELOPE = `v1:k1:${'A'.repeat(16)}:${'B'.repeat(22)}:Q0M`
