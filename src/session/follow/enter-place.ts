import type { Clock } from '../../base/clock.ts'
import type { Route } from '../../catalog/route.ts'
import type { Pauses } from '../../limits/pauses.ts'
import type { Pool } from '../../pool/pool.ts'
import { CheckoutTimeoutError } from '../../pool/pool-errors.ts'
import type { Pools } from '../../pool/pools.ts'
import type { Link } from '../../tenancy/link.ts'
import { type Seat, takeOpenSeat } from '../login/take-seat.ts'

/** With what a place is entered. */
export interface EntryParts {
  readonly pools: Pools
  readonly pauses: Pauses
  readonly clock: Clock
}

/** Where a session will be. */
export interface Destination {
  readonly route: Route
  readonly link: Link
}

/** A pool that was entered, and the seat that was found there. */
export interface Place extends Seat {
  readonly pool: Pool
}

/**
 * Enters a place for a session that runs: its link is proven there before any byte of the client.
 * Nothing is entered if it fails.
 *
 * @param signal - Gives it up.
 * @throws CheckoutTimeoutError - not within the route's `waitMs`.
 * @throws the errors of `takeSeat`, or the reason of the signal.
 */
export async function enterPlace(
  { pools, pauses, clock }: EntryParts,
  destination: Destination,
  signal: AbortSignal,
): Promise<Place> {
  const { route } = destination
  const { waitMs } = route.timeouts
  const pool = pools.enter(route)
  const limit = new AbortController()
  const timer =
    waitMs === 0
      ? undefined
      : clock.after(waitMs, () => limit.abort(new CheckoutTimeoutError(waitMs)))
  try {
    const either = AbortSignal.any([signal, limit.signal])
    const seat = await takeOpenSeat({ pool, pauses }, destination, either)
    if (signal.aborted) {
      seat.lease?.release()
      throw signal.reason
    }
    return { ...seat, pool }
  } catch (error) {
    pools.leave(pool)
    throw error
  } finally {
    timer?.cancel()
  }
}
