import type { Route } from '../catalog/route.ts'
import type { Pool } from '../pool/pool.ts'
import type { StatementScope } from '../relay/statement-names.ts'
import type { StatementTable } from '../relay/statement-table.ts'
import type { Link } from '../tenancy/link.ts'
import type { SessionOptions } from './session-parts.ts'

/** What a login has led to. */
export interface Admission {
  readonly id: number
  readonly route: Route
  readonly pool: Pool
  readonly link: Link
  readonly options: SessionOptions
}

/** Names are mapped only where a client's server connection changes. */
export function statementScope(
  { route, link, options }: Admission,
  table: StatementTable,
): StatementScope | undefined {
  if (route.pool.mode === 'session') return undefined
  return { table, tenantKey: link.tenantKey, limits: options.statements }
}
