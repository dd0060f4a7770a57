import { isDeepStrictEqual } from 'node:util'
import { noEffects, type TurnEffects } from '../relay/turn-effects.ts'
import type { AskableKind, FactsWanted, SessionFacts } from '../server/session-facts.ts'
import { foldCase } from '../sql/fold-case.ts'
import type { StateKind } from '../sql/scan/statement-effects.ts'
import { parseSearchPath } from '../sql/search-path.ts'
import { type Link, overlayLink } from '../tenancy/link.ts'
import type { Setting } from '../tenancy/tenancy.ts'

/**
 * Why a client keeps its server connection between transactions: the kind of state it has there;
 * `unknown` when the server could not be asked. A metric label.
 */
export type PinReason = Exclude<StateKind, 'code'> | 'unknown'

/** What may be done with a client's session state. */
export interface KeepPolicy {
  /** What the session began with. */
  readonly link: Link
  /** Settings, in lower case, whose values follow the client to its next server connection. */
  readonly carried: ReadonlySet<string>
  /** Those of them that the server reports by itself whenever they change. */
  readonly reported: ReadonlySet<string>
  /** Settings that say whom the connection acts for, in lower case. */
  readonly place: ReadonlySet<string>
  /** Most bytes of the names and values that are carried. */
  readonly maxCarriedBytes: number
  /** ParameterStatus values of the greeting. */
  readonly parameters: ReadonlyMap<string, string>
  /** Values that the link made, in the server's own spelling; empty where it could not say. */
  readonly settings: ReadonlyMap<string, string>
}

const ASKABLE: readonly AskableKind[] = ['listen', 'prepare', 'temp', 'hold', 'advisoryLock']
const NO_EFFECTS: TurnEffects = noEffects()
/** The state behind random(), which SET SEED and setseed() change and nobody can read. */
const SEED = 'seed'
/** A value that was not in UTF-8 has lost what it was. */
const LOST_CHARACTER = '\uFFFD'

/**
 * What a client's session holds beyond its transaction, in transaction mode: settings that are
 * carried from one server connection to the next, and pins for all that can't be. Settings that
 * the server reports are followed by its reports; whatever else a turn may have made or undone is
 * asked of the server when the transaction is over, so that rollbacks need no bookkeeping.
 */
export class KeptState {
  #policy: KeepPolicy
  readonly #carried = new Map<string, string>()
  readonly #pins = new Set<PinReason>()
  /** Those that `takeNewPins` has told of. */
  #counted: ReadonlySet<PinReason> = new Set()
  /** Settings behind the pin `set`. */
  readonly #pinnedSettings = new Set<string>()
  #link: Link
  #isLinkLost = false
  #isIndelible = false
  /** A statement that SQL prepared may make state of its own whenever it is executed. */
  #hasPreparedMore = false

  constructor(policy: KeepPolicy) {
    this.#policy = policy
    this.#link = policy.link
  }

