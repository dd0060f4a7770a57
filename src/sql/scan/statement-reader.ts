import { mayName } from './assigned-value.ts'
import type { EffectsBuilder } from './effects-builder.ts'
import { KnownWords } from './known-words.ts'
import { ROUTINE_WORDS, RoutineClauses } from './routine-clauses.ts'
import { FUNCTION_EFFECTS, SET_CONFIG, SETTINGS_VIEW, TEMP_SCHEMA } from './session-words.ts'
import { HARMLESS_CASTS, SetConfigCalls } from './set-config-calls.ts'
import { readReset, readSet, readSetClause, readShow, SETTING_WORDS } from './setting-statements.ts'
import { LOOKUP_WORDS } from './settings-lookup.ts'
import { SqlLexer } from './sql-lexer.ts'
import type { SqlDialect, SqlText } from './statement-effects.ts'
import { UpdateTarget } from './update-target.ts'

type ReadStatement = (lexer: SqlLexer, effects: EffectsBuilder) => void

/** By their first word, statements whose effect stands at their beginning; read from behind it. */
const STATEMENTS: ReadonlyMap<string, ReadStatement> = new Map(
  Object.entries({
    set: readSet,
    reset: readReset,
    show: readShow,
    listen: (_lexer, effects) => effects.make('listen'),
    unlisten: (_lexer, effects) => effects.undo('listen'),
    prepare: readPrepare,
    deallocate: readDeallocate,
    execute: (lexer, effects) => effects.execute(lexer.name()),
    discard: readDiscard,
    close: (_lexer, effects) => effects.undo('hold'),
    load: (_lexer, effects) => effects.make('load'),
    do: (_lexer, effects) => effects.runCode(),
    call: (_lexer, effects) => effects.runCode(),
    drop: (_lexer, effects) => effects.undo('temp'),
    alter: readAlter,
  } satisfies Record<string, ReadStatement>),
)

/** First words of statements that may hold an EXECUTE further on. */
const EXECUTE_HOLDERS = ['create', 'explain']

/** First words of the statements that may do something by what they are. */
export const STATEMENT_WORDS = [...STATEMENTS.keys(), ...EXECUTE_HOLDERS]

/** Words that make temporary relations where they stand behind one of `TEMP_MAKERS`. */
export const TEMP_WORDS = ['temp', 'temporary']
export const HOLD_WORD = 'hold'
const TEMP_MAKERS = ['create', 'replace', 'into']
const TEMP_SCOPES = ['local', 'global']
/** Objects of the whole server, or whose settings are for every session. */
export const SHARED_OBJECTS = ['role', 'user', 'group', 'database', 'system']
const BEFORE_EXECUTE = ['as', 'explain', 'analyze', 'analyse', 'verbose', ')']

const WORDS = new KnownWords([
  ...STATEMENT_WORDS,
  ...SETTING_WORDS,
  ...HARMLESS_CASTS,
  ...FUNCTION_EFFECTS.keys(),
  ...TEMP_WORDS,
  ...TEMP_MAKERS,
  ...TEMP_SCOPES,
  ...BEFORE_EXECUTE,
  ...ROUTINE_WORDS,
  ...LOOKUP_WORDS,
  ...SHARED_OBJECTS,
  ...[SET_CONFIG, SETTINGS_VIEW, HOLD_WORD, 'with', 'cursor', 'update', 'only', 'true'],
  ...['mapping', 'for'],
])

/** Reads what each statement of a text does, token by token. */
export function readStatements(text: SqlText, dialect: SqlDialect, effects: EffectsBuilder): void {
  const lexer = new SqlLexer(text, dialect, WORDS)
  const reader = new StatementReader(lexer, effects)
  lexer.next()
  while (lexer.kind !== 'end') reader.readStatement()
}

class StatementReader {
  readonly #lexer: SqlLexer
  readonly #effects: EffectsBuilder
  readonly #calls: SetConfigCalls
  readonly #clauses = new RoutineClauses()
  readonly #target = new UpdateTarget()
  /** The first word of the statement. */
  #first = ''
  /** The keywords that stand before the token here, or a `)`; `''` for any other token. */
  #previous = ''
  #beforePrevious = ''
  /** The function whose name the token before may be. */
  #callee = ''
  /** Whether the token before is a TEMP that makes a relation, unless it is a table's own name. */
  #isBehindTemp = false
  #hasUpdate = false

  constructor(lexer: SqlLexer, effects: EffectsBuilder) {
    this.#lexer = lexer
    this.#effects = effects
    this.#calls = new SetConfigCalls(effects)
  }

