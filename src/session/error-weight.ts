import type { LogWeight } from '../base/logger.ts'
import type { ErrorOrigin, ProxyError } from '../base/proxy-error.ts'

/** What clients do wrong is theirs to mend, as a rule. */
const BY_ORIGIN: Readonly<Record<ErrorOrigin, LogWeight>> = {
  client: 'info',
  tenant: 'warn',
  server: 'warn',
  proxy: 'warn',
}

/** What weighs more, or less, than where it comes from says. */
const BY_CODE: ReadonlyMap<string, LogWeight> = new Map([
  // Nobody can act on a client that has left, nor needs to on what was asked for.
  ['CLIENT_GONE', 'debug'],
  ['SHUTDOWN', 'debug'],
  ['POOL_DRAINED', 'debug'],
  ['SESSION_KILLED', 'info'],
  ['SESSION_REVOKED', 'info'],
  ['SESSION_SUSPENDED', 'info'],
  ['SESSION_MOVED', 'info'],
  ['TENANT_SUSPENDED', 'info'],
  // What keeps tenants apart had to step in, or can't.
  ['ISOLATION_VIOLATED', 'error'],
  ['SEAL_BROKEN', 'error'],
  // No tenant gets in that is not known yet; and a bug.
  ['CATALOG_UNAVAILABLE', 'error'],
  ['INTERNAL_ERROR', 'error'],
])

/** The weight of the line that says why a session ended, or did not begin. */
export function weightOf({ code, origin }: ProxyError): LogWeight {
  return BY_CODE.get(code) ?? BY_ORIGIN[origin]
}
