import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { systemClock } from '../../../src/base/clock.ts'
import { silentLogger } from '../../../src/base/logger.ts'
import { FileCatalog } from '../../../src/catalog/file-catalog.ts'
import { type OpenCatalog, openCatalog } from '../../../src/catalog/layers/open-catalog.ts'
import { migrate } from '../../../src/catalog/postgres/schema/migrate.ts'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { catalogOptions } from '../../../src/config/room-options.ts'
import { openSocket } from '../../../src/server/open/open-socket.ts'
import { Metrics } from '../../../src/telemetry/metrics.ts'
import { parseTenantName } from '../../../src/tenancy/tenant-name.ts'
import { type PostgresServer, sql, startPostgres } from '../../../test/support/postgres.ts'
import { testConfig } from '../../../test/support/proxy.ts'
import { RedisServer } from '../../../test/support/redis.ts'
import { until } from '../../../test/support/until.ts'
import type { Cleanup } from '../cleanup.ts'
import { LOGIN } from '../pgusher.ts'
import { progress } from '../report.ts'

const KEY = { id: 'bench', key: randomBytes(32).toString('base64') }
const RING = new KeyRing([KEY])
/** Shared by the tenants. */
const DATABASE = 'saas'
/** Nothing becomes due while it is measured. */
const TTL_MS = 600_000

/** What the benches of the catalog stand on. */
export interface World {
  readonly server: PostgresServer
  readonly redis: RedisServer
  /** The catalog with that many tenants of strategy `schema`; the same one for the same number. */
  catalogOf(count: number): Promise<string>
  /** A catalog with tenants that have nearly all that a tenant can have, sealed passwords as well. */
  richCatalogOf(count: number): Promise<string>
}

/** Layers that are opened here, in the process of the bench. */
export interface Layers {
  readonly opened: OpenCatalog
  /** Lookups that ended in that layer. */
  hits(layer: 'memory' | 'redis' | 'postgres'): number
  /** @throws Error - it leads nowhere. */
  find(tenant: string): Promise<{ readonly isSuspended: boolean }>
}

/** Ends with the bench. */
export async function startWorld(cleanup: Cleanup): Promise<World> {
  const server = await startPostgres({ major: 18 })
  cleanup.defer(() => server.stop())
  const redis = await RedisServer.start()
  cleanup.defer(() => redis.stop())
  await sql(server, 'postgres', `CREATE DATABASE ${DATABASE}`)
  const made = new Map<string, string>()
  const once = async (name: string, fill: (client: pg.Client) => Promise<unknown>) => {
    if (!made.has(name)) await createCatalog(server, name, fill)
    made.set(name, server.url(name))
    return server.url(name)
  }
  return {
    server,
    redis,
    catalogOf: (count) => once(`catalog_${count}`, (client) => fillPlain(client, server, count)),
    richCatalogOf: (count) => once(`rich_${count}`, (client) => fillRich(client, count)),
  }
}

/** Makes the schemas of some tenants, so that they can be asked. */
export async function createSchemas(world: World, tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) {
    const table = `tenant_${tenant}.items`
    await sql(
      world.server,
      DATABASE,
      `CREATE SCHEMA IF NOT EXISTS tenant_${tenant};
       CREATE TABLE IF NOT EXISTS ${table} (id int PRIMARY KEY, owner text);
       INSERT INTO ${table} VALUES (1, '${tenant}') ON CONFLICT DO NOTHING`,
    )
  }
}

/** Settings of a proxy over a catalog. */
export function catalogSettings(postgres: string, redis: RedisServer | undefined) {
  return {
    catalog: {
      postgres: { url: postgres },
      ...(redis === undefined ? {} : { redis: { url: redis.url } }),
      keys: [KEY],
      ttlMs: TTL_MS,
    },
  }
}

