import type { OpenedServer } from '../server/open/login.ts'
import type { ReportedSets } from '../server/reported-sets.ts'
import { ServerConnection } from '../server/server-connection.ts'
import { ServerUnreachableError } from '../server/server-errors.ts'
import type { Link } from '../tenancy/link.ts'
import type { PoolParts } from './pool-parts.ts'

/** What a connection is opened with, beside the parts of its pool. */
export interface NewServer {
  readonly opened: OpenedServer
  /** The link that it was opened for; `undefined` for the resting state. */
  readonly home: Link | undefined
  readonly reportedSets: ReportedSets
}

/**
 * The connection of a pool that was just opened. Its lifetime begins.
 *
 * @throws ServerUnreachableError - the server has hung up already.
 */
export function newServer(parts: PoolParts, { opened, ...marks }: NewServer): ServerConnection {
  const { options, address, signer, observer, clock, random = Math.random } = parts
  const { violated } = observer
  const { serverLifetimeMs, lifetimeJitter } = options
  const lifetimeMs = serverLifetimeMs * (1 - random() * lifetimeJitter)
  const expiresAtMs = serverLifetimeMs === 0 ? Number.POSITIVE_INFINITY : clock.nowMs() + lifetimeMs
  const handedOver = () => observer.wasReset('handover')
  const given = { address, signer, violated, handedOver, expiresAtMs }
  const server = new ServerConnection(opened, { ...options, ...marks, ...given })
  // A server that shuts down may say so right behind its greeting.
  if (server.isClosed) throw new ServerUnreachableError(address, { reason: 'it hung up at once' })
  return server
}
