// biome-ignore-all lint/style/noExcessiveLinesPerFile: one machine of states, whose moves are read together
import type { Socket } from 'node:net'
import type { ProxyError } from '../base/proxy-error.ts'
import { cancelQuery } from '../cancel/cancel-query.ts'
import type { PoolMode, Route, SessionTimeouts } from '../catalog/route.ts'
import type { Lease } from '../pool/lease.ts'
import type { CloseReason } from '../pool/pool-observer.ts'
import type { Waiter } from '../pool/waiter.ts'
import { type Relay, reportChanges } from '../relay/relay.ts'
import type { RequestStream } from '../relay/request-stream.ts'
import { ServerLostError } from '../server/server-errors.ts'
import type { SessionFacts } from '../server/session-facts.ts'
import type { Link } from '../tenancy/link.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import { commandComplete, readyForQuery } from '../wire/backend-messages.ts'
import { type Admission, roaming } from './admission.ts'
import { cancelAnswer } from './cancel-answer.ts'
import { Deadline } from './deadline.ts'
import { endClient } from './end-client.ts'
import { errorAnswer } from './error-answer.ts'
import type { Credential } from './follow/credential.ts'
import { enterPlace } from './follow/enter-place.ts'
import { Parting, type PartingKind } from './follow/parting.ts'
import type { Residence } from './follow/residence.ts'
import { overdueOf } from './overdue.ts'
import { requestReadiness } from './request-readiness.ts'
import {
  CanceledError,
  foreseen,
  PlaceLeftError,
  QueryTimeoutError,
  SessionMovedError,
  ShutdownError,
} from './session-errors.ts'
import type { SessionParts } from './session-parts.ts'
import { CLOSED, IDLE, isHolding, move, type SessionState } from './session-state.ts'
import type { OpenSession } from './sessions.ts'
import type { StateKeeper, TurnOutcome } from './state-keeper.ts'
import { authorizeSwitch, type SwitchPermit } from './switch/authorize-switch.ts'
import type { OwnRequest } from './switch/own-requests.ts'
import { TenantSwitchFailedError } from './switch/switch-errors.ts'
import { beginTenure, type Tenure } from './tenure.ts'

/** Why a session ends: `error` is told to the client, `reason` to the pool. */
interface End {
  readonly error?: ProxyError
  readonly reason: CloseReason
}

