import { reasonOf, withDeadline } from '../base/deadline.ts'
import { ProxyError } from '../base/proxy-error.ts'
import { LayerFailedError } from '../catalog/catalog-errors.ts'
import { parseServerUrl } from '../catalog/documents/server-url.ts'
import { connectPg } from '../catalog/postgres/connect-pg.ts'
import type { ServerTarget } from '../catalog/route.ts'
import { KeyRing } from '../catalog/sealing/key-ring.ts'
import type { Config } from '../config/config.ts'
import { openSocket } from '../server/open/open-socket.ts'
import { UsageError } from './command.ts'

/** For a database that is named on the command line. */
const TIMEOUT_MS = 10_000

type CatalogClient = Awaited<ReturnType<typeof connectPg>>

type CatalogWork<T> = (client: CatalogClient) => Promise<T>

/** Where the catalog is. */
export interface CatalogDatabase {
  readonly target: ServerTarget
  /** Longest wait for the connection, in ms. */
  readonly timeoutMs: number
}

/**
 * Does something over a connection of its own to the catalog's database.
 *
 * @throws UsageError - when there is no such database.
 * @throws LayerFailedError - when it can't be reached, or refuses what is asked of it.
 */
export function overCatalog<T>(config: Config, work: CatalogWork<T>): Promise<T> {
  return overDatabase(catalogDatabase(config), work)
}

/** @throws UsageError - when the configuration names none. */
export function catalogDatabase({ catalog, catalogPlaces }: Config): CatalogDatabase {
  const target = catalogPlaces.postgres
  if (target === undefined) throw new UsageError('name the database in catalog.postgres.url')
  return { target, timeoutMs: catalog.postgres.timeoutMs }
}

/**
 * @param url - What `--url` says.
 * @throws UsageError - when it is no URL of a server.
 */
export function namedDatabase(url: string | undefined): CatalogDatabase {
  const result = parseServerUrl(url ?? '')
  if (result.kind === 'target') return { target: result.target, timeoutMs: TIMEOUT_MS }
  const { message, remedy } = result.finding
  throw new UsageError(`--url ${message}. ${remedy}`)
}

/**
 * Does something over a connection of its own to a database.
 *
 * @throws LayerFailedError - when it can't be reached, or refuses what is asked of it.
 */
export async function overDatabase<T>(
  { target, timeoutMs }: CatalogDatabase,
  work: CatalogWork<T>,
): Promise<T> {
  const login = {
    target,
    openSocket,
    applicationName: 'pgusher-cli',
    statementTimeoutMs: undefined,
    isReadOnly: false,
  }
  try {
    const client = await withDeadline({ timeoutMs }, (signal) => connectPg(login, signal))
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  } catch (cause) {
    throw failureOf(cause)
  }
}

/**
 * The keys for commands that seal: what the key of a process sealed could never be opened again.
 *
 * @throws UsageError - when there are none.
 */
export function sealingKeys({ catalog }: Config): KeyRing {
  if (catalog.keys.length === 0) throw new UsageError('name a key in catalog.keys')
  return new KeyRing(catalog.keys)
}

function failureOf(cause: unknown): Error {
  if (cause instanceof ProxyError || cause instanceof UsageError) return cause
  return new LayerFailedError('postgres', reasonOf(cause), { cause })
}
