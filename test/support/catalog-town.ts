import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { KeyRing, type SealContext } from '../../src/catalog/sealing/key-ring.ts'
import { deriveVerifier, formatVerifier } from '../../src/wire/scram/scram.ts'
import { type CatalogSource, startSource } from './catalog-source.ts'
import type { PostgresServer } from './postgres.ts'
import type { PostgresMajor } from './postgres-binaries.ts'
import { PASSWORD, startTestProxy, type TestProxy } from './proxy.ts'
import { query, RawClient, type RawFrame, rows, sqlStates } from './raw-client.ts'
import { RedisServer } from './redis.ts'
import { startSaas } from './saas.ts'
import { until } from './until.ts'

type Settings = Readonly<Record<string, unknown>>

/** Seals what stands in the catalog of a town. */
export const TOWN_KEY = { id: 'town', key: randomBytes(32).toString('base64') }

const RING = new KeyRing([TOWN_KEY])

/** The tenants' server, and apart from it a catalog with a Redis. */
export interface CatalogTown {
  /** Of the tenants. */
  readonly server: PostgresServer
  readonly source: CatalogSource
  readonly redis: RedisServer
  /** Settings of a proxy that knows tenants from the catalog alone. */
  settings(catalog?: Settings, others?: Settings): Record<string, unknown>
  /** A proxy with those settings, joined to Redis where it runs. Ends with the test. */
  proxy(t: Test, catalog?: Settings, others?: Settings): Promise<TestProxy>
  /** Makes the catalog what it was at first, and Redis empty. */
  reset(): Promise<void>
}

/**
 * Starts the servers, which end with the test file. The catalog has the tenants of `saasSettings`,
 * a login `app` that may act for all of them, and a login `web` that was granted acme.
 */
export async function startTown(
  t: Pick<Test, 'teardown'>,
  majors: { readonly source?: PostgresMajor; readonly tenants?: PostgresMajor } = {},
): Promise<CatalogTown> {
  const servers = await Promise.all([
    startSaas(majors.tenants ?? 18),
    startSource(majors.source),
    RedisServer.start(),
  ])
  for (const server of servers) t.teardown(() => server.stop())
  const [server, source, redis] = servers
  const settings = (catalog: Settings = {}, others: Settings = {}) => ({
    logins: [],
    limits: { loginBackoffMaxMs: 0 },
    catalog: {
      postgres: { url: source.url, timeoutMs: 500 },
      redis: { url: redis.url },
      keys: [TOWN_KEY],
      ...catalog,
    },
    ...others,
  })
  const town: CatalogTown = {
    server,
    source,
    redis,
    settings,
    async proxy(t, catalog, others) {
      const proxy = await startTestProxy(settings(catalog, others))
      t.teardown(() => proxy.stop())
      const { url } = proxy.config.catalog.redis
      if (url === redis.url && redis.isRunning) await untilRedisIs(proxy, 1)
      return proxy
    },
    async reset() {
      await source.run(`DELETE FROM pgusher.tenants; DELETE FROM pgusher.servers;
        DELETE FROM pgusher.logins; ${populate(server)}`)
      await redis.run('FLUSHALL')
    },
  }
  await town.reset()
  return town
}

/** An envelope as a literal of SQL. */
export function sealed(password: string, context: SealContext): string {
  return `'${JSON.stringify({ [context.place]: RING.seal(password, context) })}'`
}

/** What a login's password is kept as. */
export function verifierOf(password: string): string {
  return formatVerifier(deriveVerifier(password))
}

/** The row of a tenant with a database of its own, and that database's owner as its login. */
export function databaseTenant(server: PostgresServer, name: string, database = name): string {
  const context = { kind: 'tenant', name, place: 'databaseUrl', version: 1 } as const
  const url = server.url(database, { user: database })
  return `INSERT INTO pgusher.tenants (name, strategy, database_url, secrets, secrets_version)
    VALUES ('${name}', 'database', '${url}', ${sealed(database, context)}, 1);`
}

function populate(server: PostgresServer): string {
  const context = { kind: 'server', name: 'shared', place: 'url', version: 1 } as const
  return `
    INSERT INTO pgusher.servers (name, url, secrets, secrets_version)
    VALUES ('shared', '${server.url('saas', { user: 'pool' })}', ${sealed('pool', context)}, 1);
    ${databaseTenant(server, 'acme')}
    ${databaseTenant(server, 'umbrella')}
    INSERT INTO pgusher.tenants (name, strategy, server, id) VALUES
      ('globex', 'schema', 'shared', NULL), ('hooli', 'schema', 'shared', NULL),
      ('initech', 'row', 'shared', '42'), ('initrode', 'row', 'shared', '43');
    INSERT INTO pgusher.logins ("user", secret, has_all_tenants) VALUES
      ('app', '${verifierOf(PASSWORD)}', true), ('web', '${verifierOf(PASSWORD)}', false);
    INSERT INTO pgusher.grants ("user", tenant) VALUES ('web', 'acme');`
}

/** What came of an attempt to log in. */
export interface Attempt {
  readonly client: RawClient
  /** Of the error that ended it; `undefined` when the session is open. */
  readonly sqlState: string | undefined
  readonly frames: readonly RawFrame[]
}

/** Logs in as `app`, or as somebody else. Sessions that open are to be ended. */
export async function attempt(
  proxy: Pick<TestProxy, 'port'>,
  tenant: string,
  { user = 'app', password = PASSWORD } = {},
): Promise<Attempt> {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: `${user}.${tenant}`, password })
  return { client, sqlState: sqlStates(frames)[0], frames }
}

/** Logs in and out again; what a query for the owner of its rows says, or the SQLSTATE of a refusal. */
export async function visit(
  proxy: Pick<TestProxy, 'port'>,
  tenant: string,
  login: { readonly user?: string; readonly password?: string } = {},
): Promise<string | undefined> {
  const { client, sqlState } = await attempt(proxy, tenant, login)
  const outcome = sqlState ?? (await ownerOf(client))
  await client.end()
  return outcome
}

/** Whose rows a session sees, or the SQLSTATE that it gets in place of them. */
export async function ownerOf(client: RawClient): Promise<string | undefined> {
  const frames = await client.ask(query('SELECT owner FROM items'))
  return sqlStates(frames)[0] ?? rows(frames).join()
}

/** Opens a session that must open. */
export async function enter(
  proxy: Pick<TestProxy, 'port'>,
  tenant: string,
  login: { readonly user?: string; readonly password?: string } = {},
): Promise<RawClient> {
  const { client, sqlState } = await attempt(proxy, tenant, login)
  if (sqlState !== undefined) throw new Error(`${tenant} was refused: ${sqlState}`)
  return client
}

export function untilRedisIs(proxy: TestProxy, isUp: 0 | 1): Promise<void> {
  return until(async () => (await proxy.metric('pgusher_redis_up')) === isUp)
}

/** What `/readyz` says, with its status. */
export async function readyz({
  adminPort,
}: Pick<TestProxy, 'adminPort'>): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
  return { code: response.status, ...((await response.json()) as object) }
}

/** How often layers were asked for names, by what they made of it. */
export function lookups(proxy: TestProxy, layer: string, result?: string): Promise<number> {
  const labels = result === undefined ? { layer } : { layer, result }
  return proxy.metric('pgusher_catalog_lookups_total', labels)
}
