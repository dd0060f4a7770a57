import { SETTINGS_VIEW } from './session-words.ts'
import type { SqlLexer } from './sql-lexer.ts'

/** Tells the UPDATE that sets settings from one that only reads their view. */
export class UpdateTarget {
  /** `due`: the next identifier is of the target's name. `named`: the token before was. */
  #state: 'none' | 'due' | 'named' = 'none'

  /** A statement begins. */
  begin(): void {
    this.#state = 'none'
  }

  /** Takes each token. @returns Whether it names the view as what is updated. */
  take(lexer: SqlLexer): boolean {
    if (lexer.keyword === 'update') {
      this.#state = 'due'
      return false
    }
    if (this.#state === 'none') return false
    const isNamed = this.#state === 'named'
    this.#state = isNamed ? 'none' : stateBehind(lexer)
    if (isNamed && lexer.isSymbol('.')) this.#state = 'due'
    return this.#state === 'named' && lexer.identifier === SETTINGS_VIEW
  }
}

/** ONLY and its parenthesis may stand before the name. */
function stateBehind(lexer: SqlLexer): 'none' | 'due' | 'named' {
  if (lexer.keyword === 'only' || lexer.isSymbol('(')) return 'due'
  return lexer.isIdentifier ? 'named' : 'none'
}
