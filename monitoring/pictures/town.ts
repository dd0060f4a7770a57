import { type CatalogTown, startTown } from '../../test/support/catalog-town.ts'
import { sql } from '../../test/support/postgres.ts'
import { probePort } from '../../test/support/postgres-cluster.ts'
import { Prometheus } from '../../test/support/prometheus.ts'
import { type Cleaning, type Served, serveReady } from '../../test/support/served-proxy.ts'
import { until } from '../../test/support/until.ts'

/** A proxy with all that belongs to it, watched by Prometheus. */
export interface WatchedTown {
  readonly servers: CatalogTown
  readonly served: Served
  readonly prometheus: Prometheus
}

/** A busy machine takes its time. */
const SCRAPED_MS = 60_000
const POLL_MS = 100

/** A function by which a tenant of a shared database leaves its place unseen. */
const LEAVE = `CREATE FUNCTION tenant_globex.leave() RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN RETURN set_config('search_path', 'tenant_hooli', false); END $$`

/** Starts it; it ends with `cleaning`. `interval`: between scrapes, such as `1s`. */
export async function startWatchedTown(cleaning: Cleaning, interval: string): Promise<WatchedTown> {
  const servers = await startTown(cleaning)
  await sql(servers.server, 'saas', LEAVE)
  await servers.source.run('UPDATE pgusher.servers SET pool_size = 6, max_connections = 6')
  const adminPort = await probePort()
  const settings = servers.settings(
    { ttlMs: 2000 },
    {
      listen: { port: await probePort() },
      admin: { port: adminPort },
      pool: { size: 6, backoffMaxMs: 500 },
      timeouts: { waitMs: 400, drainMs: 1000 },
      limits: { maxClients: 60, loginBackoffMaxMs: 0 },
    },
  )
  const served = await serveReady(cleaning, settings)
  const prometheus = await Prometheus.start({ ports: [adminPort], interval })
  cleaning.teardown(() => prometheus.stop())
  // It takes some seconds to find what it is to scrape.
  await until(async () => (await prometheus.value('up')) === 1, SCRAPED_MS, POLL_MS)
  return { servers, served, prometheus }
}
