import { assignedText, mayName } from './assigned-value.ts'
import type { EffectsBuilder } from './effects-builder.ts'
import { TEMP_SCHEMA } from './session-words.ts'
import { NAME_COLUMN, SettingsLookup } from './settings-lookup.ts'
import type { SqlLexer } from './sql-lexer.ts'

const NAME_ARGUMENT = 0
const VALUE_ARGUMENT = 1
const IS_LOCAL_ARGUMENT = 2
/** Types that leave a literal what it is. */
export const HARMLESS_CASTS = ['text', 'varchar', 'bool', 'boolean']
/** What `boolin` takes for true. */
const TRUE_TEXT = /^[ \t\n\v\f\r]*(?:t|tr|tru|true|y|ye|yes|on|1)[ \t\n\v\f\r]*$/i

/** One call whose closing parenthesis hasn't come yet. */
interface Call {
  /** Brackets open within its own. */
  depth: number
  argument: number
  /** Tokens of the argument so far: one literal, with one cast or none; else `complex`. */
  shape: 'empty' | 'literal' | 'colon' | 'colons' | 'cast' | 'complex'
  value: string | undefined
  name: string | undefined
  /** The name is the column of that name. */
  isColumn: boolean
  newValue: string | undefined
  isLocal: boolean
}

/** Reads the arguments of set_config, whose calls may stand in each other. */
export class SetConfigCalls {
  readonly #calls: Call[] = []
  readonly #effects: EffectsBuilder
  readonly #lookup: SettingsLookup

  constructor(effects: EffectsBuilder) {
    this.#effects = effects
    this.#lookup = new SettingsLookup(effects)
  }

  /** A call's opening parenthesis stands here. */
  open(): void {
    this.#lookup.end()
    this.#calls.push({
      depth: 0,
      argument: 0,
      shape: 'empty',
      value: undefined,
      name: undefined,
      isColumn: false,
      newValue: undefined,
      isLocal: false,
    })
  }

  /** Takes each token but the opening parenthesis of a call. */
  take(lexer: SqlLexer): void {
    const call = this.#calls.at(-1)
    if (call === undefined) {
      this.#lookup.take(lexer)
      return
    }
    const isName = call.argument === NAME_ARGUMENT && call.shape === 'empty'
    if (!isName && mayName(lexer, TEMP_SCHEMA)) this.#effects.make('temp')
    if (call.depth === 0 && lexer.isSymbol(',')) endArgument(call)
    else if (call.depth === 0 && lexer.isSymbol(')')) this.#end(call)
    else takeToken(call, lexer)
  }

  /** The statement is over. */
  endStatement(): void {
    this.#lookup.end()
  }

  #end(call: Call): void {
    endArgument(call)
    this.#calls.pop()
    if (call.name !== undefined) this.#effects.name(call.name)
    const value = assignedText(call.newValue)
    if (call.isColumn && this.#calls.length === 0) this.#lookup.begin(value)
    else this.#effects.assign(call.name, value)
    if (!call.isLocal) this.#effects.configure(call.name)
  }
}

function takeToken(call: Call, lexer: SqlLexer): void {
  if (lexer.isSymbol('(') || lexer.isSymbol('[')) call.depth += 1
  else if (lexer.isSymbol(')') || lexer.isSymbol(']')) call.depth -= 1
  if (call.argument === NAME_ARGUMENT) {
    call.isColumn = call.shape === 'empty' && lexer.identifier === NAME_COLUMN
  }
  call.shape = nextShape(call, lexer)
  if (call.shape === 'literal') call.value = lexer.literal() ?? lexer.keyword
}

function nextShape({ shape, depth }: Call, lexer: SqlLexer): Call['shape'] {
  if (depth > 0) return 'complex'
  if (shape === 'empty') return isLiteral(lexer) ? 'literal' : 'complex'
  if (lexer.isSymbol(':')) {
    if (shape === 'literal') return 'colon'
    if (shape === 'colon') return 'colons'
  }
  return shape === 'colons' && HARMLESS_CASTS.includes(lexer.keyword) ? 'cast' : 'complex'
}

function isLiteral(lexer: SqlLexer): boolean {
  return lexer.literal() !== undefined || lexer.keyword === 'true'
}

function endArgument(call: Call): void {
  const isPlain = call.shape === 'literal' || call.shape === 'cast'
  const value = isPlain ? call.value : undefined
  if (call.argument === NAME_ARGUMENT) call.name = value
  if (call.argument === VALUE_ARGUMENT) call.newValue = value
  if (call.argument === IS_LOCAL_ARGUMENT) call.isLocal = TRUE_TEXT.test(value ?? '')
  call.argument += 1
  call.shape = 'empty'
}
