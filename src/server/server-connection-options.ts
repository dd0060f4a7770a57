import type { Link } from '../tenancy/link.ts'
import type { TenantTokenSigner } from '../tenancy/tenant-token.ts'
import type { ViolationListener } from './place-watch.ts'
import type { ReportedSets } from './reported-sets.ts'
import type { ServerAddress } from './server-errors.ts'

/** A link on its way to the server. */
export interface LinkRequest {
  /** To be written before the client's own bytes. */
  readonly bytes: Buffer
  /**
   * Settings that another client made are in force until the link has undone them, and may make it
   * fail: nothing of the client should follow before it is acknowledged, so that another
   * connection can be tried.
   */
  readonly isRisky: boolean
}

/** Limits and marks of one server connection. */
export interface ServerConnectionOptions {
  /** Where it leads; for log messages. */
  readonly address: ServerAddress
  /** Most prepared statements held; PgBouncer's `max_prepared_statements`. */
  readonly maxPreparedStatements: number
  /** Most bytes of their texts. */
  readonly maxPreparedBytes: number
  /**
   * The link that it was opened with, and falls back to when it is reset: it serves no other.
   * `undefined` for one that is opened in the resting state.
   */
  readonly home: Link | undefined
  /** Signs the tokens of sealed tenants; `undefined` where there are none. */
  readonly signer: () => TenantTokenSigner | undefined
  readonly violated: ViolationListener
  /** It is being reset, as another tenant is next. */
  readonly handedOver: () => void
  /** Shared by all that a client may come to. */
  readonly reportedSets: ReportedSets
  /** When it must not be lent any more, on the pool's clock. */
  readonly expiresAtMs: number
}