  /** Reads up to behind the next semicolon, wherever that stands. */
  readStatement(): void {
    const lexer = this.#lexer
    this.#first = lexer.keyword
    this.#callee = ''
    this.#isBehindTemp = false
    this.#hasUpdate = false
    this.#previous = ''
    this.#beforePrevious = ''
    this.#clauses.begin()
    this.#target.begin()
    const read = STATEMENTS.get(this.#first)
    if (read !== undefined) {
      lexer.next()
      this.#previous = this.#first
      read(lexer, this.#effects)
    }
    while (!lexer.endsStatement) {
      if (this.#beginsClause()) readSetClause(lexer, this.#effects)
      else {
        this.#readToken()
        lexer.next()
      }
    }
    this.#calls.endStatement()
    lexer.next()
  }

  #beginsClause(): boolean {
    const mayHold = this.#first === 'create' || this.#first === 'alter'
    return mayHold && this.#clauses.take(this.#lexer, this.#previous)
  }

  #readToken(): void {
    const lexer = this.#lexer
    if (this.#isBehindTemp) this.#readBehindTemp()
    const isCall = this.#callee !== '' && lexer.isSymbol('(')
    if (isCall && this.#callee === SET_CONFIG) this.#calls.open()
    else {
      this.#calls.take(lexer)
      this.#noteMade()
    }
    if (this.#target.take(lexer)) this.#effects.assign(undefined, { kind: 'unknown' })
    if (isCall) this.#effects.call(FUNCTION_EFFECTS.get(this.#callee) ?? {})
    const { keyword } = lexer
    this.#callee = lexer.identifier
    if (lexer.isIdentifier) this.#readIdentifier(keyword)
    else if (this.#first === 'set' && mayName(lexer, TEMP_SCHEMA)) this.#effects.make('temp')
    this.#beforePrevious = this.#previous
    this.#previous = lexer.isSymbol(')') ? ')' : keyword
  }

  /** The function may be made the work of something else: of an aggregate, of an operator. */
  #noteMade(): void {
    if (this.#callee !== SET_CONFIG || this.#first !== 'create') return
    this.#effects.assign(undefined, { kind: 'unknown' })
  }

  /** Between INSERT INTO and `(`, or before a dot, it is a name. */
  #readBehindTemp(): void {
    this.#isBehindTemp = false
    const isName = this.#lexer.isSymbol('(') || this.#lexer.isSymbol('.')
    if (!isName) this.#effects.make('temp')
  }

  #readIdentifier(keyword: string): void {
    const lexer = this.#lexer
    if (lexer.isObscure) this.#effects.hide()
    if (lexer.startsWith(TEMP_SCHEMA)) this.#effects.make('temp')
    if (this.#hasUpdate && lexer.identifier === SETTINGS_VIEW) this.#effects.configure(undefined)
    if (keyword === 'update') this.#hasUpdate = true
    else if (keyword === 'execute') this.#readExecute()
    else if (keyword === HOLD_WORD) this.#readHold()
    else if (TEMP_WORDS.includes(keyword)) this.#isBehindTemp = this.#makesTemp()
  }

  /** EXPLAIN … EXECUTE and CREATE TABLE … AS EXECUTE; not GRANT EXECUTE, CREATE TRIGGER … EXECUTE. */
  #readExecute(): void {
    if (!EXECUTE_HOLDERS.includes(this.#first) || !BEFORE_EXECUTE.includes(this.#previous)) return
    this.#lexer.next()
    this.#effects.execute(this.#lexer.name())
  }

  #readHold(): void {
    if (this.#previous === 'with' && this.#beforePrevious === 'cursor') this.#effects.make('hold')
  }

  #makesTemp(): boolean {
    const isScoped = TEMP_SCOPES.includes(this.#previous)
    return TEMP_MAKERS.includes(isScoped ? this.#beforePrevious : this.#previous)
  }
}

/** ALTER USER MAPPING FOR is about a foreign server alone; a role may be named like its word. */
function readAlter(lexer: SqlLexer, effects: EffectsBuilder): void {
  if (!SHARED_OBJECTS.includes(lexer.keyword)) return
  if (lexer.keyword !== 'user' || !isMapping(lexer)) effects.alterShared()
}

function isMapping(lexer: SqlLexer): boolean {
  const words = ['mapping', 'for']
  return words.every((word) => {
    lexer.next()
    return lexer.keyword === word
  })
}

/** PREPARE TRANSACTION with a string behind it is another statement. */
function readPrepare(lexer: SqlLexer, effects: EffectsBuilder): void {
  const mayBeTransaction = lexer.keyword === 'transaction'
  lexer.next()
  if (!mayBeTransaction || lexer.kind !== 'string') effects.make('prepare')
}

/** The word PREPARE is optional, and may be the name. */
function readDeallocate(lexer: SqlLexer, effects: EffectsBuilder): void {
  let name = lexer.name()
  if (lexer.keyword === 'prepare') {
    lexer.next()
    if (!lexer.endsStatement) name = lexer.name()
  }
  if (lexer.keyword === 'all') effects.deallocateAll()
  else effects.deallocate(name)
}

/** PLANS and SEQUENCES are nothing that a session relies on. */
function readDiscard(lexer: SqlLexer, effects: EffectsBuilder): void {
  if (lexer.keyword === 'all') effects.discardAll()
  else if (TEMP_WORDS.includes(lexer.keyword)) effects.undo('temp')
}
