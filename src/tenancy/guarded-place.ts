import { foldCase } from '../sql/fold-case.ts'
import type { IsolationLevel } from './isolation.ts'
import type { Tenancy } from './tenancy.ts'
import { tokenStart } from './tenant-token.ts'

/** The settings that say whom a shared server connection acts for, and what they may be. */
export interface GuardedPlace {
  /** Schemas that a `search_path` may name beside `pg_catalog` and `pg_temp`. */
  readonly schemas: readonly string[]
  /** The tenant setting, in lower case. */
  readonly setting: string
  /** What the tenant setting holds; `undefined` where that is a token. */
  readonly value: string | undefined
  /** What each token of the tenant begins with; `undefined` where there are none. */
  readonly tokenStart: string | undefined
  /** `undefined`: the server login itself. */
  readonly role: string | undefined
}

/** Schemas that hold nothing of any tenant, or nothing but the session's own. */
const INNOCENT_SCHEMAS: readonly string[] = ['', 'pg_catalog', 'pg_temp']

/** The place that a tenant is kept in; `undefined` where nobody looks after it. */
export function guardedPlace({
  tenancy,
  isolation,
  role,
}: {
  readonly tenancy: Tenancy
  readonly isolation: IsolationLevel
  readonly role: string | undefined
}): GuardedPlace | undefined {
  if (tenancy.strategy === 'database' || isolation === 'convenience') return undefined
  const setting = foldCase(tenancy.setting)
  const common = { schemas: tenancy.searchPath, setting, role }
  if (tenancy.strategy === 'schema') return { ...common, value: '', tokenStart: undefined }
  const { value } = tenancy
  if (isolation !== 'sealed') return { ...common, value, tokenStart: undefined }
  return { ...common, value: undefined, tokenStart: tokenStart(value) }
}

/** Whether a `search_path` of these names stays inside the place. */
export function isInside(place: GuardedPlace, searchPath: readonly string[]): boolean {
  return searchPath.every((name) => INNOCENT_SCHEMAS.includes(name) || place.schemas.includes(name))
}
