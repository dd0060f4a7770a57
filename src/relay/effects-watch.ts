import type { ServerConnection } from '../server/server-connection.ts'
import type { SqlDialect, SqlText, StatementEffects } from '../sql/scan/statement-effects.ts'
import { scanStatements } from '../sql/scan/statement-scan.ts'
import { type Link, restoreQuery } from '../tenancy/link.ts'
import { type TurnEffects, TurnEffectsGatherer } from './turn-effects.ts'

/** Encodings of clients in which a byte below 0x80 may be part of a longer character. */
const UNSAFE_ENCODINGS: ReadonlySet<string> = new Set([
  'SJIS',
  'SHIFT_JIS_2004',
  'BIG5',
  'GBK',
  'UHC',
  'GB18030',
  'JOHAB',
])

/** A copy that has begun would take a query of ours for its end. */
export const MAY_COPY = /copy/i

/** What is to be done about a client's session state. */
export interface EffectsPolicy {
  /** What the client's session began with: RESET falls back to it. */
  readonly link: Link
  /** The ErrorResponse for a statement that the client may not run; `undefined` lets it pass. */
  refusal(effects: StatementEffects): Buffer | undefined
}

/** How texts are read under these ParameterStatus values. */
export function dialectOf(parameters: ReadonlyMap<string, string>): SqlDialect {
  return {
    backslashEscapes: parameters.get('standard_conforming_strings') === 'off',
    hasUnsafeBytes: UNSAFE_ENCODINGS.has(parameters.get('client_encoding') ?? ''),
  }
}

/** Looks at what a client's statements may do to its session. */
export class EffectsWatch {
  #policy: EffectsPolicy
  readonly #guard: EffectsPolicy['refusal'] | undefined
  readonly #gatherer = new TurnEffectsGatherer()
  /** What was reset since the last query that restores. */
  #resets: Set<string> | 'all' | undefined
  #mayCopy = false
  #parameters: ReadonlyMap<string, string> | undefined
  #dialect: SqlDialect = { backslashEscapes: false, hasUnsafeBytes: false }

  /** @param guard - Keeps the client in its tenant's place. */
  constructor(policy: EffectsPolicy, guard: EffectsPolicy['refusal'] | undefined) {
    this.#policy = policy
    this.#guard = guard
  }

  /** Something else is to be done from now on; between two requests. */
  move(policy: EffectsPolicy): void {
    this.#policy = policy
  }

  /** How the text of a client is read on the connection that it has. */
  dialect({ parameters }: ServerConnection): SqlDialect {
    if (parameters !== this.#parameters) {
      this.#parameters = parameters
      this.#dialect = dialectOf(parameters)
    }
    return this.#dialect
  }

  scan(text: SqlText, server: ServerConnection): StatementEffects | undefined {
    return scanStatements(text, this.dialect(server))
  }

  refusal(effects: StatementEffects | undefined): Buffer | undefined {
    if (effects === undefined) return undefined
    return this.#guard?.(effects) ?? this.#policy.refusal(effects)
  }

  /** A statement with these effects is sent. */
  note(effects: StatementEffects | undefined): void {
    if (effects?.isLasting !== true) return
    this.#gatherer.add(effects)
    if (effects.resets === 'all') this.#resets = 'all'
    else if (effects.resets.length > 0 && this.#resets !== 'all') {
      this.#resets ??= new Set()
      for (const name of effects.resets) this.#resets.add(name)
    }
  }

  /** A statement of this text is bound. Behind a RESET in its batch, it may begin a copy. */
  noteBound(text: Buffer): void {
    this.#mayCopy ||= this.#resets !== undefined && MAY_COPY.test(text.toString('latin1'))
  }

  /** Whether the Sync that is sent may find the server in a copy, where it is ignored. */
  takeMayCopy(): boolean {
    const mayCopy = this.#mayCopy
    this.#mayCopy = false
    return mayCopy
  }

  /** A text is sent that was not looked at. */
  noteUnscanned(): void {
    this.#gatherer.addUnscanned()
  }

  /** What puts the link back where it was reset, to follow what was sent so far. */
  takeRestore(): string | undefined {
    const resets = this.#resets
    if (resets === undefined) return undefined
    this.#resets = undefined
    return restoreQuery(this.#policy.link, resets === 'all' ? resets : [...resets])
  }

  /** What the turn may have done; `undefined` for nothing. */
  takeTurn(): TurnEffects | undefined {
    return this.#gatherer.take()
  }
}
