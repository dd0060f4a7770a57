import type { SqlLexer } from './sql-lexer.ts'

const ROUTINES = ['function', 'procedure', 'routine']
const BEFORE_ROUTINES = ['create', 'replace', 'alter']

/** Words that are known to the lexer for these clauses. */
export const ROUTINE_WORDS = [...ROUTINES, ...BEFORE_ROUTINES, 'begin', 'atomic', 'set']

/** Finds the SET clauses of CREATE and ALTER FUNCTION, PROCEDURE and ROUTINE. */
export class RoutineClauses {
  #isRoutine = false
  #depth = 0

  /** A statement begins. */
  begin(): void {
    this.#isRoutine = false
    this.#depth = 0
  }

  /**
   * Takes each token of a CREATE or ALTER.
   *
   * @param previous - The keyword before it.
   * @returns Whether a SET clause begins with it.
   */
  take(lexer: SqlLexer, previous: string): boolean {
    if (lexer.isSymbol('(')) this.#depth += 1
    else if (lexer.isSymbol(')')) this.#depth -= 1
    const { keyword } = lexer
    if (keyword === '' || this.#depth !== 0) return false
    if (ROUTINES.includes(keyword) && BEFORE_ROUTINES.includes(previous)) this.#isRoutine = true
    // What follows is the body, whose UPDATE has a SET of its own.
    if (keyword === 'atomic' && previous === 'begin') this.#isRoutine = false
    return this.#isRoutine && keyword === 'set'
  }
}
