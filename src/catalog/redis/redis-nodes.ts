import { ClusterNodes } from './cluster-nodes.ts'
import { RedisLink, type RedisParts } from './redis-link.ts'
import { endpointOf, masterEndpointOf, type RedisCacheOptions } from './redis-options.ts'

/** The servers that hold our keys. */
export interface RedisNodes {
  /** Every one of them serves, and its changes are tracked. */
  readonly isUp: boolean
  /**
   * The one that holds a key.
   *
   * @throws LayerFailedError - nobody does.
   */
  linkOf(key: string): RedisLink
  /** A node has said that others hold some of its keys. */
  moved(): void
  close(): void
}

/** Connects in the background, for as long as it is not closed. */
export function nodesOf(options: RedisCacheOptions, parts: RedisParts): RedisNodes {
  const { servers } = options
  if (servers.kind === 'cluster') return new ClusterNodes(options, servers.urls, parts)
  const endpoint =
    servers.kind === 'single'
      ? endpointOf(options, servers.url)
      : masterEndpointOf(options, servers)
  const link = new RedisLink(options, endpoint, parts)
  return {
    get isUp() {
      return link.isUp
    },
    linkOf: () => link,
    moved: () => link.lose('it belongs to a cluster'),
    close: () => link.close(),
  }
}
