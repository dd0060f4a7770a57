import type { EffectsBuilder } from './effects-builder.ts'
import { SETTINGS_VIEW } from './session-words.ts'
import type { SqlLexer } from './sql-lexer.ts'
import type { AssignedValue } from './statement-effects.ts'

/** The column of names in pg_settings. */
export const NAME_COLUMN = 'name'
const CATALOG = 'pg_catalog'

/** Words that are known to the lexer for this. */
export const LOOKUP_WORDS = [NAME_COLUMN, CATALOG, 'from', 'where']

/** What follows the call; a string and the end of the statement behind that. */
const STEPS: readonly ((lexer: SqlLexer) => boolean)[] = [
  (lexer) => lexer.keyword === 'from',
  (lexer) => lexer.identifier === SETTINGS_VIEW,
  (lexer) => lexer.keyword === 'where',
  (lexer) => lexer.identifier === NAME_COLUMN,
  (lexer) => lexer.isSymbol('='),
  (lexer) => lexer.literal() !== undefined,
]
const VIEW_STEP = 1

/**
 * Reads `set_config(name, …) FROM pg_settings WHERE name = '…'`, by which pg_dump and others set
 * what not every server knows: the name stands in the text, though not in the call.
 */
export class SettingsLookup {
  readonly #effects: EffectsBuilder
  /** Of the call; `undefined` when none is open. */
  #value: AssignedValue | undefined
  #step = 0
  #name = ''

  constructor(effects: EffectsBuilder) {
    this.#effects = effects
  }

  /** A call with the column for a name has ended. */
  begin(value: AssignedValue): void {
    this.#value = value
    this.#step = 0
  }

  /** Takes each token behind it. */
  take(lexer: SqlLexer): void {
    if (this.#value === undefined) return
    const isPrefix = lexer.identifier === CATALOG || lexer.isSymbol('.')
    if (this.#step === VIEW_STEP && isPrefix) return
    if (STEPS[this.#step]?.(lexer) !== true) {
      this.#assign(undefined)
      return
    }
    this.#step += 1
    this.#name = lexer.literal() ?? ''
  }

  /** The statement is over, or something else begins. */
  end(): void {
    this.#assign(this.#step === STEPS.length ? this.#name : undefined)
  }

  #assign(name: string | undefined): void {
    if (this.#value !== undefined) this.#effects.assign(name, this.#value)
    this.#value = undefined
  }
}
