import type { Socket } from 'node:net'
import { routeWithProofOf } from '../../auth/client-proof.ts'
import type { ProxyError } from '../../base/proxy-error.ts'
import type { CancelTarget } from '../../cancel/cancel-keys.ts'
import { forwardCancel } from '../../cancel/forward-cancel.ts'
import type { Route } from '../../catalog/route.ts'
import { endSocket } from '../../server/end-socket.ts'
import type { OpenedServer } from '../../server/open/login.ts'
import { ServerLostError } from '../../server/server-errors.ts'
import type { Link } from '../../tenancy/link.ts'
import {
  isReplicationAllowed,
  type ReplicationMode,
  type ReplicationPolicy,
} from '../../tenancy/replication.ts'
import type { TenantName } from '../../tenancy/tenant-name.ts'
import { endClient } from '../end-client.ts'
import { weightOf } from '../error-weight.ts'
import type { Credential } from '../follow/credential.ts'
import { Parting } from '../follow/parting.ts'
import { isSamePlace } from '../follow/residence.ts'
import {
  foreseen,
  SessionMovedError,
  SessionRevokedError,
  ShutdownError,
} from '../session-errors.ts'
import type { SessionParts } from '../session-parts.ts'
import type { SessionView } from '../session-view.ts'
import type { OpenSession } from '../sessions.ts'
import { socketView } from '../socket-view.ts'
import { ReplicationReplies } from './replication-replies.ts'
import { ReplicationRequests } from './replication-requests.ts'
import { moveReplication, type ReplicationState } from './replication-state.ts'

/** What a replication session is made of. */
export interface ReplicationAdmission {
  readonly id: number
  readonly route: Route
  readonly link: Link
  readonly mode: ReplicationMode
  readonly credential: Credential
  /** Changes of the catalog that had been heard of when the route was resolved. */
  readonly since: number
  /** What the tenant may replicate. */
  readonly allowed: ReplicationMode
  /** The server connection: it is this session's alone. */
  readonly opened: OpenedServer
  /** Longest wait for a cancel request to get through, in ms. */
  readonly cancelMs: number
}

/**
 * One replication connection: a client and a server connection of its own, which is neither pooled
 * nor linked. Bytes pass as they come, a side that does not read makes the other wait, and both
 * end together.
 */
export class ReplicationSession implements OpenSession, CancelTarget {
  readonly #client: Socket
  readonly #server: Socket
  readonly #admission: ReplicationAdmission
  readonly #parts: SessionParts
  readonly #requests: ReplicationRequests
  readonly #replies = new ReplicationReplies()
  #state: ReplicationState = { kind: 'open' }
  readonly #startedMs: number
  #cancelId = 0
  #isCanceling = false
  /** The catalog ends it, or leads elsewhere: it goes when the grace is over. */
  #parting: Parting | undefined

  constructor(client: Socket, admission: ReplicationAdmission, parts: SessionParts) {
    this.#client = client
    this.#server = admission.opened.socket
    this.#admission = admission
    this.#parts = parts
    this.#startedMs = parts.clock.nowMs()
    this.#requests = new ReplicationRequests(admission.allowed)
  }

  /**
   * Begins to pass bytes.
   *
   * @param cancelId - Of its cancel key, to be revoked at the end.
   * @param rest - Bytes that came behind the client's login.
   */
  start(cancelId: number, rest: Buffer): void {
    this.#cancelId = cancelId
    this.#listen()
    this.#parts.sessions.add(this)
    this.#parts.follower.admitted(this, this.#admission.since)
    const early = this.#admission.opened.rest
    if (early.length > 0) this.#replied(early)
    if (rest.length > 0) this.#requested(rest)
    this.#server.resume()
    this.#client.resume()
  }