/** Settings of a proxy that has those tenants in its file, and no catalog behind it. */
export function fileSettings({ server }: World, tenants: readonly string[]) {
  return {
    servers: { shared: { url: server.url(DATABASE) } },
    tenants: tenants.map((name) => ({ name, strategy: 'schema', server: 'shared' })),
  }
}

/** Opens the layers as a proxy does, with its metrics. Without Redis where none is given. */
export async function openLayers(postgres: string, redis?: RedisServer): Promise<Layers> {
  const config = testConfig({
    auth: { method: 'trust' },
    logins: [{ user: LOGIN, tenants: '*' }],
    ...catalogSettings(postgres, redis),
  })
  const options = catalogOptions(config)
  if (options === undefined) throw new Error('there is a catalog')
  const hits = { file: 0, memory: 0, redis: 0, postgres: 0 }
  const { catalogObserver: observer } = new Metrics()
  const opened = await openCatalog(options, {
    file: new FileCatalog(config.records),
    defaults: config,
    servers: config.sharedServers,
    observer: {
      ...observer,
      lookedUp(layer, result, durationMs) {
        if (result === 'hit') hits[layer] += 1
        observer.lookedUp(layer, result, durationMs)
      },
    },
    logger: silentLogger,
    clock: systemClock,
    openSocket,
    probe: () => Promise.resolve('present'),
    told() {},
  })
  if (redis !== undefined) await until(() => opened.health().isRedisUp === true)
  return {
    opened,
    hits: (layer) => hits[layer],
    async find(text) {
      const tenant = parseTenantName(text)
      if (tenant === undefined) throw new Error(`${text} is no name`)
      const resolution = await opened.catalog.resolve({ login: LOGIN, tenant })
      if (resolution.kind === 'route') return resolution
      throw new Error(`${text}: ${resolution.reason}`)
    },
  }
}

/** `t0`, `t1` and so on. */
export function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `t${index}`)
}

async function createCatalog(
  server: PostgresServer,
  name: string,
  fill: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  progress(`filling ${name}`)
  await sql(server, 'postgres', `CREATE DATABASE ${name}`)
  const client = new pg.Client(server.url(name))
  await client.connect()
  try {
    await migrate(client)
    await fill(client)
    await client.query('ANALYZE')
  } finally {
    await client.end()
  }
}

async function fillPlain(client: pg.Client, server: PostgresServer, count: number) {
  const url = `postgresql://${server.superuser}@${server.host}:${server.port}/${DATABASE}`
  await client.query(`INSERT INTO pgusher.servers (name, url) VALUES ('shared', '${url}')`)
  await client.query(
    `INSERT INTO pgusher.tenants (name, strategy, server)
     SELECT 't' || n, 'schema', 'shared' FROM generate_series(0, $1::int - 1) AS n`,
    [count],
  )
}

async function fillRich(client: pg.Client, count: number) {
  const names = namesOf(count)
  const secrets = names.map((name) =>
    JSON.stringify({
      databaseUrl: RING.seal('a password of some length', {
        kind: 'tenant',
        name,
        place: 'databaseUrl',
        version: 1,
      }),
    }),
  )
  await client.query(
    `INSERT INTO pgusher.tenants (name, id, strategy, database_url, role, settings, pool, timeouts,
       limits, labels, secrets, secrets_version)
     SELECT name, gen_random_uuid(), 'database',
       'postgresql://' || name || '@db.example.com:5432/' || name || '?sslmode=verify-full', name,
       '{"work_mem": "8MB", "statement_timeout": "30s"}',
       '{"mode": "session", "size": 5, "carriedSettings": ["app.user", "app.request"]}',
       '{"waitMs": 1000, "idleClientMs": 60000, "queryMs": 30000}', '{"maxClients": 100}',
       '{"plan": "gold", "region": "eu-central-1", "owner": "somebody@example.com"}',
       secrets::jsonb, 1
     FROM unnest($1::text[], $2::text[]) AS added(name, secrets)`,
    [names, secrets],
  )
}