type ActiveState = Extract<SessionState, { readonly kind: 'active' }>
type SwitchRequest = Extract<OwnRequest, { readonly kind: 'switch' }>

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
  /** What its login has led to: a change of tenant begins with this, and with nothing made since. */
  readonly #home: Admission
  #tenure: Tenure
  #cancelId = 0
  #state: SessionState = IDLE
  #isDraining = false
  /** The catalog ends it, or moved its tenant while it is in the middle of something. */
  #parting: Parting | undefined
  /** Cancel requests that are on their way to the server. */
  #cancels = 0
  /** The running request met its time limit, and the server was asked to give it up. */
  #isOverdue = false
  /** The running request lost its server connection once before it was sent. */
  #isSecondTry = false

  constructor(socket: Socket, admission: Admission, parts: SessionParts) {
    this.id = admission.id
    this.#socket = socket
    this.#parts = parts
    this.#home = admission
    this.#tenure = beginTenure({ socket, listener: this }, admission, parts)
    this.#deadline = new Deadline(parts.clock, () => this.#expired())
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
    return this.#admission.route.pool.mode
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
    if (state.kind === 'leaving' || this.#requests.isTerminated) {
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
    this.#parts.observer.transactionEnded(this.tenant)
    const end = this.#endBetweenTransactions(this.mode === 'session')
    if (end !== undefined) this.#close(end)
    else if (this.mode === 'transaction') this.#transactionEnded(state.lease)
    else this.#deadline.set(this.#timeouts.idleClientMs)
  }

  /** The relay: the server has said what the session holds. */
  factsTold(facts: SessionFacts | undefined, held: readonly Buffer[]): boolean {
    const state = this.#state
    if (state.kind !== 'asking') return false
    this.#keeper.told(state.lease.server, state.wanted, facts)
    if (held.length === 0) return false
    const isLeaving = this.#isLeaving || state.lease.server.isViolated
    if (isLeaving || this.#mayBeOwn(Buffer.concat(held))) {
      state.held.push(...held)
      return false
    }
    this.#move({ kind: 'active', lease: state.lease })
    this.#deadline.set(this.#timeouts.queryMs)
    return true
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
    const { pool, route, options } = this.#admission
    this.#cancels += 1
    try {
      const place = { target: route.target, pool, timeoutMs: options.cancelMs }
      await cancelQuery(state.lease.server, place)
    } catch (error) {
      this.#warn('cancel not forwarded', String(error))
    } finally {
      this.#cancels -= 1
      this.#askWhenSafe()
    }
  }

  /** The proxy shuts down: goes now if idle, else when the transaction is over. */
  drain(): void {
    this.#isDraining = true
    if (this.#isFree) this.#close({ error: new ShutdownError(), reason: 'drain' })
  }

  follow(route: Route): void {
    // What was looked up for the tenant that it was in before is nothing to it.
    if (this.#state.kind === 'closed' || route.tenant !== this.tenant) return
    const hearing = this.#residence.hear(route)
    if (hearing === 'barred') {
      this.dismiss(new SessionMovedError('the server user is another one'))
      return
    }
    // What it was to end for is taken back.
    if (this.#parting?.kind === 'revoked') this.#stay()
    if (hearing === 'same') return
    this.#stay()
    if (this.#isFree) this.#deadline.set(this.#timeouts.idleClientMs)
    this.#goAlong(hearing === 'elsewhere')
  }

  dismiss(error: ProxyError): void {
    const { kind } = this.#state
    if (kind === 'closed' || this.#parting?.kind === 'revoked') return
    const isRunning = isHolding(this.#state) && !this.#isFree
    if (isRunning) this.#part(error, 'revoked')
    else this.#close({ error, reason: 'changed' })
  }

  /** Goes now, whatever it is doing. */
  kill(): void {
    this.#close({ error: new ShutdownError(), reason: 'drain' })
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
        this.#request(state.held === undefined ? chunk : Buffer.concat([state.held, chunk]))
        return
      case 'waiting':
      case 'moving':
      case 'switching':
      case 'crossing':
        state.requests.push(chunk)
        this.#socket.pause()
        return
      case 'active':
        this.#takeActive(state, chunk)
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
    if (!this.#socket.writableNeedDrain) this.#socket.resume()
    this.#received(Buffer.concat(held))
  }

  #takeActive({ lease, held }: ActiveState, chunk: Buffer): void {
    if (held !== undefined) this.#move({ kind: 'active', lease })
    this.#pass(this.#serveOwn(held === undefined ? chunk : Buffer.concat([held, chunk])))
  }

  /** In the course of a turn, or where the server connection is kept. */
  #pass(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#deadline.set(this.#timeouts.queryMs)
    const state = this.#state
    const isBetween = this.#isFree && this.#requests.isBetweenFrames
    if (state.kind === 'active' && isBetween && state.lease.server.needsToken) {
      const { server } = state.lease
      this.#relay.begin(server, server.beginLink(this.link), [bytes])
    } else this.#relay.request(bytes)
    this.#leaveIfTerminated()
  }

  #request(bytes: Buffer): void {
    const readiness = requestReadiness(bytes, this.#admission.options.requestBytes)
    if (readiness.kind === 'terminate') {
      this.#close({ reason: 'clientGone' })
      return
    }
    const request = readiness.from === 0 ? bytes : bytes.subarray(readiness.from)
    if (readiness.kind === 'partial') {
      this.#move({ kind: 'idle', held: request.length === 0 ? undefined : request })
      return
    }
    const left = this.#serveOwn(request)
    if (left === request) this.#checkOut([request])
    else if (this.#state.kind === 'idle') this.#request(left)
  }

  /**
   * Does what `bytes` ask of the proxy itself, if they begin with such requests.
   *
   * @returns What is left of them for the server.
   */
  #serveOwn(bytes: Buffer): Buffer {
    const { own, requests } = this.#tenure
    let left = bytes
    while (left.length > 0) {
      if (own.isOther(left) || !this.#isFree || !requests.isBetweenFrames) {
        own.passed()
        return left
      }
      const state = this.#state
      if (state.kind === 'active' && own.isUnfinished(left)) {
        this.#move({ kind: 'active', lease: state.lease, held: left })
        return NOTHING
      }
      const request = own.read(left)
      if (request === undefined) return left
      left = left.subarray(request.bytes)
      if (request.kind === 'switch') {
        void this.#switchTenant(request, left)
        return NOTHING
      }
      this.#answer(request.reply)
    }
    return left
  }

  #mayBeOwn(bytes: Buffer): boolean {
    const { own } = this.#tenure
    return own.isUnfinished(bytes) || own.read(bytes) !== undefined
  }

  /** Answers in the server's place, between two transactions. */
  #answer(reply: Buffer): void {
    if (!this.#socket.write(reply)) this.#socket.pause()
    this.#deadline.set(this.#timeouts.idleClientMs)
  }

  #checkOut(requests: Buffer[]): void {
    this.#settle()
    if (this.#residence.isAway) {
      void this.#moveWith(requests)
      return
    }
    const lease = this.#admission.pool.checkout(this)
    if (this.#state.kind === 'closed') return
    if (lease !== undefined) {
      this.#begin(lease, requests)
      return
    }
    this.#deadline.set(0)
    this.#move({ kind: 'waiting', requests })
  }

  #begin(lease: Lease, requests: readonly Buffer[]): void {
    this.#move({ kind: 'active', lease })
    this.#deadline.set(this.#timeouts.queryMs)
    this.#attempt(() => {
      this.#relay.begin(lease.server, lease.server.beginLink(this.link), requests)
      this.#leaveIfTerminated()
    })
  }

  /** In transaction mode: what the client made must follow it, or it must stay with that. */
  #transactionEnded(lease: Lease): void {
    const wanted = this.#keeper.afterTurn(lease.server, this.#takeOutcome())
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
    if (state.kind !== 'asking' || this.#cancels > 0 || !state.lease.server.isSettled) return
    this.#deadline.set(this.#admission.options.cancelMs)
    this.#relay.ask(state.wanted)
  }

  #takeOutcome(): TurnOutcome {
    return {
      effects: this.#requests.takeEffects(),
      changed: this.#relay.takeChangedParameters(),
    }
  }

  #keepOrRelease(lease: Lease): void {
    this.#deadline.set(this.#timeouts.idleClientMs)
    const end = this.#endBetweenTransactions(this.#keeper.isPinned)
    if (end !== undefined) this.#close(end)
    else if (this.#keeper.isPinned && lease.server.isViolated) {
      this.#close({ error: new PlaceLeftError(), reason: 'violated' })
    } else if (!this.#keeper.isPinned) this.#release(lease)
    else if (this.#state.kind === 'asking') this.#move({ kind: 'active', lease })
    for (const reason of this.#keeper.takeNewPins()) {
      this.#parts.observer.pinned(this.tenant, reason)
    }
  }

  /** Nothing of it runs, and no transaction is open. */
  get #isFree(): boolean {
    const state = this.#state
    return state.kind === 'idle' || (state.kind === 'active' && state.lease.server.isClean)
  }

  get #admission(): Admission {
    return this.#residence.admission
  }

  get #timeouts(): SessionTimeouts {
    return this.#residence.timeouts
  }

  /** It gives its server connection back before anything more is done: it goes, or goes elsewhere. */
  get #isLeaving(): boolean {
    const { isPinned } = this.#keeper
    return (
      this.#parting?.endsBetweenTransactions(isPinned) === true ||
      (this.#parting?.kind === 'moved' && !isPinned)
    )
  }

  /** Why it ends between two transactions; `isKeeping`: it would keep its server connection. */
  #endBetweenTransactions(isKeeping: boolean): End | undefined {
    if (this.#isDraining) return { error: new ShutdownError(), reason: 'drain' }
    const parting = this.#parting
    if (parting?.endsBetweenTransactions(isKeeping) !== true) return undefined
    return { error: parting.error, reason: 'changed' }
  }

  #part(error: ProxyError, kind: PartingKind): void {
    this.#stay()
    const parting = new Parting(error, kind)
    this.#parting = parting
    const { clock, options } = this.#parts
    parting.begin(options().changeGraceMs, clock, () => this.#graceOver(parting))
  }

  #stay(): void {
    this.#parting?.withdraw()
    this.#parting = undefined
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
      this.#part(new SessionMovedError('it keeps its server connection'), 'moved')
    }
  }

  /** It holds no server connection: what it heard of its route comes into force. */
  #settle(): void {
    if (this.mode === 'session') return
    if (this.#parting?.kind === 'moved') this.#stay()
    const admission = this.#residence.settle()
    if (admission !== undefined) this.#settleIn(admission)
  }

  /** @throws SettingRefusedError - what the client carries would leave its tenant here. */
  #settleIn(admission: Admission): void {
    this.#keeper.move(admission)
    const roams = roaming(admission, this.#parts.statementTable)
    if (roams !== undefined) this.#requests.move(roams)
  }

  /** Enters the place that the tenant moved to, with requests to be done there. */
  async #moveWith(requests: Buffer[]): Promise<void> {
    const attempt = new AbortController()
    this.#deadline.set(0)
    this.#move({ kind: 'moving', requests, attempt })
    try {
      await this.#residence.enter(attempt.signal, (admission) => this.#settleIn(admission))
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
    const lease = isHolding(this.#state) ? this.#state.lease : undefined
    const attempt = new AbortController()
    const requests = rest.length === 0 ? [] : [rest]
    this.#deadline.set(0)
    this.#move({ kind: 'switching', lease, requests, attempt })
    let permit: SwitchPermit | undefined
    try {
      const { tenant } = request.command
      const wish = { tenant, home: this.#home, admission: this.#admission }
      permit = await authorizeSwitch(wish, this.#parts)
      attempt.signal.throwIfAborted()
      if (lease !== undefined) this.#cross(lease, { kind: 'crossing', requests, attempt })
      const place = await enterPlace(this.#parts, permit, attempt.signal)
      if (attempt.signal.aborted) {
        place.lease?.release()
        this.#parts.pools.leave(place.pool)
        throw attempt.signal.reason
      }
      const { route, credential, since } = permit
      this.#arrive(request, { ...this.#home, route, credential, since, ...place })
    } catch (error) {
      permit?.withdraw()
      this.#notSwitched(request, foreseen(error), permit !== undefined)
    }
  }

  /** What it did on its server connection is undone before anybody else gets that. */
  #cross(lease: Lease, crossing: SessionState): void {
    const outcome = this.#takeOutcome()
    this.#move(crossing)
    this.#relay.end()
    this.#giveBack(lease, 'busy', outcome)
  }

  /** Begins anew as a session of another tenant, and answers. */
  #arrive({ command, before }: SwitchRequest, admission: Admission): void {
    const { tenant: from, login } = this
    const known = this.#relay.told
    const held = Buffer.concat('requests' in this.#state ? this.#state.requests : [])
    this.#stay()
    this.#residence.depart(false)
    this.#parts.sessions.moved(this, () => {
      this.#tenure = beginTenure({ socket: this.#socket, listener: this }, admission, this.#parts)
    })
    const { tenant } = this
    if (tenant !== from) this.#parts.tenantGate.leave(from)
    const { lease, parameters } = admission
    this.#move(lease === undefined ? IDLE : { kind: 'active', lease })
    const news = reportChanges(known, parameters)
    const done = [commandComplete(command.tag), readyForQuery('I')]
    this.#answer(Buffer.concat([before, ...news, ...done]))
    if (lease !== undefined) this.#relay.join(lease.server)
    this.#parts.observer.tenantSwitched(tenant, 'done')
    this.#parts.logger.info('tenant switched', { session: this.id, login, from, tenant })
    this.#parts.follower.admitted(this, admission.since)
    this.#goOn(held)
  }

  /** It may not go there, or can't: it stays where it is, if nothing of that is lost. */
  #notSwitched({ before }: SwitchRequest, error: ProxyError, isPermitted: boolean): void {
    const state = this.#state
    if (state.kind !== 'switching' && state.kind !== 'crossing') return
    this.#parts.observer.tenantSwitched(this.tenant, isPermitted ? 'failed' : 'refused')
    // What came behind it was meant for the other tenant.
    if (state.kind === 'crossing' || state.requests.length > 0) {
      this.#close({ error: new TenantSwitchFailedError(error), reason: 'busy' })
      return
    }
    this.#warn('tenant not switched', error.message, error.code)
    const { lease } = state
    this.#move(lease === undefined ? IDLE : { kind: 'active', lease })
    this.#answer(Buffer.concat([before, errorAnswer(error, 'ERROR'), readyForQuery('I')]))
    this.#attempt(() => {
      if (lease === undefined) this.#settle()
      this.#goOn(NOTHING)
    })
  }

  /** It has been answered in the server's place, and may be wanted elsewhere by now. */
  #goOn(held: Buffer): void {
    const end = this.#endBetweenTransactions(isHolding(this.#state))
    if (end !== undefined) {
      this.#close(end)
      return
    }
    this.#socket.resume()
    if (held.length > 0) this.#received(held)
  }

  #stopWaiting(): void {
    const state = this.#state
    if (state.kind === 'waiting') this.#admission.pool.abandon(this)
    else if ('attempt' in state) state.attempt.abort()
  }

  /** A request that waits for its turn is answered here, as the server would answer it. */
  #cancelWait(requests: readonly Buffer[]): void {
    const answer = cancelAnswer(requests)
    if (answer === undefined) return
    this.#stopWaiting()
    this.#move(IDLE)
    this.#settle()
    this.#deadline.set(this.#timeouts.idleClientMs)
    this.#socket.write(answer)
    this.#socket.resume()
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
    if (state.kind !== 'active' || !this.#requests.isTerminated) return
    if (state.lease.server.isSettled) {
      this.#close({ reason: 'clientGone' })
      return
    }
    this.#move({ kind: 'leaving', lease: state.lease })
  }

  #release(lease: Lease): void {
    this.#move(IDLE)
    this.#relay.end()
    // A client that does not read its replies gets no further request through.
    if (this.#socket.writableNeedDrain) this.#socket.pause()
    lease.release()
    this.#settle()
  }

  #drained(): void {
    this.#relay.clientDrained()
    if (this.#state.kind === 'idle' || this.#state.kind === 'active') this.#socket.resume()
  }

  #expired(): void {
    const timeouts = this.#timeouts
    const overdue = overdueOf(this.#state, timeouts)
    if (overdue.kind === 'query') this.#cancelOverdue(timeouts.queryMs)
    else if (overdue.kind === 'client') this.#close({ error: overdue.error, reason: 'timeout' })
  }

  /** Asks the server to give the query up, so that the client keeps its session. */
  #cancelOverdue(queryMs: number): void {
    if (this.#isOverdue) {
      this.#close({ error: new QueryTimeoutError(queryMs), reason: 'timeout' })
      return
    }
    this.#isOverdue = true
    this.#warn('query timeout', `ran for ${queryMs} ms`)
    void this.cancel()
    this.#deadline.set(this.#admission.options.cancelMs)
  }

  /** The one way out. Whatever is not provably clean is closed. */
  #close(end: End): void {
    const state = this.#state
    if (state.kind === 'closed') return
    const isMidMessage = isHolding(state) && !state.lease.server.isOutputWhole
    this.#stopWaiting()
    this.#move(CLOSED)
    this.#deadline.stop()
    this.#stay()
    const outcome = this.#takeOutcome()
    this.#relay.end()
    if (isHolding(state)) this.#giveBack(state.lease, end.reason, outcome)
    this.#say(end.error, isMidMessage)
    this.#parts.sessions.remove(this)
    this.#residence.depart(end.reason === 'changed')
    this.#parts.cancelKeys.revoke(this.#cancelId)
    this.#parts.tenantGate.leave(this.tenant)
    this.#parts.observer.closed(this.tenant, end.error)
  }

  #giveBack(lease: Lease, reason: CloseReason, outcome: TurnOutcome): void {
    const { server } = lease
    if (!server.isClean || !this.#requests.isBetweenFrames) lease.discard(reason)
    else if (this.#keeper.left(server, outcome)) lease.release()
    else lease.discard('indelible')
  }

  #say(error: ProxyError | undefined, isMidMessage: boolean): void {
    const isSayable = error instanceof ServerLostError ? error.isReportable : !isMidMessage
    if (error !== undefined) this.#warn('session ended', error.message, error.code)
    endClient(this.#socket, isSayable ? error : undefined)
  }

  get #residence(): Residence {
    return this.#tenure.residence
  }

  get #requests(): RequestStream {
    return this.#tenure.requests
  }

  get #relay(): Relay {
    return this.#tenure.relay
  }

  get #keeper(): StateKeeper {
    return this.#tenure.keeper
  }

  #warn(message: string, detail: string, code?: string): void {
    const { tenant, login } = this
    this.#parts.logger.warn(message, { session: this.id, tenant, login, detail, code })
  }

  #move(next: SessionState): void {
    this.#state = move(this.#state, next)
  }
}
