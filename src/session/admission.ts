import type { CancelKey } from '../cancel/cancel-keys.ts'
import type { Route } from '../catalog/route.ts'
import type { Pool } from '../pool/pool.ts'
import type { Link } from '../tenancy/link.ts'
import type { SessionOptions } from './session-parts.ts'

/** What a login has led to. */
export interface Admission {
  readonly id: number
  readonly route: Route
  readonly pool: Pool
  readonly link: Link
  readonly options: SessionOptions
  readonly cancelKey: CancelKey
}
