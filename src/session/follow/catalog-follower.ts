import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, ClockTimer } from '../../base/clock.ts'
import type { Resolution } from '../../catalog/catalog.ts'
import type { CatalogChange } from '../../catalog/change.ts'
import { foreseen, SessionRevokedError, SessionSuspendedError } from '../session-errors.ts'
import { isPasswordChanged } from './credential.ts'
import type { FollowedSession } from './followed-session.ts'
import { IdlePools, type IdlePoolsParts } from './idle-pools.ts'
import type { SessionPair, SessionPairs } from './session-pairs.ts'

/** Pairs that the catalog is asked about at a time. */
const MAX_LOOKUPS = 8
/** Sessions that are told between two turns of the event loop. */
const TOLD_AT_A_TIME = 200
/** How soon it is asked again when it could not answer, in ms. */
const RETRY_MS = 1000
/** Longest time between two looks for what is due, in ms. */
const MAX_TICK_MS = 1000
const TICKS_PER_TTL = 10
/** When a pair is asked about again: after so much of the time that a record may serve. */
const MIN_SHARE = 0.5
const MAX_SHARE = 0.9

/** What a follower works with. */
export interface FollowerParts extends IdlePoolsParts {
  readonly pairs: SessionPairs
  readonly clock: Clock
  /** Each open session is looked at anew within that time, even if nothing is heard; in ms. */
  ttlMs(): number
  /** @defaultValue `Math.random` */
  readonly random?: () => number
}

/**
 * Makes open sessions follow the catalog. Whatever is heard of a change, and every so often without,
 * each login and tenant that has a session is resolved again, once for all its sessions, and they
 * are told: go there, or go away. Costs nothing for tenants without a session.
 */
export class CatalogFollower {
  readonly #parts: FollowerParts
  readonly #idlePools: IdlePools
  readonly #queue = new Set<SessionPair>()
  readonly #underWay = new Set<SessionPair>()
  /** When each pair is asked about again, on the clock. */
  readonly #dueMs = new WeakMap<SessionPair, number>()
  #changes = 0
  #timer: ClockTimer | undefined

  constructor(parts: FollowerParts) {
    this.#parts = parts
    this.#idlePools = new IdlePools(parts)
    this.#wind()
  }

  /** Changes heard so far. Whoever resolves for a session to be hands it to `admitted`. */
  get changes(): number {
    return this.#changes
  }

  /** The catalog may lead elsewhere, or nowhere, from now on. */
  heard(change: CatalogChange): void {
    const { pairs } = this.#parts
    this.#changes += 1
    this.#idlePools.heard(change)
    const meant = change.kind === 'all' ? pairs.all() : pairs.named(change.name)
    for (const pair of meant) this.#queue.add(pair)
    this.#pump()
  }

  /**
   * A session is open.
   *
   * @param since - `changes` before it was resolved: what was heard after that may be about it.
   */
  admitted(session: FollowedSession, since: number): void {
    if (since === this.#changes) return
    const pair = this.#parts.pairs.of(session)
    if (pair === undefined) return
    this.#queue.add(pair)
    this.#pump()
  }

  /** Follows no more. */
  stop(): void {
    this.#timer?.cancel()
    this.#queue.clear()
    this.#idlePools.stop()
  }

  #wind(): void {
    const { clock, ttlMs } = this.#parts
    const tickMs = Math.max(1, Math.min(MAX_TICK_MS, ttlMs() / TICKS_PER_TTL))
    this.#timer = clock.after(tickMs, () => {
      this.#enqueueDue()
      this.#wind()
    })
  }

  #enqueueDue(): void {
    const { pairs, clock } = this.#parts
    const nowMs = clock.nowMs()
    for (const pair of pairs.all()) {
      const dueMs = this.#dueMs.get(pair)
      if (dueMs === undefined) this.#plan(pair)
      else if (dueMs <= nowMs) this.#queue.add(pair)
    }
    this.#pump()
  }

  /** Drawn, so that pairs that were asked about at one moment drift apart. */
  #plan(pair: SessionPair): void {
    const { clock, ttlMs, random = Math.random } = this.#parts
    const share = MIN_SHARE + random() * (MAX_SHARE - MIN_SHARE)
    this.#dueMs.set(pair, clock.nowMs() + ttlMs() * share)
  }

  #pump(): void {
    for (const pair of this.#queue) {
      if (this.#underWay.size >= MAX_LOOKUPS) return
      // What was heard since its lookup began is not in the answer: it stays in the queue.
      if (this.#underWay.has(pair)) continue
      this.#queue.delete(pair)
      this.#underWay.add(pair)
      void this.#lookUp(pair).finally(() => {
        this.#underWay.delete(pair)
        this.#pump()
      })
    }
  }

  async #lookUp(pair: SessionPair): Promise<void> {
    const { catalog, clock, logger } = this.#parts
    const { tenant, login } = pair
    // Those who come later were resolved later.
    const sessions = [...pair.sessions]
    if (sessions.length === 0) return
    try {
      const resolution = await catalog.resolve({ tenant, login })
      this.#plan(pair)
      await tellAll(pair, sessions, resolution)
    } catch (error) {
      // Nobody is sent away for what nobody knows.
      this.#dueMs.set(pair, clock.nowMs() + RETRY_MS)
      logger.debug('sessions not followed', { tenant, login, detail: String(error) })
    }
  }
}

async function tellAll(
  pair: SessionPair,
  sessions: readonly FollowedSession[],
  resolution: Resolution,
): Promise<void> {
  let told = 0
  for (const session of sessions) {
    // It may have changed to another tenant since: this is nothing to it.
    if (!pair.sessions.has(session)) continue
    try {
      tell(session, resolution)
    } catch (error) {
      // A session of which nobody knows where it stands must not go on.
      session.dismiss(foreseen(error))
    }
    told += 1
    if (told % TOLD_AT_A_TIME === 0) await turn()
  }
}

function tell(session: FollowedSession, resolution: Resolution): void {
  if (resolution.kind === 'refused') {
    // A slip in a record is no order to go: it keeps out those who come, as its log line says.
    if (resolution.reason === 'brokenRecord') return
    session.dismiss(new SessionRevokedError(resolution.reason))
  } else if (resolution.isSuspended) session.dismiss(new SessionSuspendedError())
  else if (isPasswordChanged(session.credential, resolution.secret)) {
    session.dismiss(new SessionRevokedError('passwordChanged'))
  } else session.follow(resolution.route)
}
