import pg from 'pg'
import type { Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import type { CatalogObserver } from '../../src/catalog/catalog-observer.ts'
import { FileCatalog } from '../../src/catalog/file-catalog.ts'
import { type OpenCatalog, openCatalog } from '../../src/catalog/layers/open-catalog.ts'
import { catalogOptions } from '../../src/config/room-options.ts'
import { openSocket } from '../../src/server/open/open-socket.ts'
import { createLogger } from '../../src/telemetry/log/logger.ts'
import { parseTenantName, type TenantName } from '../../src/tenancy/tenant-name.ts'
import type { CatalogTown } from './catalog-town.ts'
import { testConfig } from './proxy.ts'
import { until } from './until.ts'

const OBSERVER: CatalogObserver = {
  lookedUp() {},
  servedStale() {},
  recordRefused() {},
  changeTold() {},
}
const TENANT = tenantName('globex')

/** Generations that the parts of one record are of; those that are not written are NaN. */
export interface Generations {
  readonly setting: number
  readonly timeout: number
  readonly server: number
  /** Its time was over, and the source could not be asked. */
  readonly isStale: boolean
}

function tenantName(text: string): TenantName {
  const name = parseTenantName(text)
  if (name === undefined) throw new Error(`${text} is no tenant`)
  return name
}

/** The catalog as a proxy opens it, without a proxy around it. */
export async function openTownCatalog(
  t: Test,
  town: CatalogTown,
  catalog: Readonly<Record<string, unknown>>,
): Promise<OpenCatalog> {
  const config = testConfig(town.settings(catalog))
  const options = catalogOptions(config)
  if (options === undefined) throw new Error('no catalog')
  const opened = await openCatalog(options, {
    file: new FileCatalog(config.records),
    defaults: config,
    servers: config.sharedServers,
    observer: OBSERVER,
    logger: createLogger({ level: 'error', destination: { write() {} } }),
    clock: systemClock,
    openSocket,
    probe: async () => 'present',
    told() {},
  })
  t.teardown(() => opened.close())
  await until(() => opened.health().isRedisUp === true)
  return opened
}

export async function readGenerations({ catalog }: OpenCatalog): Promise<Generations> {
  const { resolution, findings } = await catalog.explain({ login: 'app', tenant: TENANT })
  if (resolution.kind === 'refused') throw new Error(resolution.reason)
  const { settings, target, timeouts } = resolution.route
  const setting = settings.find(({ name }) => name === 'app.generation')
  return {
    setting: Number(setting?.value),
    timeout: timeouts.queryMs || Number.NaN,
    server: Number(/\d+$/.exec(target.database)?.[0]),
    isStale: findings.some(({ kind, isStale }) => kind === 'tenant' && isStale),
  }
}

/** Whether a record is put together from several generations. */
export function isMixed({ setting, timeout, server }: Generations): boolean {
  return !Object.is(setting, timeout) || !(Number.isNaN(server) || server === setting)
}

/** Which generation Redis holds, if any. */
export async function generationInRedis({ redis }: CatalogTown): Promise<number | undefined> {
  const value = await redis.run('GET', 'pgusher:tenant:globex')
  const { tenant } = JSON.parse(typeof value === 'string' ? value : '{}')
  const generation = tenant?.tenant.settings.settings['app.generation']
  return generation === undefined ? undefined : Number(generation)
}

export async function openWriter({ source }: CatalogTown): Promise<pg.Client> {
  const client = new pg.Client(source.server.url('postgres'))
  await client.connect()
  return client
}

/**
 * Writes a generation, from 1 on, in one transaction and several statements: to the tenant's row,
 * which is told by its name, or to its server's row as well, which is told as a change of all.
 */
export async function writeGeneration(
  client: pg.Client,
  generation: number,
  rows: 'tenant' | 'tenant and server',
): Promise<void> {
  const server = `UPDATE pgusher.servers
    SET url = 'postgresql://pool@127.0.0.1:1/saas${generation}', secrets = '{}', secrets_version =
      CASE WHEN secrets = '{}' THEN secrets_version ELSE secrets_version + 1 END;`
  await client.query(`BEGIN;
    UPDATE pgusher.tenants SET settings = '{"app.generation":"${generation}"}' WHERE name = 'globex';
    ${rows === 'tenant' ? '' : server}
    UPDATE pgusher.tenants SET timeouts = '{"queryMs":${generation}}' WHERE name = 'globex';
    COMMIT`)
}
