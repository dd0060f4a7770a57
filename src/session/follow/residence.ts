import { isDeepStrictEqual } from 'node:util'
import { routeWithProofOf } from '../../auth/client-proof.ts'
import type { Route, SessionTimeouts } from '../../catalog/route.ts'
import { poolKey } from '../../pool/pools.ts'
import { admitClientSettings } from '../../tenancy/client-settings.ts'
import { buildLink } from '../../tenancy/link.ts'
import { SettingRefusedError } from '../../tenancy/tenancy-errors.ts'
import type { Admission } from '../admission.ts'
import { ClientSettingError, SessionMovedError } from '../session-errors.ts'
import { type EntryParts, enterPlace } from './enter-place.ts'

/** Reported settings that decide what the bytes of a text mean, so also of one that is prepared. */
const READING_PARAMETERS = ['client_encoding', 'standard_conforming_strings']

/**
 * What a session has heard of its route.
 *
 * - `same`: nothing new.
 * - `here`: the same place, on other terms.
 * - `elsewhere`: another pool, or another link.
 * - `barred`: a place where this session can't go.
 */
export type Hearing = 'same' | 'here' | 'elsewhere' | 'barred'

/**
 * Where a session's requests are done, and where they will be from its next checkout on. A session
 * whose tenant has moved leaves its pool at once when it holds no server connection, and enters the
 * new one with its next request.
 */
export class Residence {
  readonly #parts: EntryParts
  #admission: Admission
  #next: Route | undefined
  #isAway = false

  constructor(admission: Admission, parts: EntryParts) {
    this.#admission = admission
    this.#parts = parts
  }

  /** Of the place that the session is in, or has left last. */
  get admission(): Admission {
    return this.#admission
  }

  /** They hold as soon as they are heard of. */
  get timeouts(): SessionTimeouts {
    return (this.#next ?? this.#admission.route).timeouts
  }

  /** The old place is left: `enter` comes before the next checkout. */
  get isAway(): boolean {
    return this.#isAway
  }

  /** Takes in what the catalog says now. */
  hear(told: Route): Hearing {
    const { route } = this.#admission
    const proven = routeWithProofOf(route, told)
    if (proven === undefined) return 'barred'
    const next = keepMode(route, proven)
    if (isDeepStrictEqual(next, this.#next ?? route)) return 'same'
    this.#next = next
    return !this.#isAway && isSamePlace(this.#admission, next) ? 'here' : 'elsewhere'
  }

  /**
   * The session holds no server connection: it leaves a place that is not its own any more.
   *
   * @returns The admission, if it is another one now.
   */
  settle(): Admission | undefined {
    const next = this.#next
    if (next === undefined || this.#isAway) return undefined
    const { pools } = this.#parts
    const { pool, link, parameters, settings } = this.#admission
    if (!isSamePlace(this.#admission, next)) {
      this.#isAway = true
      pools.leaveBehind(pool)
      return undefined
    }
    // The pool itself is the same one: to enter it anew puts its size right.
    const entered = pools.enter(next)
    pools.leave(pool)
    const renewed = buildLink(next, link.clientSettings)
    // It puts in force what the old one did, which has worked.
    const proven = entered.proven(renewed) ?? entered.prove({ link: renewed, parameters, settings })
    this.#next = undefined
    this.#admission = { ...this.#admission, ...proven, route: next, pool: entered }
    return this.#admission
  }

  /**
   * Enters the new place: the link is proven there before any byte of the client.
   *
   * @param signal - Gives it up; nothing is entered then.
   * @param arrived - Takes the client's state along; nothing is entered if it throws.
   * @throws SessionMovedError - the client's settings, or its prepared texts, do not fit there.
   * @throws CheckoutTimeoutError - not within the route's `waitMs`.
   * @throws LinkFailedError, and the errors of a checkout.
   */
  async enter(signal: AbortSignal, arrived: (admission: Admission) => void): Promise<void> {
    const route = this.#next
    if (route === undefined) throw new Error('a session enters a place that nobody told it of')
    try {
      const { clientSettings } = this.#admission.link
      const link = buildLink(route, admitClientSettings(clientSettings, route.tenancy))
      const place = await enterPlace(this.#parts, { route, link }, signal)
      const admission = { ...this.#admission, ...place, route }
      try {
        signal.throwIfAborted()
        this.#requireReadAlike(admission)
        arrived(admission)
      } catch (error) {
        this.#parts.pools.leave(place.pool)
        throw error
      }
      this.#admission = admission
      this.#next = undefined
      this.#isAway = false
    } catch (error) {
      throw isAboutSettings(error) ? new SessionMovedError('its settings', { cause: error }) : error
    }
  }

  /** @param isChanged - The session ends for what the catalog says. */
  depart(isChanged: boolean): void {
    if (this.#isAway) return
    const { pools } = this.#parts
    const { pool } = this.#admission
    if (isChanged || this.#next !== undefined) pools.leaveBehind(pool)
    else pools.leave(pool)
  }

  #requireReadAlike({ parameters }: Admission): void {
    const before = this.#admission.parameters
    const isReadAlike = (name: string) => parameters.get(name) === before.get(name)
    if (READING_PARAMETERS.every(isReadAlike)) return
    throw new SessionMovedError('the server there reads texts otherwise')
  }
}

/** Whether `route` leads to the pool and the link that a session has already. */
export function isSamePlace(
  { route: before, link }: Pick<Admission, 'route' | 'link'>,
  route: Route,
): boolean {
  return (
    isDeepStrictEqual(before.tenancy, route.tenancy) &&
    isDeepStrictEqual(link.tenantSettings, buildLink(route, []).tenantSettings) &&
    poolKey(before) === poolKey(route)
  )
}

/** A running session keeps its pool mode: what it may have done so far rests on it. */
function keepMode({ pool: { mode } }: Route, route: Route): Route {
  if (route.pool.mode === mode) return route
  return Object.freeze({ ...route, pool: { ...route.pool, mode } })
}

function isAboutSettings(error: unknown): boolean {
  return error instanceof SettingRefusedError || error instanceof ClientSettingError
}
