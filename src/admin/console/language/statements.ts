import { ConsoleSyntaxError, ConsoleUnsupportedError } from '../console-errors.ts'

/** A word, a text in quotes, or a sign of punctuation. */
export interface Token {
  readonly kind: 'word' | 'text' | 'sign'
  /** As it was typed; a text without its quotes. */
  readonly text: string
}

/** One command, without the semicolon. Never empty. */
export type Statement = readonly Token[]

/**
 * Blanks and comments; a word, which may begin with a digit and have dots, dashes and a `%` or `*`
 * in it; a text in single or double quotes, in which two of them stand for one; any other sign.
 */
const TOKEN =
  /(?<blank>\s+|--[^\n]*|\/\*.*?\*\/)|(?<word>[\p{L}\p{N}_][\p{L}\p{N}_.%-]*)|'(?<text>(?:[^']|'')*)'|"(?<name>(?:[^"]|"")*)"|(?<parameter>\$\d+)|(?<sign>.)/suy

/**
 * Cuts what an operator sent into commands.
 *
 * @throws ConsoleSyntaxError - a text or a comment has no end.
 * @throws ConsoleUnsupportedError - a parameter, such as `$1`.
 */
export function readStatements(source: string): readonly Statement[] {
  const statements: Token[][] = [[]]
  for (const { groups = {} } of matches(source)) {
    if (groups['blank'] !== undefined) continue
    if (groups['sign'] === ';') statements.push([])
    else statements.at(-1)?.push(tokenOf(groups))
  }
  return statements.filter((tokens) => tokens.length > 0)
}

function* matches(source: string): Iterable<RegExpExecArray> {
  const pattern = new RegExp(TOKEN)
  while (pattern.lastIndex < source.length) {
    const at = pattern.lastIndex
    const match = pattern.exec(source)
    if (match === null || isUnended(source, at, match)) {
      throw new ConsoleSyntaxError('a text or a comment has no end')
    }
    yield match
  }
}

/** A sign that would begin something longer did not find its end. */
function isUnended(source: string, at: number, { groups = {} }: RegExpExecArray): boolean {
  const { sign } = groups
  return sign === "'" || sign === '"' || (sign === '/' && source[at + 1] === '*')
}

function tokenOf(groups: Readonly<Record<string, string | undefined>>): Token {
  const { word, text, name, parameter, sign = '' } = groups
  if (parameter !== undefined) {
    const hint = 'Write the value into the command.'
    throw new ConsoleUnsupportedError('parameters of commands', hint)
  }
  if (word !== undefined) return { kind: 'word', text: word }
  if (text !== undefined) return { kind: 'text', text: text.replaceAll("''", "'") }
  if (name !== undefined) return { kind: 'text', text: name.replaceAll('""', '"') }
  return { kind: 'sign', text: sign }
}