  /** Settings that follow the client, as they may be asked for elsewhere. */
  get carried(): readonly Setting[] {
    return Array.from(this.#carried, ([name, value]) => ({ name, value }))
  }

  /**
   * The client belongs elsewhere from now on, and what it carries follows it there.
   *
   * @param carried - Those of `carried`, as they were admitted there.
   */
  move(policy: KeepPolicy, carried: readonly Setting[]): void {
    this.#policy = policy
    for (const { name, value } of carried) this.#carried.set(name, value)
    this.#relink()
  }

  /** What a server connection has to hold for the client. */
  get link(): Link {
    return this.#link
  }

  get pins(): readonly PinReason[] {
    return [...this.#pins]
  }

  get isPinned(): boolean {
    return this.#pins.size > 0
  }

  /** The server could not be asked the last time. */
  get isUnknown(): boolean {
    return this.#pins.has('unknown')
  }

  /** It made state that nothing undoes: its server connection must not be used by anybody else. */
  get isIndelible(): boolean {
    return this.#isIndelible
  }

  /**
   * Takes in what a turn did.
   *
   * @param changed - ParameterStatus values that changed in it.
   * @returns What has to be asked of the server; `undefined` when everything is known.
   */
  afterTurn(
    effects: TurnEffects | undefined,
    changed: ReadonlyMap<string, string>,
  ): FactsWanted | undefined {
    const doubtful = this.#takeReports(effects, changed)
    if (changed.size > 0) this.#relink()
    if (effects === undefined && doubtful.length === 0) {
      return this.isUnknown ? this.#everySetting(new Set(ASKABLE), []) : undefined
    }
    if (effects !== undefined) this.#noteUnaskable(effects)
    return this.#questions(effects ?? NO_EFFECTS, doubtful)
  }

  /**
   * Takes in what the server said.
   *
   * @param facts - `undefined` when it could not say: then the client is pinned.
   */
  told(wanted: FactsWanted, facts: SessionFacts | undefined): void {
    this.#isLinkLost = false
    if (facts === undefined) this.#pins.add('unknown')
    else this.#learn(wanted, facts)
    this.#relink()
  }

  /** The reasons for which the client is pinned since the last call. */
  takeNewPins(): readonly PinReason[] {
    const news = [...this.#pins].filter((reason) => !this.#counted.has(reason))
    this.#counted = new Set(this.#pins)
    return news
  }

  /** Something of the link itself is not in force on the connection any more. */
  get isLinkLost(): boolean {
    return this.#isLinkLost
  }

  /** State that can't be carried was undone. */
  unpin(): void {
    this.#pins.clear()
    this.#counted = new Set()
    this.#pinnedSettings.clear()
  }

  /** Returns the settings whose change nobody asked for by name. */
  #takeReports(
    effects: TurnEffects | undefined,
    changed: ReadonlyMap<string, string>,
  ): readonly string[] {
    const doubtful: string[] = []
    for (const [reportedName, value] of changed) {
      const name = foldCase(reportedName)
      if (!this.#policy.reported.has(name)) continue
      // The server itself may have been given another value, by a reload of its configuration.
      if (effects?.settings.has(name) === true) this.#reported(reportedName, value)
      else doubtful.push(name)
    }
    return doubtful
  }

  #noteUnaskable(effects: TurnEffects): void {
    const { makes, settings, mayTouchAnySetting, isUnscanned } = effects
    if (makes.has('load')) this.#pins.add('load')
    for (const name of settings) if (!isAskable(name)) this.#pinSetting(name)
    this.#isIndelible ||= leavesIndelible(effects)
    const isMore = makes.size > 1 || mayTouchAnySetting || settings.size > 0
    const isUnseen = isUnscanned || makes.has('code')
    this.#hasPreparedMore ||= isUnseen || (makes.has('prepare') && isMore)
  }

  #questions(effects: TurnEffects, doubtful: readonly string[]): FactsWanted | undefined {
    const isHidden = effects.makes.has('code') || (effects.hasExecutes && this.#hasPreparedMore)
    const isOpen = effects.isUnscanned || isHidden || this.isUnknown
    const kinds = new Set(
      ASKABLE.filter(
        (kind) =>
          isOpen || effects.makes.has(kind) || (effects.undoes.has(kind) && this.#pins.has(kind)),
      ),
    )
    const isUnreported = (name: string) => isAskable(name) && !this.#policy.reported.has(name)
    const named = [...[...effects.settings].filter(isUnreported), ...doubtful]
    const isReset = effects.resetsAll && this.#carried.size + this.#pinnedSettings.size > 0
    if (isOpen || effects.mayTouchAnySetting || isReset) return this.#everySetting(kinds, named)
    if (kinds.size === 0 && named.length === 0) return undefined
    return { kinds, settings: named, customSettings: named.filter(isCustom) }
  }

  #everySetting(kinds: ReadonlySet<AskableKind>, named: readonly string[]): FactsWanted {
    const { place, link } = this.#policy
    const ofLink = [...link.tenantSettings, ...link.clientSettings].map(({ name }) =>
      foldCase(name),
    )
    const ofClient = [...this.#pinnedSettings, ...this.#carried.keys()]
    const names = [...named, ...place, ...ofLink, ...ofClient]
    return { kinds, settings: 'all', customSettings: [...new Set(names.filter(isCustom))] }
  }

  #learn(wanted: FactsWanted, facts: SessionFacts): void {
    this.#pins.delete('unknown')
    for (const kind of wanted.kinds) {
      if (facts.kinds.has(kind)) this.#pins.add(kind)
      else this.#pins.delete(kind)
    }
    const { settings: ofLink } = this.#policy
    const names =
      wanted.settings === 'all'
        ? [
            ...facts.settings.keys(),
            ...ofLink.keys(),
            ...this.#carried.keys(),
            ...this.#pinnedSettings,
          ]
        : wanted.settings
    for (const name of new Set([...names, ...wanted.customSettings])) {
      // A token is another one on each connection; `ServerConnection.verify` looks after it.
      const isToken = name === this.#tokenSetting
      if (isAskable(name) && !isToken) this.#setting(name, facts.settings.get(name))
    }
  }

  get #tokenSetting(): string | undefined {
    const { token } = this.#policy.link
    return token && foldCase(token.setting)
  }

  #setting(name: string, found: string | undefined): void {
    const value = name === 'role' && found === 'none' ? undefined : found
    const own = this.#ownValue(name)
    if (value === undefined || isSame(name, value, own)) {
      this.#dropSetting(name)
      this.#isLinkLost ||= value === undefined && own !== undefined
    } else if (this.#policy.carried.has(name)) this.#carrySetting(name, value)
    else this.#pinSetting(name)
  }

  /** The server said by itself that a setting has another value now. */
  #reported(reportedName: string, value: string): void {
    const name = foldCase(reportedName)
    if (this.#policy.parameters.get(reportedName) === value) this.#dropSetting(name)
    else this.#carrySetting(name, value)
  }

  #dropSetting(name: string): void {
    this.#carried.delete(name)
    this.#pinnedSettings.delete(name)
    if (this.#pinnedSettings.size === 0) this.#pins.delete('set')
  }

  #carrySetting(name: string, value: string): void {
    this.#dropSetting(name)
    if (this.#hasRoomFor(name, value)) this.#carried.set(name, value)
    else this.#pinSetting(name)
  }

  #pinSetting(name: string): void {
    this.#carried.delete(name)
    this.#pinnedSettings.add(name)
    this.#pins.add('set')
  }

