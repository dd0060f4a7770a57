import { isDeepStrictEqual } from 'node:util'
import type { AuthMethod, SecretSource } from '../../catalog/login.ts'

/** What a client was checked against when it logged in. */
export interface Credential {
  readonly method: AuthMethod
  /** As the catalog had it then. */
  readonly secret: SecretSource | undefined
}

/** Those that check a client against a secret. */
const METHODS_WITH_SECRET: ReadonlySet<AuthMethod> = new Set(['scram-sha-256', 'md5', 'password'])

/**
 * Whether a client that logged in with `credential` would have to know another password now. A
 * secret that a server was asked for is not in the catalog, so that its changes are not seen here.
 */
export function isPasswordChanged(
  { method, secret }: Credential,
  now: SecretSource | undefined,
): boolean {
  if (!METHODS_WITH_SECRET.has(method) || secret?.kind === 'authQuery') return false
  return !isDeepStrictEqual(secret, now)
}
