import type { ConsoleOptions } from '../admin/console/console.ts'
import type { RoutePolicy } from '../admin/explain/explain-route.ts'
import type { CatalogOptions } from '../catalog/layers/open-catalog.ts'
import type { RedisCacheOptions, RedisServers } from '../catalog/redis/redis-options.ts'
import type { LoginBackoff } from '../limits/login-backoff.ts'
import type { PoolsParts } from '../pool/pools.ts'
import { ClientTls } from '../session/login/client-tls.ts'
import type { SessionOptions } from '../session/session-parts.ts'
import type { TokenKey } from '../tenancy/tenant-token.ts'
import type { Config } from './config.ts'
import { consoleMethod } from './console-logins.ts'

/** What the pools take of the configuration. */
export function poolOptions({ pool, limits }: Config): ReturnType<PoolsParts['options']> {
  return { ...pool, maxWaiting: limits.maxWaiting }
}

export function loginBackoffOptions({
  limits,
}: Config): ConstructorParameters<typeof LoginBackoff>[1] {
  return { freeFailures: limits.loginFailures, maxDelayMs: limits.loginBackoffMaxMs }
}

/** What signs the tokens of sealed row tenants. */
export interface TokenOptions {
  readonly key: TokenKey
  /** How long a token is valid, in ms. */
  readonly lifetimeMs: number
}

/** `undefined` without keys: there are no sealed row tenants then. */
export function tokenOptions({ isolation }: Config): TokenOptions | undefined {
  const [key] = isolation.keys
  return key && { key, lifetimeMs: isolation.tokenLifetimeMs }
}

/** What sessions take of the configuration. */
export function sessionOptions(config: Config): SessionOptions {
  const { tenancy, auth, pool, limits, timeouts, clientTls } = config
  return {
    tag: { ...tenancy.tag, defaultTenant: tenancy.default },
    tls: clientTls && new ClientTls(clientTls),
    auth,
    statements: limits,
    maxCarriedBytes: limits.maxCarriedBytes,
    startupMs: timeouts.startupMs,
    connectMs: pool.connectTimeoutMs,
    cancelMs: timeouts.cancelMs,
    changeGraceMs: timeouts.changeGraceMs,
    requestBytes: limits.requestBytes,
    logsSql: config.log.sql,
  }
}

/**
 * What the console takes of the configuration. Its logins all have passwords: it asks for them also
 * where the clients of tenants are trusted, or show a certificate.
 */
export function consoleOptions({ console, consoleLogins, auth }: Config): ConsoleOptions {
  return {
    database: console.database,
    logins: new Map(consoleLogins.map((login) => [login.user, login] as const)),
    maxClients: console.maxClients,
    auth: { method: consoleMethod(auth.method), channelBinding: auth.channelBinding },
  }
}

/** How `explain` judges a login. */
export function routePolicy({ tenancy, auth, clientTls }: Config): RoutePolicy {
  const tag = { ...tenancy.tag, defaultTenant: tenancy.default }
  return { tag, method: auth.method, offersTls: clientTls !== undefined }
}

/** What the catalog takes of the configuration; `undefined` when the file is all of it. */
export function catalogOptions({ catalog, catalogPlaces }: Config): CatalogOptions | undefined {
  const { postgres: target, redisCa } = catalogPlaces
  if (target === undefined) return undefined
  const { postgres, breakerFailures, breakerMinMs, breakerMaxMs, ...others } = catalog
  const { query, maxConnections, timeoutMs } = postgres
  return {
    ...others,
    breaker: { failures: breakerFailures, minMs: breakerMinMs, maxMs: breakerMaxMs },
    postgres: { target, query, maxConnections, timeoutMs },
    redis: redisOptions(catalog.redis, redisCa),
  }
}

type RedisSettings = Config['catalog']['redis']

function redisOptions(
  settings: RedisSettings,
  ca: string | undefined,
): RedisCacheOptions | undefined {
  const servers = redisServers(settings)
  const { prefix, timeoutMs } = settings
  return servers && { servers, ca, prefix, timeoutMs }
}

function redisServers(settings: RedisSettings): RedisServers | undefined {
  const { url, cluster, sentinels, sentinelMaster: master, user, password } = settings
  if (url !== undefined) return { kind: 'single', url }
  if (cluster !== undefined) return { kind: 'cluster', urls: cluster }
  return sentinels && { kind: 'sentinels', urls: sentinels, master, user, password }
}
