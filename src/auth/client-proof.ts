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

/**
 * What the catalog says now, as a session takes it that is on its way with `before`: with what the
 * client proved at its login. `undefined` when that was not kept: it is kept with `serverUser:
 * client` alone.
 */
export function routeWithProofOf(before: Route, route: Route): Route | undefined {
  if (route.serverUser === 'route') return route
  if (before.serverUser === 'route') return undefined
  const { password, scramKeys } = before.target
  if (scramKeys !== undefined) return routeOfSession(route, { kind: 'scram', keys: scramKeys })
  if (password !== undefined) return routeOfSession(route, { kind: 'password', password })
  return routeOfSession(route, { kind: 'none' })
}
