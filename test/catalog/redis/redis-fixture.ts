import type { Test } from 'tap'
import { systemClock } from '../../../src/base/clock.ts'
import type { CatalogChange } from '../../../src/catalog/change.ts'
import type { CatalogEntry, CatalogName } from '../../../src/catalog/entry.ts'
import { RedisCache } from '../../../src/catalog/redis/redis-cache.ts'
import type { RedisCacheOptions } from '../../../src/catalog/redis/redis-options.ts'
import { RedisServer, type RedisServerOptions } from '../../support/redis.ts'
import { until } from '../../support/until.ts'

export const PREFIX = 'test:'
/** Longer than a busy machine takes; tests of what hangs have one of their own. */
export const TIMEOUT_MS = 2000
export const KEPT_MS = 3_600_000

/** A cache and all that it has told. */
export interface WatchedCache {
  readonly cache: RedisCache
  readonly told: CatalogChange[]
  readonly up: string[]
  readonly lost: string[]
  readonly unreadable: string[]
}

type CacheSettings = Partial<RedisCacheOptions> & Pick<RedisCacheOptions, 'servers'>

/** Starts a redis-server that ends with the test. */
export async function serverFor(t: Test, options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options)
  t.teardown(() => server.stop())
  return server
}

/** Makes a cache that is closed with the test; it may not be up yet. */
export function watchedCache(t: Test, settings: CacheSettings): WatchedCache {
  const told: CatalogChange[] = []
  const up: string[] = []
  const lost: string[] = []
  const unreadable: string[] = []
  const options = { ca: undefined, prefix: PREFIX, timeoutMs: TIMEOUT_MS, ...settings }
  const cache = new RedisCache(options, {
    clock: systemClock,
    told: (change) => void told.push(change),
    observer: {
      nodeUp: (address) => void up.push(address),
      nodeLost: (address, reason) => void lost.push(`${address}: ${reason}`),
      valueUnreadable: (key, reason) => void unreadable.push(`${key}: ${reason}`),
    },
  })
  t.teardown(() => cache.close())
  return { cache, told, up, lost, unreadable }
}

/** The same over one server, and up; what it told of that is forgotten. */
export async function cacheOn(
  t: Test,
  url: string,
  timeoutMs: number = TIMEOUT_MS,
): Promise<WatchedCache> {
  const watched = watchedCache(t, { servers: { kind: 'single', url }, timeoutMs })
  await until(() => watched.cache.isUp)
  watched.told.length = 0
  return watched
}

/** Stores an entry, and forgets that this was told. */
export async function fillQuietly(
  { cache, told }: WatchedCache,
  name: CatalogName,
  entry: CatalogEntry,
): Promise<void> {
  told.length = 0
  if (!(await cache.fill(name, entry, KEPT_MS))) throw new Error('Redis knows better')
  await until(() => told.length === 1)
  told.length = 0
}

export function tenantName(name: string): CatalogName {
  return { kind: 'tenant', name }
}

export function loginName(name: string): CatalogName {
  return { kind: 'login', name }
}

export function tenantEntry(name: string, asOf: number): CatalogEntry {
  const settings = { name, strategy: 'schema', server: 'shared' }
  const tenant = { name, version: asOf, settings, secrets: {}, secretsVersion: 0 }
  const server = {
    name: 'shared',
    version: 1,
    settings: { url: 'postgresql://pool@db/saas' },
    secrets: { url: 'v1:k:iv:tag:text' },
    secretsVersion: 1,
  }
  return { kind: 'tenant', asOf, document: { tenant, server, logins: ['app'] } }
}

export function loginEntry(user: string, asOf: number): CatalogEntry {
  const document = { user, version: asOf, secret: undefined, hasAllTenants: true }
  return { kind: 'login', asOf, document }
}

export function absentEntry(asOf: number): CatalogEntry {
  return { kind: 'absent', asOf }
}
