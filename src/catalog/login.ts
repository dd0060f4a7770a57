import type { ScramVerifier } from '../wire/scram.ts'

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
