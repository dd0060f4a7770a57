import type { Socket } from 'node:net'
import { Relay, type RelayListener } from '../relay/relay.ts'
import { RequestStream } from '../relay/request-stream.ts'
import { type Admission, roaming } from './admission.ts'
import { errorAnswer } from './error-answer.ts'
import { Residence } from './follow/residence.ts'
import type { SessionParts } from './session-parts.ts'
import { StateKeeper } from './state-keeper.ts'
import { StatementGuard } from './statement-guard.ts'
import { OwnRequests } from './switch/own-requests.ts'
import { TenantCommandMisplacedError } from './switch/switch-errors.ts'

/**
 * All that a session has in one tenant. When the client changes to another, it begins anew with
 * nothing: whatever is remembered of the client belongs in here.
 */
export interface Tenure {
  readonly residence: Residence
  readonly requests: RequestStream
  readonly relay: Relay
  readonly keeper: StateKeeper
  readonly own: OwnRequests
}

/** Whom a tenure serves. */
export interface TenureClient {
  readonly socket: Socket
  readonly listener: RelayListener
}

export function beginTenure(
  { socket, listener }: TenureClient,
  admission: Admission,
  parts: SessionParts,
): Tenure {
  const { parameters } = admission
  const { tenant } = admission.route
  const roams = roaming(admission, parts.statementTable)
  const residence = new Residence(admission, parts)
  const guard = new StatementGuard(() => residence.admission, parts)
  // In session mode it can't become needed: the client stays where it is.
  const isGuarded = roams !== undefined || guard.isNeeded
  const requests = new RequestStream(roams, {
    tenant,
    refusal: misplaced,
    guard: isGuarded ? (effects) => guard.refusal(effects) : undefined,
  })
  return {
    residence,
    requests,
    relay: new Relay({ client: socket, requests, listener, parameters }),
    keeper: new StateKeeper(admission),
    own: new OwnRequests(tenant),
  }
}

function misplaced(isInTransaction: boolean): Buffer {
  return errorAnswer(new TenantCommandMisplacedError(isInTransaction), 'ERROR')
}
