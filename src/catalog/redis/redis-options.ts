import type { RedisOptions } from 'ioredis'

/** Where Redis is. URLs are `redis://user:password@host:port/db`, or `rediss://` for TLS. */
export type RedisServers =
  | { readonly kind: 'single'; readonly url: string }
  /** Some nodes of a cluster; the others are learned from them, and log in alike. */
  | { readonly kind: 'cluster'; readonly urls: readonly string[] }
  /**
   * The scheme of the first URL holds for the sentinels and for the servers that they name, user
   * and password in it for the sentinels alone.
   */
  | {
      readonly kind: 'sentinels'
      readonly urls: readonly string[]
      readonly master: string
      readonly user: string | undefined
      readonly password: string | undefined
    }

/** How the cache in Redis is reached. Built in `config/`. */
export interface RedisCacheOptions {
  readonly servers: RedisServers
  /** PEM of the authorities that vouch for servers; `undefined`: those that Node.js knows. */
  readonly ca: string | undefined
  /** Begins every key. */
  readonly prefix: string
  /** Longest wait for an answer, in ms. */
  readonly timeoutMs: number
}

/** With what `Redis` is constructed; its own type does not fit under exactOptionalPropertyTypes. */
export type ConnectionOptions = RedisOptions & { readonly replyMapping: 'legacy' }

/** A server, or the sentinels that know it, and how to log in there. */
export interface RedisEndpoint {
  /** For the log: never a password. */
  readonly address: string
  readonly redis: ConnectionOptions
  /** Longest time until it is connected, logged in and tracked, in ms. */
  readonly openMs: number
}

/** Nobody waits for a connection to be made, so it may take longer than an answer. */
const SHORTEST_STEP_MS = 500
const STEPS = 4
/** A closed connection is given so long to say goodbye, in ms. */
const GOODBYE_MS = 50
const REDIS_PORT = 6379
const SENTINEL_PORT = 26_379

/**
 * Each connection is tried once and never repeats a command: who made it sees to what follows.
 * RESP2, because invalidation messages of RESP3 do not get through ioredis.
 */
const ONE_TRY: ConnectionOptions = {
  protocol: 2,
  replyMapping: 'legacy',
  lazyConnect: true,
  retryStrategy: null,
  sentinelRetryStrategy: () => null,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  disableClientInfo: true,
  disconnectTimeout: GOODBYE_MS,
}

/** The endpoint that one URL names. */
export function endpointOf(options: RedisCacheOptions, url: string): RedisEndpoint {
  const { host, port, user, password, db, isTls } = partsOf(url, REDIS_PORT)
  const stepMs = stepOf(options)
  return {
    address: `${host}:${port}`,
    openMs: stepMs * STEPS,
    redis: {
      ...ONE_TRY,
      host,
      port,
      db,
      connectTimeout: stepMs,
      ...given({ username: user, password }),
      ...(isTls ? { tls: tlsOf(options, host) } : {}),
    },
  }
}

/** The same server login at another node of the cluster. */
export function siblingOf(
  options: RedisCacheOptions,
  endpoint: RedisEndpoint,
  node: { readonly host: string; readonly port: number },
): RedisEndpoint {
  const { tls, ...redis } = endpoint.redis
  return {
    ...endpoint,
    address: `${node.host}:${node.port}`,
    redis: { ...redis, ...node, ...(tls === undefined ? {} : { tls: tlsOf(options, node.host) }) },
  }
}

/** The master that sentinels name at the moment of each connection. */
export function masterEndpointOf(
  options: RedisCacheOptions,
  servers: Extract<RedisServers, { kind: 'sentinels' }>,
): RedisEndpoint {
  const sentinels = servers.urls.map((url) => partsOf(url, SENTINEL_PORT))
  const [first] = sentinels
  const stepMs = stepOf(options)
  const tls = tlsOf(options, undefined)
  return {
    address: `${servers.master} (by sentinels)`,
    openMs: stepMs * (STEPS + sentinels.length),
    redis: {
      ...ONE_TRY,
      sentinels: sentinels.map(({ host, port }) => ({ host, port })),
      name: servers.master,
      connectTimeout: stepMs,
      sentinelCommandTimeout: stepMs,
      ...given({ username: servers.user, password: servers.password }),
      ...given({ sentinelUsername: first?.user, sentinelPassword: first?.password }),
      ...(first?.isTls ? { tls, sentinelTLS: tls, enableTLSForSentinelMode: true } : {}),
    },
  }
}

function stepOf({ timeoutMs }: RedisCacheOptions): number {
  return Math.max(timeoutMs, SHORTEST_STEP_MS)
}

/** A name is sent ahead (SNI), as managed services expect; an address may not be. */
function tlsOf({ ca }: RedisCacheOptions, host: string | undefined): { servername?: string } {
  const isName = host !== undefined && !/^[\d.]+$|:/.test(host)
  return { ...given({ ca }), ...(isName ? { servername: host } : {}) }
}

function partsOf(text: string, defaultPort: number) {
  const url = new URL(text)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || defaultPort),
    user: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(url.searchParams.get('db') ?? (url.pathname.slice(1) || 0)),
    isTls: url.protocol === 'rediss:',
  }
}

/** ioredis tells a key that is `undefined` from one that is not there. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as ReturnType<typeof given<T>>
}
