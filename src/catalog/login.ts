import type { ScramVerifier } from '../wire/scram/scram.ts'

/**
 * How clients prove who they are. `password` and `trust` are refused where they aren't safe;
 * `cert` needs TLS.
 */
export type AuthMethod = 'scram-sha-256' | 'md5' | 'password' | 'cert' | 'trust'

/**
 * What a login can be checked against, in the forms that `pg_authid.rolpassword` holds.
 * Never a plain password.
 */
export type LoginSecret =
  | { readonly kind: 'scram'; readonly verifier: ScramVerifier }
  /** `hash`: the 32 hex digits of md5(password || user), without the `md5` prefix. */
  | { readonly kind: 'md5'; readonly hash: string }
  /** Only `trust` lets such a login in. */
  | { readonly kind: 'none' }

/** Where a login's secret is found: in the catalog, or at the server by the route's `authQuery`. */
export type SecretSource = LoginSecret | { readonly kind: 'authQuery' }

/** The record of this user covers all users that have none of their own. */
export const ANY_USER = '*'
