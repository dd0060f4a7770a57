import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'
import type { Resolution } from '../catalog/catalog.ts'
import type { AuthQuery } from '../catalog/route.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import { type AuthAnswer, answerAt, readAnswer, UNKNOWN } from './auth-answer.ts'
import { AuthConnections } from './auth-connections.ts'
import { AuthQueryFailedError } from './auth-errors.ts'

/** Most logins whose answers are remembered; the one asked for longest ago goes first. */
const MAX_ANSWERS = 10_000

/** Share of `cacheMs` for which an answer is used that let nobody in. */
const DOUBTFUL_SHARE = 0.1

/** How much the newest query counts in what is typical. */
const NEWEST_WEIGHT = 0.2

/** Whose secret is looked for. */
export interface SecretRequest {
  readonly login: string
  readonly tenant: TenantName
  readonly resolution: Resolution
}

interface KeptAnswer {
  readonly answer: AuthAnswer
  readonly doubtfulMs: number
  /** When it is asked for anew. */
  expiresMs: number
}

/** What a query takes and how its answer is kept, for those that are only pretended. */
interface Typical {
  readonly tookMs: number
  readonly cacheMs: number
}

/**
 * Asks servers for the secrets of logins by their `authQuery`. Answers are remembered by tenant,
 * login and version of the tenant's record. A request that is refused anyway asks nobody, and
 * takes as long as one that does.
 */
export class AuthQueries {
  readonly #clock: Clock
  readonly #answers = new LRUCache<string, KeptAnswer>({ max: MAX_ANSWERS })
  readonly #underWay = new Map<string, Promise<AuthAnswer>>()
  readonly #connections = new Map<AuthQuery, AuthConnections>()
  #typical: Typical = { tookMs: 0, cacheMs: 0 }
  #isClosed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Answers remembered. */
  get answerCount(): number {
    return this.#answers.size
  }

  /** @throws AuthQueryFailedError - the server can't be asked, or its answer makes no sense. */
  async find(request: SecretRequest): Promise<AuthAnswer> {
    const key = keyOf(request)
    const kept = this.#answers.get(key)
    const isFresh = kept !== undefined && this.#clock.nowMs() < kept.expiresMs
    const answer = isFresh
      ? kept.answer
      : await (this.#underWay.get(key) ?? this.#start(key, request))
    return answerAt(answer, Date.now())
  }

  /**
   * Nobody could prove what `find` told: the password may have been changed. It is asked for anew,
   * but no sooner and no more often than that of a login that is not known.
   */
  doubt(request: SecretRequest): void {
    const kept = this.#answers.peek(keyOf(request))
    if (kept !== undefined) kept.expiresMs = Math.min(kept.expiresMs, kept.doubtfulMs)
  }

  /** After a change of the configuration: what is asked from now on goes over new connections. */
  renew(): void {
    for (const connections of this.#connections.values()) connections.close()
    this.#connections.clear()
  }

  /** Asks nobody any more. */
  close(): void {
    this.#isClosed = true
    this.renew()
  }

  #start(key: string, request: SecretRequest): Promise<AuthAnswer> {
    const underWay = this.#ask(key, request).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, underWay)
    return underWay
  }

  async #ask(key: string, { login, resolution }: SecretRequest): Promise<AuthAnswer> {
    const authQuery = resolution.kind === 'route' ? resolution.route.authQuery : undefined
    const answer =
      authQuery === undefined ? await this.#pretend() : await this.#query(authQuery, login)
    const { cacheMs } = authQuery ?? this.#typical
    const nowMs = this.#clock.nowMs()
    const doubtfulMs = nowMs + cacheMs * DOUBTFUL_SHARE
    const expiresMs = answer.secret === undefined ? doubtfulMs : nowMs + cacheMs
    this.#answers.set(key, { answer, doubtfulMs, expiresMs })
    return answer
  }

  async #query(authQuery: AuthQuery, login: string): Promise<AuthAnswer> {
    const { target, cacheMs } = authQuery
    if (this.#isClosed) throw new AuthQueryFailedError(target, { reason: 'the proxy shuts down' })
    const startedMs = this.#clock.nowMs()
    const answer = readAnswer(await this.#connectionsOf(authQuery).ask(login), login)
    if (answer === undefined) {
      const reason = 'the authQuery must give at most one row: user, secret, and maybe a timestamp'
      throw new AuthQueryFailedError(target, { reason })
    }
    this.#learn(this.#clock.nowMs() - startedMs, cacheMs)
    return answer
  }

  #connectionsOf(authQuery: AuthQuery): AuthConnections {
    const known = this.#connections.get(authQuery)
    if (known !== undefined) return known
    const connections = new AuthConnections(authQuery, {
      clock: this.#clock,
      emptied: () => {
        if (this.#connections.get(authQuery) === connections) this.#connections.delete(authQuery)
      },
    })
    this.#connections.set(authQuery, connections)
    return connections
  }

  #learn(tookMs: number, cacheMs: number): void {
    const before = this.#typical.cacheMs === 0 ? tookMs : this.#typical.tookMs
    this.#typical = { tookMs: before + (tookMs - before) * NEWEST_WEIGHT, cacheMs }
  }

  #pretend(): Promise<AuthAnswer> {
    return new Promise((resolve) => {
      this.#clock.after(this.#typical.tookMs, () => resolve(UNKNOWN))
    })
  }
}

function keyOf({ login, tenant, resolution }: SecretRequest): string {
  const version = resolution.kind === 'route' ? resolution.route.version : 0
  return JSON.stringify([tenant, login, version])
}
