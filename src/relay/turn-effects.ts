import type { StateKind, StatementEffects } from '../sql/scan/statement-effects.ts'

/** What the requests of a turn may have done to the session, all together. */
export interface TurnEffects {
  readonly makes: ReadonlySet<StateKind>
  readonly undoes: ReadonlySet<StateKind>
  /** Settings that were named, in lower case. */
  readonly settings: ReadonlySet<string>
  /** Some setting may have been set of which no name is known. */
  readonly mayTouchAnySetting: boolean
  /** Every setting was reset: RESET ALL, DISCARD ALL. */
  readonly resetsAll: boolean
  /** A statement was run that SQL prepared: what it does was told then. */
  readonly hasExecutes: boolean
  /** A text was too long to be looked at: anything may have been done. */
  readonly isUnscanned: boolean
}

interface Gathered extends TurnEffects {
  readonly makes: Set<StateKind>
  readonly undoes: Set<StateKind>
  readonly settings: Set<string>
  mayTouchAnySetting: boolean
  resetsAll: boolean
  hasExecutes: boolean
  isUnscanned: boolean
}

/** Gathers the effects of the requests of a turn. */
export class TurnEffectsGatherer {
  #effects: Gathered | undefined

  add(effects: StatementEffects): void {
    const gathered = this.#begin()
    for (const kind of effects.makes) gathered.makes.add(kind)
    for (const kind of effects.undoes) gathered.undoes.add(kind)
    for (const name of effects.settings) gathered.settings.add(name)
    gathered.mayTouchAnySetting ||= effects.mayTouchAnySetting
    gathered.resetsAll ||= effects.resets === 'all'
    gathered.hasExecutes ||= effects.executes.length > 0
  }

  addUnscanned(): void {
    this.#begin().isUnscanned = true
  }

  /** Hands over what was gathered; `undefined` when there was nothing. */
  take(): TurnEffects | undefined {
    const effects = this.#effects
    this.#effects = undefined
    return effects
  }

  #begin(): Gathered {
    this.#effects ??= noEffects()
    return this.#effects
  }
}

/** Of requests that did nothing. */
export function noEffects(): Gathered {
  return {
    makes: new Set(),
    undoes: new Set(),
    settings: new Set(),
    mayTouchAnySetting: false,
    resetsAll: false,
    hasExecutes: false,
    isUnscanned: false,
  }
}
