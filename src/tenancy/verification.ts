import { quoteLiteral } from '../sql/quote.ts'
import { parseSearchPath } from '../sql/search-path.ts'
import { type GuardedPlace, isInside } from './guarded-place.ts'

/** What was changed behind the guard's back. A metric label. */
export type ViolationKind = 'search_path' | 'tenant_setting' | 'role' | 'session_authorization'

/** What a server connection says of the place that it is in. */
export interface FoundPlace {
  /** `undefined`: it has not been set in the session. */
  readonly searchPath: string | undefined
  /** The value of the tenant setting. */
  readonly setting: string | undefined
  readonly role: string | undefined
  readonly user: string | undefined
}

/** What a place is measured by beside itself. */
export interface HeldPlace {
  readonly place: GuardedPlace
  /** The token that was put into the tenant setting; `undefined` for none. */
  readonly token: string | undefined
  /** The user that the connection is logged in as; `undefined` when the server did not say. */
  readonly user: string | undefined
}

const NO_ROLE = 'none'

/**
 * A statement of one row that tells of the place. The values come in hex: a client may have left
 * any `client_encoding` or `bytea_output`.
 *
 * @param serverEncoding - Of the database.
 */
export function placeQuery({ setting }: GuardedPlace, serverEncoding: string | undefined): string {
  // What is in no encoding can't be converted.
  const encoding = quoteLiteral(serverEncoding === 'SQL_ASCII' ? serverEncoding : 'UTF8')
  const columns = ['search_path', setting, 'role', 'session_authorization'].map(
    (name) =>
      `pg_catalog.encode(pg_catalog.convert_to(pg_catalog.current_setting(${quoteLiteral(name)}, true), ${encoding}), 'hex')`,
  )
  return `SELECT ${columns.join(', ')}`
}

/** Reads the row that answers `placeQuery`. */
export function readFoundPlace(columns: readonly (string | undefined)[]): FoundPlace {
  const [searchPath, setting, role, user] = columns.map(
    (hex) => hex && Buffer.from(hex, 'hex').toString('utf8'),
  )
  return { searchPath, setting, role, user }
}

/**
 * How a connection has left its place; `undefined` when it has not. The resting state, to which
 * RESET falls back, is nobody's and so no violation.
 */
export function placeViolation(
  found: FoundPlace,
  { place, token, user }: HeldPlace,
): ViolationKind | undefined {
  const { searchPath = '', setting = '', role = NO_ROLE } = found
  const schemas = parseSearchPath(searchPath)
  if (schemas === undefined || !isInside(place, schemas)) return 'search_path'
  if (setting !== '' && setting !== (token ?? place.value)) return 'tenant_setting'
  if (found.user !== undefined && user !== undefined && found.user !== user) {
    return 'session_authorization'
  }
  return role === (place.role ?? NO_ROLE) ? undefined : 'role'
}

/** The same, of settings that have a value of the session, by name in lower case: others rest. */
export function foundIn(settings: ReadonlyMap<string, string>, tenantSetting: string): FoundPlace {
  return {
    searchPath: settings.get('search_path'),
    setting: settings.get(tenantSetting),
    role: settings.get('role'),
    user: settings.get('session_authorization'),
  }
}
