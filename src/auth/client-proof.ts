import type { Route } from '../catalog/route.ts'
import type { ScramKeys } from '../wire/scram/scram.ts'

/**
 * What a client proved at its login, in the form in which it can be passed on to a server. It is
 * the client's own: it lives as long as the session and its pool, is in no catalog and in no cache
 * of secrets, and must never be logged.
 */
export type ClientProof =
  /** Nothing that could be shown to another. */
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly password: string }
  /** As good as the password at every server with the same verifier. */
  | { readonly kind: 'scram'; readonly keys: ScramKeys }

/**
 * The route as one session takes it: with `serverUser: client`, to the server user that is called
 * as the client is, with nothing but what the client itself has proved.
 */
export function routeOfSession(route: Route, proof: ClientProof): Route {
  if (route.serverUser === 'route') return route
  const target = {
    ...route.target,
    user: route.login,
    password: proof.kind === 'password' ? proof.password : undefined,
    scramKeys: proof.kind === 'scram' ? proof.keys : undefined,
  }
  return Object.freeze({ ...route, target: Object.freeze(target) })
}
