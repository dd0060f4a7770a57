// biome-ignore-all lint/style/noExcessiveLinesPerFile: one machine of states, whose moves are read together
import type { Socket } from 'node:net'
import type { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'
import type { PoolMode, Route, SessionTimeouts } from '../catalog/route.ts'
import type { Lease } from '../pool/lease.ts'
import type { Waiter } from '../pool/waiter.ts'
import type { Relay } from '../relay/relay.ts'
import { ServerLostError } from '../server/server-errors.ts'
import type { SessionFacts } from '../server/session-facts.ts'
import type { Link } from '../tenancy/link.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import type { Admission } from './admission.ts'
import { cancelAnswer } from './cancel-answer.ts'
import { type ClientStep, idleStep, keptStep } from './client-step.ts'
import { Deadline } from './deadline.ts'
import { endClient } from './end-client.ts'
import { weightOf } from './error-weight.ts'
import type { Credential } from './follow/credential.ts'
import { Departure, type SessionEnd } from './follow/departure.ts'
import type { Parting } from './follow/parting.ts'
import { overdueOf } from './overdue.ts'
import { QueryCancels } from './query-cancels.ts'
import {
  CanceledError,
  foreseen,
  PlaceLeftError,
  SessionMovedError,
  ShutdownError,
} from './session-errors.ts'
import type { SessionLog } from './session-log.ts'
import type { SessionParts } from './session-parts.ts'
import { CLOSED, IDLE, isHolding, move, resting, type SessionState } from './session-state.ts'
import type { SessionView } from './session-view.ts'
import type { OpenSession } from './sessions.ts'
import { socketView } from './socket-view.ts'
import type { StateKeeper } from './state-keeper.ts'
import {
  arrivalAnswer,
  changeTenant,
  refusalAnswer,
  type SwitchFailure,
} from './switch/change-tenant.ts'
import type { SwitchRequest } from './switch/own-requests.ts'
import { TenantSwitchFailedError } from './switch/switch-errors.ts'
import { Tenure } from './tenure.ts'

type CrossingState = Extract<SessionState, { readonly kind: 'crossing' }>

const NOTHING = Buffer.alloc(0)

/**
 * One logged-in client: waits for a complete request, takes a server connection from the pool,
 * relays, and gives it back when the transaction is over (or, in session mode, at the end). Where
 * its tenant is moved to, it follows between two transactions; where it asks for another tenant, it
 * begins anew there.
 */
export class Session implements Waiter, OpenSession {
  readonly id: number
  readonly #socket: Socket
  readonly #parts: SessionParts
  readonly #deadline: Deadline
  readonly #departure: Departure
  readonly #cancels = new QueryCancels()
  /** What its login has led to: a change of tenant begins with this, and with nothing made since. */
  readonly #home: Admission
  #tenure: Tenure
  readonly #startedMs: number
  #cancelId = 0
  #state: SessionState = IDLE
  /** The running request met its time limit, and the server was asked to give it up. */
  #isOverdue = false
  /** The running request lost its server connection once before it was sent. */
  #isSecondTry = false

  constructor(socket: Socket, admission: Admission, parts: SessionParts) {
    this.id = admission.id
    this.#socket = socket
    this.#parts = parts
    this.#home = admission
    this.#startedMs = parts.clock.nowMs()
    this.#tenure = new Tenure({ socket, listener: this }, admission, parts)
    this.#deadline = new Deadline(parts.clock, () => this.#expired())
    this.#departure = new Departure(parts, (parting) => this.#graceOver(parting))
  }

  /**
   * Begins to serve.
   *
   * @param cancelId - Of its cancel key, to be revoked at the end.
   * @param rest - Bytes that came behind the login.
   */
  start(cancelId: number, rest: Buffer): void {
    this.#cancelId = cancelId
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('drain', () => this.#drained())
    socket.on('end', () => this.#clientGone())
    socket.on('close', () => this.#clientGone())
    this.#deadline.set(this.#timeouts.idleClientMs)
    const { lease, since } = this.#admission
    if (lease !== undefined) {
      this.#tenure.meter.lent(lease.server)
      this.#move({ kind: 'active', lease })
      this.#relay.join(lease.server)
    }
    this.#parts.sessions.add(this)
    this.#parts.follower.admitted(this, since)
    if (rest.length > 0) this.#received(rest)
    socket.resume()
  }

  get tenant(): TenantName {
    return this.#admission.route.tenant
  }

  get login(): string {
    return this.#admission.route.login
  }

  get credential(): Credential {
    return this.#admission.credential
  }

  get mode(): PoolMode {
    return this.#tenure.mode
  }

  get waitMs(): number {
    return this.#timeouts.waitMs
  }

  get link(): Link {
    return this.#keeper.link
  }

  granted(lease: Lease): void {
    if (this.#state.kind !== 'waiting') {
      lease.release()
      return
    }
    this.#begin(lease, this.#state.requests)
    this.#socket.resume()
  }

  refused(error: ProxyError): void {
    this.#close({ error, reason: 'busy' })
  }

  /** The relay: no reply is owed and no request is half sent. */
  turnSettled(): void {
    const state = this.#state
    this.#isOverdue = false
    this.#isSecondTry = false
    if (isHolding(state)) this.#tenure.meter.answered(state.lease.server)
    if (state.kind === 'leaving' || this.#tenure.requests.isTerminated) {
      this.#close({ reason: 'clientGone' })
      return
    }
    if (state.kind === 'asking') {
      this.#keepOrRelease(state.lease)
      this.#takeHeld(state.held)
    }
    if (state.kind !== 'active') return
    if (state.lease.server.transactionStatus !== 'idle') {
      this.#deadline.set(this.#timeouts.idleInTransactionMs)
      return
    }
    this.#tenure.meter.transactionEnded()
    const end = this.#departure.betweenTransactions(this.mode === 'session')
    if (end !== undefined) this.#close(end)
    else if (this.mode === 'transaction') this.#transactionEnded(state.lease)
    else this.#deadline.set(this.#timeouts.idleClientMs)
  }

  /** The relay: the server has said what the session holds. */
  factsTold(facts: SessionFacts | undefined, held: readonly Buffer[]): boolean {
    const state = this.#state
    if (state.kind !== 'asking') return false
    this.#keeper.told(state.lease.server, state.wanted, facts)
    // Before what is held: that is not what made them.
    this.#tellPins()
    if (held.length === 0) return false
    const isLeaving = this.#departure.isNext(this.#keeper.isPinned) || state.lease.server.isViolated
    if (isLeaving || this.#mayBeOwn(held)) {
      state.held.push(...held)
      return false
    }
    this.#move({ kind: 'active', lease: state.lease })
    this.#tenure.meter.requested()
    this.#deadline.set(this.#timeouts.queryMs)
    return true
  }

  /** An error goes to the client, through the relay or past it. */
  errorReported(sqlState: string, origin: 'server' | 'proxy'): void {
    this.#tenure.meter.errorReported(sqlState, origin)
  }

  /** The relay: the server connection is gone. */
  turnLost(error: ProxyError, unsent: readonly Buffer[] | undefined): void {
    const reason = error instanceof ServerLostError ? 'lost' : 'linkFailed'
    const state = this.#state
    if (unsent === undefined || this.#isSecondTry || state.kind !== 'active') {
      this.#close({ error, reason })
      return
    }
    this.#isSecondTry = true
    this.#tenure.meter.returned(state.lease.server)
    state.lease.discard(reason)
    this.#checkOut([...unsent])
  }

  /** Cancels the query that runs at this moment, if any. Never throws. */
  async cancel(): Promise<void> {
    const state = this.#state
    if (state.kind === 'waiting' || state.kind === 'moving') this.#cancelWait(state.requests)
    if (state.kind === 'switching' || state.kind === 'crossing') {
      state.attempt.abort(new CanceledError())
      return
    }
    if (!isHolding(state)) return
    try {
      await this.#cancels.send(state.lease.server, this.#admission)
    } catch (error) {
      this.#log.tell('warn', 'cancel not forwarded', { detail: String(error) })
    } finally {
      this.#askWhenSafe()
    }
  }

  drain(): void {
    this.#departure.drain()
    // Whoever reads the last word with its answer does not ask again in between.
    this.#relay.gather()
  }

  leaveIfQuiet(quietMs: number): void {
    const state = this.#state
    // Of a request that has begun to come the rest is awaited.
    const isAsking = 'held' in state && state.held !== undefined
    if (!this.#isFree || isAsking || this.#deadline.ageMs < quietMs) return
    this.#close({ error: new ShutdownError(), reason: 'drain' })
  }

  follow(route: Route): void {
    // What was looked up for the tenant that it was in before is nothing to it.
    if (this.#state.kind === 'closed' || route.tenant !== this.tenant) return
    const hearing = this.#tenure.residence.hear(route)
    if (hearing === 'barred') {
      this.dismiss(new SessionMovedError('the server user is another one'))
      return
    }
    // What it was to end for is taken back.
    if (this.#departure.kind === 'revoked') this.#departure.withdraw()
    if (hearing === 'same') return
    this.#departure.withdraw()
    if (this.#isFree) this.#deadline.set(this.#timeouts.idleClientMs)
    this.#goAlong(hearing === 'elsewhere')
  }

  dismiss(error: ProxyError): void {
    const { kind } = this.#state
    if (kind === 'closed' || this.#departure.kind === 'revoked') return
    const isRunning = isHolding(this.#state) && !this.#isFree
    if (isRunning) this.#departure.begin(error, 'revoked')
    else this.#close({ error, reason: 'changed' })
  }

  /** Goes now, whatever it is doing. */
  kill(error: ProxyError): void {
    this.#close({ error, reason: 'drain' })
  }

  /** A server connection is its own at this moment. */
  get isHolding(): boolean {
    return isHolding(this.#state)
  }

  view(): SessionView {
    const { id, tenant, login } = this
    const lease = this.#lease
    const { meter, keeper, requests } = this.#tenure
    return {
      ...{ id, tenant, login },
      ...socketView(this.#socket),
      database: this.#admission.route.target.database,
      applicationName: this.#relay.told.get('application_name') ?? '',
      isReplication: false,
      state: this.#state.kind,
      isInTransaction: lease !== undefined && lease.server.transactionStatus !== 'idle',
      pins: keeper.pins,
      ageMs: this.#parts.clock.nowMs() - this.#startedMs,
      requestAgeMs: meter.requestAgeMs,
      waitMs: meter.waitMs,
      serverId: lease?.server.id,
      preparedStatements: requests.preparedStatements,
    }
  }

  #received(chunk: Buffer): void {
    this.#attempt(() => this.#take(chunk))
  }

  /** What goes wrong in it is told to the client, as its last word. */
  #attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#close({ error: foreseen(error), reason: 'busy' })
    }
  }

  #take(chunk: Buffer): void {
    const state = this.#state
    switch (state.kind) {
      case 'idle':
      case 'active':
        if (state.held === undefined) this.#work(chunk)
        else this.#workOn(state.held, chunk)
        return
      case 'waiting':
      case 'moving':
      case 'switching':
      case 'crossing':
        state.requests.push(chunk)
        this.#readLess(state)
        return
      case 'asking':
        this.#relay.request(chunk)
        return
      default:
        return
    }
  }

  /** What came while the server was asked. */
  #takeHeld(held: readonly Buffer[]): void {
    if (held.length === 0) return
    // It was paused when they came; they may be the beginning of a request alone.
    this.#readOn()
    this.#received(Buffer.concat(held))
  }

  /** The rest of a request may have come. */
  #workOn(held: Buffer, chunk: Buffer): void {
    this.#move(resting(this.#lease))
    this.#work(Buffer.concat([held, chunk]))
  }

  /** Does what the client asks for, one request after the other. */
  #work(bytes: Buffer): void {
    let step = this.#stepOf(bytes)
    while (step.kind === 'answer') {
      this.#answer(step.reply)
      step = this.#stepOf(step.rest)
    }
    const lease = this.#lease
    switch (step.kind) {
      case 'serve':
        if (lease === undefined) this.#checkOut([step.bytes])
        else this.#pass(step.bytes)
        return
      case 'switch':
        void this.#switchTenant(step.request, step.rest)
        return
      case 'wait':
        this.#move(resting(lease, step.held))
        if (step.held === undefined) this.#leaveIfDue()
        return
      default:
        this.#close({ reason: 'clientGone' })
    }
  }

  #stepOf(bytes: Buffer): ClientStep {
    const { own, requests, admission } = this.#tenure
    if (this.#state.kind === 'idle') return idleStep(bytes, own, admission.options.requestBytes)
    if (this.#isFree && requests.isBetweenFrames) return keptStep(bytes, own)
    own.passed()
    return { kind: 'serve', bytes }
  }

  /** In the course of a turn, or where the server connection is kept. */
  #pass(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#tenure.meter.requested()
    this.#deadline.set(this.#timeouts.queryMs)
    const state = this.#state
    const isBetween = this.#isFree && this.#tenure.requests.isBetweenFrames
    if (state.kind === 'active' && isBetween && state.lease.server.needsToken) {
      const { server } = state.lease
      this.#relay.begin(server, server.beginLink(this.link), [bytes])
    } else this.#relay.request(bytes)
    this.#leaveIfTerminated()
  }

  #mayBeOwn(held: readonly Buffer[]): boolean {
    const { own } = this.#tenure
    const bytes = Buffer.concat(held)
    return own.isUnfinished(bytes) || own.read(bytes) !== undefined
  }

  /** Answers in the server's place, between two transactions. */
  #answer(reply: Buffer): void {
    if (!this.#socket.write(reply)) this.#socket.pause()
    this.#deadline.set(this.#timeouts.idleClientMs)
  }

  #checkOut(requests: Buffer[]): void {
    this.#settle()
    if (this.#tenure.residence.isAway) {
      void this.#moveWith(requests)
      return
    }
    if (this.#parts.pauses.isPaused(this.tenant)) {
      this.#pauseWith(requests)
      return
    }
    const lease = this.#admission.pool.checkout(this)
    if (this.#state.kind === 'closed') return
    if (lease !== undefined) {
      this.#begin(lease, requests)
      return
    }
    this.#tenure.meter.waits()
    this.#deadline.set(0)
    this.#move({ kind: 'waiting', requests })
  }

  /** An operator has paused the tenant: the requests wait, as long as for a server connection. */
  #pauseWith(requests: Buffer[]): void {
    this.#tenure.meter.waits()
    this.#deadline.set(this.#timeouts.waitMs)
    this.#move({ kind: 'waiting', requests })
    this.#parts.pauses.wait(this)
  }

  /** The pause is over. */
  resumed(): void {
    const state = this.#state
    if (state.kind !== 'waiting') return
    this.#move(IDLE)
    this.#attempt(() => this.#checkOut(state.requests))
    this.#readOn()
  }

  #begin(lease: Lease, requests: readonly Buffer[]): void {
    this.#tenure.meter.lent(lease.server)
    this.#tenure.meter.requested()
    this.#move({ kind: 'active', lease })
    this.#deadline.set(this.#timeouts.queryMs)
    this.#attempt(() => {
      this.#relay.begin(lease.server, lease.server.beginLink(this.link), requests)
      this.#leaveIfTerminated()
    })
  }

  /** In transaction mode: what the client made must follow it, or it must stay with that. */
  #transactionEnded(lease: Lease): void {
    const wanted = this.#keeper.afterTurn(lease.server, this.#tenure.takeOutcome())
    if (wanted === undefined) {
      this.#keepOrRelease(lease)
      return
    }
    this.#move({ kind: 'asking', lease, wanted, held: [] })
    this.#deadline.set(0)
    this.#relay.hold()
    this.#askWhenSafe()
  }

  /** A cancel that is still on its way is meant for the client's query: it must not hit ours. */
  #askWhenSafe(): void {
    const state = this.#state
    if (state.kind !== 'asking' || this.#cancels.isUnderWay || !state.lease.server.isSettled) return
    this.#deadline.set(this.#admission.options.cancelMs)
    this.#relay.ask(state.wanted)
  }

  #keepOrRelease(lease: Lease): void {
    this.#deadline.set(this.#timeouts.idleClientMs)
    const end = this.#departure.betweenTransactions(this.#keeper.isPinned)
    if (end !== undefined) this.#close(end)
    else if (this.#keeper.isPinned && lease.server.isViolated) {
      this.#close({ error: new PlaceLeftError(), reason: 'violated' })
    } else if (!this.#keeper.isPinned) this.#release(lease)
    else if (this.#state.kind === 'asking') this.#move({ kind: 'active', lease })
    this.#tellPins()
  }

  #tellPins(): void {
    for (const reason of this.#keeper.takeNewPins()) {
      this.#parts.observer.pinned(this.tenant, reason)
      if (this.#log.isDebugging) this.#log.tellOfStatement('debug', 'session pinned', { reason })
    }
  }

  /** Nothing of it runs, and no transaction is open. */
  get #isFree(): boolean {
    const state = this.#state
    return state.kind === 'idle' || (state.kind === 'active' && state.lease.server.isClean)
  }

  get #lease(): Lease | undefined {
    return isHolding(this.#state) ? this.#state.lease : undefined
  }

  get #admission(): Admission {
    return this.#tenure.admission
  }

  get #timeouts(): SessionTimeouts {
    return this.#tenure.timeouts
  }

  #graceOver({ kind, error }: Parting): void {
    // One that follows its tenant is never cut off within a transaction.
    if (kind === 'moved' && !this.#isFree) return
    void this.cancel()
    this.#close({ error, reason: 'changed' })
  }

  /** What has been heard of the route is acted on, as far as that can be done at this moment. */
  #goAlong(isElsewhere: boolean): void {
    const state = this.#state
    if (state.kind === 'idle') this.#settle()
    else if (state.kind === 'moving' || (state.kind === 'waiting' && isElsewhere)) {
      this.#stopWaiting()
      this.#checkOut(state.requests)
    } else if (isHolding(state) && isElsewhere) {
      this.#departure.begin(new SessionMovedError('it keeps its server connection'), 'moved')
    }
  }

  /** It holds no server connection: what it heard of its route comes into force. */
  #settle(): void {
    if (this.mode === 'session') return
    if (this.#departure.kind === 'moved') this.#departure.withdraw()
    this.#tenure.settle()
  }

  /** Enters the place that the tenant moved to, with requests to be done there. */
  async #moveWith(requests: Buffer[]): Promise<void> {
    const attempt = new AbortController()
    this.#deadline.set(0)
    this.#move({ kind: 'moving', requests, attempt })
    try {
      await this.#tenure.enter(attempt.signal)
      // Between its arrival and this line it may have been sent on, or away.
      if (attempt.signal.aborted) return
      this.#socket.resume()
      this.#checkOut(requests)
    } catch (error) {
      if (!attempt.signal.aborted) this.#close({ error: foreseen(error), reason: 'busy' })
    }
  }

  /** Changes to the tenant that the client asks for; `rest` came behind that. */
  async #switchTenant(request: SwitchRequest, rest: Buffer): Promise<void> {
    const lease = this.#lease
    const attempt = new AbortController()
    const requests = rest.length === 0 ? [] : [rest]
    this.#deadline.set(0)
    const switching = { kind: 'switching', lease, requests, attempt } as const
    this.#move(switching)
    this.#readLess(switching)
    const { tenant } = request.command
    const wish = { tenant, home: this.#home, admission: this.#admission }
    const journey = {
      signal: attempt.signal,
      leave: () => this.#cross({ kind: 'crossing', requests, attempt }),
      arrive: (admission: Admission) => this.#attempt(() => this.#arrive(request, admission)),
    }
    const failure = await changeTenant(wish, journey, this.#parts)
    if (failure !== undefined) this.#notSwitched(request, failure)
  }

  /**
   * What it did on its server connection is undone before anybody else gets that.
   *
   * @throws ServerLostError - the server began to say something meanwhile, and is not through.
   */
  #cross(crossing: CrossingState): void {
    const lease = this.#lease
    if (lease === undefined) return
    if (!lease.server.isOutputWhole) {
      const { target } = this.#admission.route
      throw new ServerLostError(target, 'left within a message', { isReportable: false })
    }
    this.#move(crossing)
    this.#tenure.letGo(lease, 'busy')
    this.#readLess(crossing)
  }

  /** Begins anew as a session of another tenant, and answers. */
  #arrive(request: SwitchRequest, admission: Admission): void {
    const known = this.#relay.told
    const held = Buffer.concat('requests' in this.#state ? this.#state.requests : [])
    this.#departure.withdraw()
    this.#tenure.residence.depart(false)
    this.#parts.sessions.moved(this, () => {
      this.#tenure = new Tenure({ socket: this.#socket, listener: this }, admission, this.#parts)
    })
    const { lease, since } = admission
    this.#move(resting(lease))
    this.#answer(arrivalAnswer(request, known, admission))
    if (lease !== undefined) {
      this.#tenure.meter.lent(lease.server)
      this.#relay.join(lease.server)
    }
    this.#parts.follower.admitted(this, since)
    this.#goOn(held)
  }

  /** It may not go there, or can't: it stays where it is, if nothing of that is lost. */
  #notSwitched(request: SwitchRequest, { error, result }: SwitchFailure): void {
    const state = this.#state
    if (state.kind !== 'switching' && state.kind !== 'crossing') return
    this.#parts.observer.tenantSwitched(this.tenant, result)
    const isMidMessage = this.#lease?.server.isOutputWhole === false
    // What came behind it was meant for the other tenant.
    if (state.kind === 'crossing' || state.requests.length > 0 || isMidMessage) {
      this.#close({ error: new TenantSwitchFailedError(error), reason: 'busy' })
      return
    }
    const { code, message: detail } = error
    this.#log.tell(weightOf(error), 'tenant not switched', {
      to: request.command.tenant,
      code,
      detail,
    })
    const { lease } = state
    this.#move(resting(lease))
    this.errorReported(error.sqlState, 'proxy')
    this.#answer(refusalAnswer(request, error))
    this.#attempt(() => {
      if (lease === undefined) this.#settle()
      this.#goOn(NOTHING)
    })
  }

  /** It has been answered in the server's place, and may be wanted elsewhere by now. */
  #goOn(held: Buffer): void {
    if (this.#leaveIfDue()) return
    this.#readOn()
    if (held.length > 0) this.#received(held)
  }

  /** Between two requests. Returns whether it had to go. */
  #leaveIfDue(): boolean {
    const end = this.#departure.betweenTransactions(isHolding(this.#state))
    if (end !== undefined) this.#close(end)
    return end !== undefined
  }

  /** While requests wait, no more of them are taken in. */
  #readLess({ requests }: { readonly requests: readonly Buffer[] }): void {
    if (requests.length > 0) this.#socket.pause()
  }

  /** A client that does not read its replies gets no further request through. */
  #readOn(): void {
    if (!this.#socket.writableNeedDrain) this.#socket.resume()
  }

  #stopWaiting(): void {
    const state = this.#state
    this.#tenure.meter.waitsNoMore()
    if (state.kind === 'waiting') {
      this.#admission.pool.abandon(this)
      this.#parts.pauses.leave(this)
    } else if ('attempt' in state) state.attempt.abort()
  }

  /** A request that waits for its turn is answered here, as the server would answer it. */
  #cancelWait(requests: readonly Buffer[]): void {
    const answer = cancelAnswer(requests)
    if (answer === undefined) return
    this.#stopWaiting()
    this.#move(IDLE)
    this.#settle()
    this.#deadline.set(this.#timeouts.idleClientMs)
    this.errorReported(SqlState.queryCanceled, 'proxy')
    this.#socket.write(answer)
    this.#socket.resume()
    this.#leaveIfDue()
  }

  /** What its server connection is being asked will be known in a moment: it is not lost for that. */
  #clientGone(): void {
    const state = this.#state
    if (state.kind === 'asking' && state.lease.server.isOccupied) {
      this.#relay.dropHeld()
      this.#move({ kind: 'leaving', lease: state.lease })
    } else if (state.kind !== 'leaving' || !state.lease.server.isOccupied) {
      this.#close({ reason: 'clientGone' })
    }
  }

  /** The client said Terminate behind its requests: what it asked for before is still done. */
  #leaveIfTerminated(): void {
    const state = this.#state
    if (state.kind !== 'active' || !this.#tenure.requests.isTerminated) return
    if (state.lease.server.isSettled) {
      this.#close({ reason: 'clientGone' })
      return
    }
    this.#move({ kind: 'leaving', lease: state.lease })
  }

  #release(lease: Lease): void {
    this.#move(IDLE)
    this.#tenure.meter.returned(lease.server)
    this.#relay.end()
    // A client that does not read its replies gets no further request through.
    if (this.#socket.writableNeedDrain) this.#socket.pause()
    lease.release()
    this.#parts.sessions.released()
    this.#settle()
  }

  #drained(): void {
    this.#relay.clientDrained()
    if (this.#state.kind === 'idle' || this.#state.kind === 'active') this.#socket.resume()
  }

  #expired(): void {
    const overdue = overdueOf(this.#state, this.#timeouts, this.#isOverdue)
    if (overdue.kind === 'client') this.#close({ error: overdue.error, reason: 'timeout' })
    if (overdue.kind !== 'query') return
    // The server is asked to give the query up, so that the client keeps its session.
    this.#isOverdue = true
    const { queryMs } = this.#timeouts
    this.#log.tellOfStatement('warn', 'query timeout', { code: 'QUERY_TIMEOUT', queryMs })
    void this.cancel()
    this.#deadline.set(this.#admission.options.cancelMs)
  }

  /** The one way out. Whatever is not provably clean is closed. */
  #close(end: SessionEnd): void {
    if (this.#state.kind === 'closed') return
    const lease = this.#lease
    const isMidMessage = lease?.server.isOutputWhole === false
    this.#stopWaiting()
    this.#move(CLOSED)
    this.#deadline.stop()
    this.#departure.withdraw()
    this.#tenure.letGo(lease, end.reason)
    this.#say(end.error, isMidMessage)
    this.#parts.sessions.remove(this, end.error)
    this.#tenure.residence.depart(end.reason === 'changed')
    this.#parts.cancelKeys.revoke(this.#cancelId)
    this.#parts.tenantGate.leave(this.tenant)
    this.#parts.observer.closed(this.tenant, end.error)
  }

  #say(error: ProxyError | undefined, isMidMessage: boolean): void {
    const isSayable = error instanceof ServerLostError ? error.isReportable : !isMidMessage
    this.#log.ended(error)
    const said = isSayable ? error : undefined
    if (said !== undefined) this.errorReported(said.sqlState, 'proxy')
    endClient(this.#socket, said)
  }

  get #relay(): Relay {
    return this.#tenure.relay
  }

  get #keeper(): StateKeeper {
    return this.#tenure.keeper
  }

  get #log(): SessionLog {
    return this.#tenure.log
  }

  #move(next: SessionState): void {
    this.#state = move(this.#state, next)
  }
}
