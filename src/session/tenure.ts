import type { Socket } from 'node:net'
import type { PoolMode, SessionTimeouts } from '../catalog/route.ts'
import type { Lease } from '../pool/lease.ts'
import type { CloseReason } from '../pool/pool-observer.ts'
import { Relay, type RelayListener } from '../relay/relay.ts'
import { RequestStream } from '../relay/request-stream.ts'
import { StatementJournal } from '../relay/statement-journal.ts'
import type { StatementTable } from '../relay/statement-table.ts'
import { type Admission, roaming } from './admission.ts'
import { errorAnswer } from './error-answer.ts'
import { Residence } from './follow/residence.ts'
import { LoggedWork } from './logged-work.ts'
import { SessionLog } from './session-log.ts'
import type { SessionParts } from './session-parts.ts'
import { StateKeeper, type TurnOutcome } from './state-keeper.ts'
import { StatementGuard } from './statement-guard.ts'
import { OwnRequests } from './switch/own-requests.ts'
import { TenantCommandMisplacedError } from './switch/switch-errors.ts'
import { WorkMeter } from './work-meter.ts'

/** Whom a tenure serves. */
export interface TenureClient {
  readonly socket: Socket
  readonly listener: RelayListener
}

/**
 * All that a session has in one tenant. When the client changes to another, it begins anew with
 * nothing: whatever is remembered of the client belongs in here.
 */
export class Tenure {
  readonly residence: Residence
  readonly requests: RequestStream
  readonly relay: Relay
  readonly keeper: StateKeeper
  readonly own: OwnRequests
  readonly meter: WorkMeter
  readonly log: SessionLog
  readonly #statementTable: StatementTable

  constructor({ socket, listener }: TenureClient, admission: Admission, parts: SessionParts) {
    const { parameters, route } = admission
    const { tenant } = route
    this.#statementTable = parts.statementTable
    const roams = roaming(admission, parts.statementTable)
    this.residence = new Residence(admission, parts)
    const journal = admission.options.logsSql ? new StatementJournal() : undefined
    this.log = new SessionLog(admission, parts.logger, journal)
    const guard = new StatementGuard(() => this.admission, parts, this.log)
    // In session mode it can't become needed: the client stays where it is.
    const isGuarded = roams !== undefined || guard.isNeeded
    this.requests = new RequestStream(roams, {
      tenant,
      refusal: misplaced,
      guard: isGuarded ? (effects) => guard.refusal(effects) : undefined,
      journal,
    })
    this.relay = new Relay({ client: socket, requests: this.requests, listener, parameters })
    this.keeper = new StateKeeper(admission)
    this.own = new OwnRequests(tenant)
    const work = new LoggedWork(parts.observer.tenant(tenant), this.log)
    this.meter = new WorkMeter(work, parts.clock, this.relay)
  }

  get admission(): Admission {
    return this.residence.admission
  }

  get mode(): PoolMode {
    return this.admission.route.pool.mode
  }

  get timeouts(): SessionTimeouts {
    return this.residence.timeouts
  }

  /** What the client did since the last call. */
  takeOutcome(): TurnOutcome {
    return {
      effects: this.requests.takeEffects(),
      changed: this.relay.takeChangedParameters(),
    }
  }

  /**
   * No server connection is held: what was heard of the route comes into force.
   *
   * @throws SettingRefusedError - what the client carries would leave its tenant here.
   */
  settle(): void {
    const admission = this.residence.settle()
    if (admission !== undefined) this.#settleIn(admission)
  }

  /**
   * Enters the place that the tenant moved to.
   *
   * @throws the errors of `Residence.enter`.
   */
  enter(signal: AbortSignal): Promise<void> {
    return this.residence.enter(signal, (admission) => this.#settleIn(admission))
  }

  /**
   * Nothing more is done on the server connection, if one is held. Nobody else gets it before what
   * the client did there is undone; what is not provably clean is closed.
   */
  letGo(lease: Lease | undefined, reason: CloseReason): void {
    const outcome = this.takeOutcome()
    this.relay.end()
    if (lease === undefined) return
    const { server } = lease
    this.meter.returned(server)
    if (!server.isClean || !this.requests.isBetweenFrames) lease.discard(reason)
    else if (this.keeper.left(server, outcome)) lease.release()
    else lease.discard('indelible')
  }

  #settleIn(admission: Admission): void {
    this.keeper.move(admission)
    const roams = roaming(admission, this.#statementTable)
    if (roams !== undefined) this.requests.move(roams)
  }
}

function misplaced(isInTransaction: boolean): Buffer {
  return errorAnswer(new TenantCommandMisplacedError(isInTransaction), 'ERROR')
}
