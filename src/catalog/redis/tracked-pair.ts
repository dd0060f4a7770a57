import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { newConnection } from './redis-connection.ts'
import type { ConnectionOptions, RedisEndpoint } from './redis-options.ts'

/** What stands around a pair. */
export interface TrackedPairParts {
  /** Keys that were changed, by anybody; `undefined`: any may have been. */
  changed(keys: readonly string[] | undefined): void
  /** The pair is of no more use. May be called more than once. */
  failed(reason: Error): void
}

const CHANNEL = '__redis__:invalidate'

/**
 * Two connections to one server: one for commands, and one on which Redis tells of keys that were
 * changed: by others, by hand, and by our own commands as well. NOLOOP would not keep the latter
 * back, since they are scripts.
 *
 * @see https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export class TrackedPair {
  readonly commands: Redis
  readonly #endpoint: RedisEndpoint
  readonly #parts: TrackedPairParts
  #subscriber: Redis | undefined
  #isClosed = false

  /** Connects by {@link open}. */
  constructor(endpoint: RedisEndpoint, parts: TrackedPairParts) {
    this.#endpoint = endpoint
    this.#parts = parts
    this.commands = this.#watched(endpoint.redis)
  }

  /** @param prefixes - Of the keys that are tracked. */
  async open(prefixes: readonly string[]): Promise<void> {
    await this.commands.connect()
    await greet(this.commands)
    if (this.#isClosed) throw new Error('closed')
    const subscriber = this.#watched(samePeer(this.#endpoint.redis, this.commands))
    this.#subscriber = subscriber
    await subscriber.connect()
    await greet(subscriber)
    const id = await subscriber.client('ID')
    subscriber.on('messageBuffer', (_channel: Buffer, keys: unknown) => this.#told(keys))
    await subscriber.subscribe(CHANNEL)
    const wanted = prefixes.flatMap((prefix) => ['PREFIX', prefix])
    const tracking = ['TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...wanted]
    const answer = await this.commands.call('CLIENT', tracking)
    if (answer !== 'OK') throw new Error('tracking was not confirmed')
  }

  /** Asks both connections for a sign of life. */
  async ping(): Promise<void> {
    await Promise.all([this.commands.ping(), this.#subscriber?.ping()])
  }

  close(): void {
    this.#isClosed = true
    this.commands.disconnect()
    this.#subscriber?.disconnect()
  }

  #watched(options: ConnectionOptions): Redis {
    return newConnection(options, (reason) => this.#failed(reason))
  }

  #failed(reason: Error): void {
    if (!this.#isClosed) this.#parts.failed(reason)
  }

  /** FLUSHALL and FLUSHDB come without keys. */
  #told(keys: unknown): void {
    if (!this.#isClosed) this.#parts.changed(Array.isArray(keys) ? keys.map(String) : undefined)
  }
}

/** Makes sure that questions get their own answers: what is not Redis may speak as it does. */
async function greet(redis: Redis): Promise<void> {
  const nonce = randomUUID()
  if ((await redis.ping(nonce)) !== nonce) throw new Error('it does not speak as Redis does')
}

/**
 * The id of a connection means something on its own server only. A host name may lead to several
 * servers and sentinels may change their mind, so the second connection goes to the first one's peer.
 */
function samePeer(options: ConnectionOptions, { stream }: Redis): ConnectionOptions {
  const { sentinels: _, name: __, ...rest } = options
  const { remoteAddress, remotePort } = stream
  if (remoteAddress === undefined || remotePort === undefined) throw new Error('closed')
  const peer = { ...rest, host: remoteAddress, port: remotePort }
  if (!('getPeerCertificate' in stream) || rest.tls === undefined) return peer
  const { fingerprint256 } = stream.getPeerCertificate()
  const checkServerIdentity = (_host: string, certificate: { fingerprint256: string }) =>
    certificate.fingerprint256 === fingerprint256 ? undefined : new Error('another certificate')
  return { ...peer, tls: { ...rest.tls, checkServerIdentity } }
}
