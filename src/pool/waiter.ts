import type { ProxyError } from '../base/proxy-error.ts'
import type { PoolMode } from '../catalog/route.ts'
import type { Link } from '../tenancy/link.ts'
import type { Lease } from './lease.ts'

/** A session that waits for a server connection. It hears exactly one of the two. */
export interface Waiter {
  /** Whom the connection will act for. */
  readonly link: Link
  /**
   * `transaction` takes any connection in its resting state or linked to a tenant; `session` one
   * that was opened for `link` alone.
   */
  readonly mode: PoolMode
  /** Longest wait, in ms; `0` waits without limit. */
  readonly waitMs: number
  granted(lease: Lease): void
  refused(error: ProxyError): void
}