  get id(): number {
    return this.#admission.id
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

  /** Cancels the command that runs at this moment, if any. Never throws. */
  async cancel(): Promise<void> {
    const { route, opened, cancelMs } = this.#admission
    // A server that gave no cancel key can't be asked.
    if (this.#state.kind === 'closed' || this.#isCanceling || opened.processId === 0) return
    this.#isCanceling = true
    try {
      await forwardCancel(route.target, opened, { timeoutMs: cancelMs })
    } catch (error) {
      const detail = String(error)
      this.#parts.logger.warn('cancel not forwarded', { ...this.#fields(), detail })
    } finally {
      this.#isCanceling = false
    }
  }

  /** Such a session has no end of its own to wait for. */
  drain(): void {
    this.#sendAway(new ShutdownError())
  }

  leaveIfQuiet(): void {}

  /** It can't be moved: where another place, or less of a right, is meant, it ends. */
  follow(route: Route): void {
    const { route: before, mode, allowed } = this.#admission
    const next = routeWithProofOf(before, route)
    if (!isReplicationAllowed(mode, route.replication)) {
      this.dismiss(new SessionRevokedError('replicationNotAllowed'))
    } else if (next === undefined || !isSamePlace(this.#admission, next)) {
      this.dismiss(new SessionMovedError('it is a replication connection'))
    } else if (rightsOf(route.replication) !== allowed) {
      this.dismiss(new SessionRevokedError('replicationNotAllowed'))
    } else this.#stay()
  }

  dismiss(error: ProxyError): void {
    if (this.#state.kind === 'closed' || this.#parting !== undefined) return
    const parting = new Parting(error, 'revoked')
    this.#parting = parting
    const { clock, options } = this.#parts
    parting.begin(options().changeGraceMs, clock, () => this.#graceOver(error))
  }

  /** Goes now, whatever it is doing. */
  kill(error: ProxyError): void {
    this.#close(error)
  }

  /** For as long as it lives. */
  get isHolding(): boolean {
    return this.#state.kind !== 'closed'
  }

  view(): SessionView {
    const { id, route, opened } = this.#admission
    const ageMs = this.#parts.clock.nowMs() - this.#startedMs
    return {
      ...{ id, tenant: route.tenant, login: route.login, database: route.target.database },
      ...socketView(this.#client),
      applicationName: opened.parameters.get('application_name') ?? '',
      isReplication: true,
      state: this.#state.kind === 'closed' ? 'closed' : 'active',
      isInTransaction: false,
      pins: [],
      ageMs,
      requestAgeMs: ageMs,
      waitMs: 0,
      serverId: undefined,
      preparedStatements: 0,
    }
  }

  #listen(): void {
    const client = this.#client
    const server = this.#server
    client.on('data', (chunk: Buffer) => this.#requested(chunk))
    client.on('drain', () => server.resume())
    client.on('end', () => this.#close(undefined))
    client.on('close', () => this.#close(undefined))
    server.on('data', (chunk: Buffer) => this.#replied(chunk))
    server.on('drain', () => client.resume())
    server.on('error', (error) => this.#serverGone(error.message, error))
    server.on('close', () => this.#serverGone('the server closed the connection'))
  }

  #requested(chunk: Buffer): void {
    if (this.#state.kind !== 'open') return
    try {
      const pieces = this.#requests.push(chunk)
      if (!writeAll(this.#server, pieces)) this.#client.pause()
      if (this.#requests.isTerminated) this.#move({ kind: 'leaving' })
    } catch (error) {
      this.#sendAway(foreseen(error))
    }
  }

  #replied(chunk: Buffer): void {
    if (this.#state.kind === 'closed') return
    try {
      const pieces = this.#replies.push(chunk)
      if (!writeAll(this.#client, pieces)) this.#server.pause()
    } catch (error) {
      this.#close(this.#lost('the server broke the protocol', error))
      return
    }
    if (this.#state.kind === 'stopping' && this.#replies.isWhole) this.#close(this.#state.error)
  }

  /** A client that does not read holds up the end of a message: not for long. */
  #graceOver(error: ProxyError): void {
    this.#sendAway(error)
    if (this.#state.kind !== 'stopping') return
    this.#parts.clock.after(this.#admission.cancelMs, () => this.#close(error))
  }

  #stay(): void {
    this.#parting?.withdraw()
    this.#parting = undefined
  }

  #serverGone(reason: string, cause?: unknown): void {
    const state = this.#state
    if (state.kind === 'leaving') this.#close(undefined)
    else if (state.kind === 'stopping') this.#close(state.error)
    else this.#close(this.#lost(reason, cause))
  }

  /** Ends it where the client's next message would begin, so that the reason can be told. */
  #sendAway(error: ProxyError): void {
    if (this.#state.kind === 'closed' || this.#state.kind === 'stopping') return
    this.#replies.stop()
    if (this.#replies.isWhole) this.#close(error)
    else this.#move({ kind: 'stopping', error })
  }

  /** The one way out. */
  #close(error: ProxyError | undefined): void {
    if (this.#state.kind === 'closed') return
    const { cancelKeys, sessions, replicationGate, tenantGate, observer } = this.#parts
    const { tenant } = this.#admission.route
    this.#move({ kind: 'closed' })
    this.#stay()
    this.#log(error)
    endSocket(this.#server)
    endClient(this.#client, this.#isSayable(error) ? error : undefined)
    cancelKeys.revoke(this.#cancelId)
    sessions.remove(this, error)
    replicationGate.leave(tenant)
    tenantGate.leave(tenant)
    observer.closed(tenant, error)
  }

  #isSayable(error: ProxyError | undefined): boolean {
    return error instanceof ServerLostError ? error.isReportable : this.#replies.isWhole
  }

  #lost(reason: string, cause: unknown): ServerLostError {
    const isReportable = this.#replies.isInterruptible
    return new ServerLostError(this.#admission.route.target, reason, { cause, isReportable })
  }

  #log(error: ProxyError | undefined): void {
    const { bytesWritten, bytesRead } = this.#server
    const fields = { ...this.#fields(), toServerBytes: bytesWritten, toClientBytes: bytesRead }
    const { logger } = this.#parts
    if (error === undefined) logger.info('replication ended', fields)
    else {
      const { code, message: detail } = error
      logger[weightOf(error)]('replication ended', { ...fields, code, detail })
    }
  }

  #fields(): Record<string, string | number> {
    const { id, route } = this.#admission
    return { session: id, tenant: route.tenant, login: route.login }
  }

  #move(next: ReplicationState): void {
    this.#state = moveReplication(this.#state, next)
  }
}

/** What the commands of a replication connection are checked against. */
export function rightsOf({ allowed }: ReplicationPolicy): ReplicationMode {
  return allowed === 'physical' ? 'physical' : 'database'
}

/** Whether the socket takes more at once. */
function writeAll(socket: Socket, pieces: readonly Buffer[]): boolean {
  let isWelcome = true
  for (const piece of pieces) isWelcome = socket.write(piece)
  return isWelcome
}
