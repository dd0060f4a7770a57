import type { ProxyError } from '../../base/proxy-error.ts'
import type { Route } from '../../catalog/route.ts'
import { reportChanges } from '../../relay/relay.ts'
import { commandComplete, readyForQuery } from '../../wire/backend-messages.ts'
import type { Admission } from '../admission.ts'
import { errorAnswer } from '../error-answer.ts'
import { enterPlace, type Place } from '../follow/enter-place.ts'
import { foreseen } from '../session-errors.ts'
import type { SwitchResult } from '../session-observer.ts'
import type { SessionParts } from '../session-parts.ts'
import { authorizeSwitch, type SwitchPermit, type SwitchWish } from './authorize-switch.ts'
import type { SwitchRequest } from './own-requests.ts'

/** The way of a session from one tenant to another. */
export interface SwitchJourney {
  /** Gives it up. */
  readonly signal: AbortSignal
  /** The session may go: it gives back what it holds. */
  leave(): void
  /** It is there: the pool is entered, and the seat is its own. Must not throw. */
  arrive(admission: Admission): void
}

/** Why a session is not in the other tenant. */
export interface SwitchFailure {
  readonly error: ProxyError
  readonly result: Exclude<SwitchResult, 'done'>
}

/**
 * Takes a session to the tenant that it asks for, or leaves nothing behind there. Never throws.
 *
 * @returns `undefined` once it has arrived.
 */
export async function changeTenant(
  wish: SwitchWish,
  journey: SwitchJourney,
  parts: SessionParts,
): Promise<SwitchFailure | undefined> {
  const { signal } = journey
  let permit: SwitchPermit | undefined
  let place: Place
  try {
    permit = await authorizeSwitch(wish, parts)
    signal.throwIfAborted()
    journey.leave()
    place = await enterPlace(parts, permit, signal)
    if (signal.aborted) {
      place.lease?.release()
      parts.pools.leave(place.pool)
      throw signal.reason
    }
  } catch (error) {
    permit?.withdraw()
    return { error: foreseen(error), result: permit === undefined ? 'refused' : 'failed' }
  }
  const { route, credential, since } = permit
  permit.complete()
  note(wish, route, parts)
  journey.arrive({ ...wish.home, route, credential, since, ...place })
  return undefined
}

function note({ home, admission }: SwitchWish, route: Route, parts: SessionParts): void {
  const { tenant, login } = route
  const from = admission.route.tenant
  parts.observer.tenantSwitched(tenant, 'done', from)
  parts.logger.info('tenant switched', { session: home.id, login, from, tenant })
}

/** What a client hears that has arrived; `known`: ParameterStatus values as it was told. */
export function arrivalAnswer(
  { command, before }: SwitchRequest,
  known: ReadonlyMap<string, string>,
  { parameters }: Admission,
): Buffer {
  const news = reportChanges(known, parameters)
  return Buffer.concat([before, ...news, commandComplete(command.tag), readyForQuery('I')])
}

/** What a client hears that stays where it is. */
export function refusalAnswer({ before }: SwitchRequest, error: ProxyError): Buffer {
  return Buffer.concat([before, errorAnswer(error, 'ERROR'), readyForQuery('I')])
}
