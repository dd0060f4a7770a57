import type { TurnEffects } from '../relay/turn-effects.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { FactsWanted, SessionFacts } from '../server/session-facts.ts'
import { admitClientSettings } from '../tenancy/client-settings.ts'
import type { Link } from '../tenancy/link.ts'
import { type Admission, keepPolicy } from './admission.ts'
import { KeptState, leavesIndelible, type PinReason } from './kept-state.ts'

/** What a turn of a client did. */
export interface TurnOutcome {
  readonly effects: TurnEffects | undefined
  /** ParameterStatus values that changed in it. */
  readonly changed: ReadonlyMap<string, string>
}

const NONE: readonly PinReason[] = []

/**
 * Keeps what one client leaves behind its transactions in step with the server connection that it
 * leaves them on.
 */
export class StateKeeper {
  #admission: Admission
  /** Made when the client first leaves something. */
  #kept: KeptState | undefined
  /** The server has been asked, and has not answered. */
  #isAsking = false

  constructor(admission: Admission) {
    this.#admission = admission
  }

  /**
   * The client belongs elsewhere from now on. It holds no server connection, so it is not pinned.
   *
   * @throws SettingRefusedError - what it carries would leave its tenant there; nothing is changed.
   */
  move(admission: Admission): void {
    const kept = this.#kept
    const carried = admitClientSettings(kept?.carried ?? [], admission.route.tenancy)
    this.#admission = admission
    kept?.move(keepPolicy(admission), carried)
  }

  /** What the client's next server connection has to hold. */
  get link(): Link {
    return this.#kept?.link ?? this.#admission.link
  }

  /** Why the client keeps its server connection, while it does. */
  get pins(): readonly PinReason[] {
    return this.#kept?.pins ?? NONE
  }

  /** The client has to keep its server connection. */
  get isPinned(): boolean {
    return this.#kept?.isPinned === true
  }

  /** @returns What has to be asked of the server; `undefined` when everything is known. */
  afterTurn(server: ServerConnection, { effects, changed }: TurnOutcome): FactsWanted | undefined {
    this.#verifyPath(server, changed)
    if (server.isViolated) return undefined
    const isKnown = this.#kept === undefined || !this.#kept.isUnknown
    if (effects === undefined && changed.size === 0 && isKnown) return undefined
    this.#kept ??= new KeptState(keepPolicy(this.#admission))
    const wanted = this.#kept.afterTurn(effects, changed)
    if (wanted === undefined) server.adopt(this.#kept.link, false)
    this.#isAsking = wanted !== undefined
    return wanted
  }

  /** Takes in what the server said. */
  told(server: ServerConnection, wanted: FactsWanted, facts: SessionFacts | undefined): void {
    const kept = this.#kept
    if (kept === undefined) return
    this.#isAsking = false
    const { guard } = this.#admission.link
    if (guard !== undefined && facts !== undefined && wanted.settings === 'all') {
      server.verify(facts.settings)
    }
    if (server.isViolated) return
    kept.told(wanted, facts)
    if (kept.isPinned && this.#admission.route.pool.pins === 'refuse') {
      kept.unpin()
      server.markDirty()
      return
    }
    if (kept.isLinkLost) server.markDirty()
    else server.adopt(kept.link, wanted.kinds.size > 0)
  }

  /** The reasons for which the client is pinned since the last call. */
  takeNewPins(): readonly PinReason[] {
    return this.#kept?.takeNewPins() ?? NONE
  }

  /**
   * The client leaves; `last` is what it did since the last call of `afterTurn`.
   *
   * @returns Whether the connection can be used by others: it may hold what nothing undoes.
   */
  left(server: ServerConnection, { effects, changed }: TurnOutcome): boolean {
    this.#verifyPath(server, changed)
    const isUnknown = this.#isAsking || effects !== undefined || changed.size > 0
    const isKept = this.#admission.route.pool.mode === 'session' || this.isPinned
    // What the client did to it was never undone, or never asked for.
    if (isUnknown || isKept) server.markDirty()
    if (effects !== undefined && leavesIndelible(effects)) return false
    return this.#kept?.isIndelible !== true
  }

  /** Postgres 18 reports it by itself. */
  #verifyPath(server: ServerConnection, changed: ReadonlyMap<string, string>): void {
    const searchPath = changed.get('search_path')
    if (searchPath !== undefined) server.verifyPath(searchPath)
  }
}