  #hasRoomFor(name: string, value: string): boolean {
    if (value.includes(LOST_CHARACTER)) return false
    let bytes = Buffer.byteLength(name) + Buffer.byteLength(value)
    for (const [other, otherValue] of this.#carried) {
      bytes += Buffer.byteLength(other) + Buffer.byteLength(otherValue)
    }
    return bytes <= this.#policy.maxCarriedBytes
  }

  #ownValue(name: string): string | undefined {
    const { clientSettings, tenantSettings } = this.#policy.link
    if (name === 'session_authorization') return this.#policy.parameters.get(name)
    const known = this.#policy.settings.get(name)
    if (known !== undefined) return known
    const isNamed = (setting: { readonly name: string }) => foldCase(setting.name) === name
    return (clientSettings.findLast(isNamed) ?? tenantSettings.findLast(isNamed))?.value
  }

  #relink(): void {
    this.#link = overlayLink(this.#policy.link, this.#carried)
  }
}

/** The server keeps no list of these: they have to be asked for by name. */
function isCustom(name: string): boolean {
  return name.includes('.') || name === 'role' || name === 'session_authorization'
}

/** A name of other letters depends on the client's encoding. */
function isAskable(name: string): boolean {
  return name !== SEED && /^[\x20-\x7e]*$/.test(name)
}

/** Whether two values mean the same; a search_path may be quoted in more ways than one. */
function isSame(name: string, value: string, own: string | undefined): boolean {
  if (value === own || own === undefined || name !== 'search_path') return value === own
  return isDeepStrictEqual(parseSearchPath(value), parseSearchPath(own))
}

/** Whether what a turn did may have made state that nothing undoes. */
export function leavesIndelible({ makes, settings }: TurnEffects): boolean {
  return makes.has('load') || settings.has(SEED)
}
