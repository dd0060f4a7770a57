import { foldCase } from '../fold-case.ts'
import { skipBlank } from './blank.ts'
import { KnownWords } from './known-words.ts'
import { SqlLexer } from './sql-lexer.ts'
import type { SqlDialect, SqlText } from './statement-effects.ts'

/** The setting that names the tenant of a session. It is the proxy's: no server knows it. */
export const TENANT_SETTING = 'pgusher.tenant'

/** What a client asks the proxy itself. */
export type TenantCommand =
  /**
   * SET and RESET; `tenant` as the client wrote it, unchecked, and `undefined` for the tenant of its
   * login: RESET, SET … TO DEFAULT.
   */
  | {
      readonly kind: 'switch'
      readonly tag: 'SET' | 'RESET'
      readonly tenant: string | undefined
    }
  | { readonly kind: 'show' }

const FIRST_WORDS = new KnownWords(['set', 'reset', 'show'])
const WORDS = new KnownWords(['set', 'reset', 'show', 'session', 'to', 'default'])
const THIRD_LETTERS = { set: 0x74, reset: 0x73, show: 0x6f }
const LONGEST_FIRST_WORD = 'reset'.length
/**
 * A tenant's name has no backslash, and nothing but ASCII: read in another dialect, the text of a
 * command is no command, or the same one.
 */
const DIALECT: SqlDialect = { backslashEscapes: false, hasUnsafeBytes: false }

/** Whether the setting of this name, as the server reads it, is the one that names the tenant. */
export function isTenantSetting(name: string): boolean {
  return name.length === TENANT_SETTING.length && foldCase(name) === TENANT_SETTING
}

/**
 * Reads a text that holds one statement about the session's tenant and nothing else. Any other
 * text costs a look at its first word.
 *
 * @returns `undefined` for other texts, also for such as name the setting in another way: those
 * `StatementEffects.namesTenant` tells of.
 */
export function readTenantCommand(text: SqlText): TenantCommand | undefined {
  if (!beginsCommand(text)) return undefined
  const lexer = new SqlLexer(text, DIALECT, WORDS)
  lexer.next()
  const verb = lexer.keyword
  lexer.next()
  if (verb === 'set' && lexer.keyword === 'session') lexer.next()
  if (!isTenantSetting(readSettingName(lexer))) return undefined
  const command = verb === 'set' ? readValue(lexer) : COMMANDS[verb]
  while (lexer.isSymbol(';')) lexer.next()
  return lexer.kind === 'end' ? command : undefined
}

const COMMANDS: Readonly<Record<string, TenantCommand>> = {
  reset: { kind: 'switch', tag: 'RESET', tenant: undefined },
  show: { kind: 'show' },
}

/**
 * Whether the text that begins at `start` is surely no command: as of nearly every text, by two of
 * its bytes. Its first word has another third letter.
 */
export function isNoCommand(bytes: Buffer, start: number): boolean {
  if (start + 2 >= bytes.length || !isLetter(bytes[start] as number)) return false
  const third = (bytes[start + 2] as number) | 0x20
  return (
    third !== THIRD_LETTERS.set && third !== THIRD_LETTERS.reset && third !== THIRD_LETTERS.show
  )
}

function beginsCommand({ bytes, start, end }: SqlText): boolean {
  const first = skipBlank(bytes, start, end)
  const last = Math.min(end, first + LONGEST_FIRST_WORD)
  let behind = first
  while (behind < last && isLetter(bytes[behind] as number)) behind += 1
  return FIRST_WORDS.find(bytes, first, behind) !== ''
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x7a
}

/** Reads a name with its dots, and moves behind it. */
export function readSettingName(lexer: SqlLexer): string {
  if (!lexer.isIdentifier) return ''
  const parts = [lexer.name()]
  lexer.next()
  while (lexer.isSymbol('.')) {
    lexer.next()
    parts.push(lexer.name())
    lexer.next()
  }
  return parts.join('.')
}

/** Reads on from behind the name, and moves behind the value. */
function readValue(lexer: SqlLexer): TenantCommand | undefined {
  if (!lexer.isSymbol('=') && lexer.keyword !== 'to') return undefined
  lexer.next()
  if (lexer.keyword === 'default') {
    lexer.next()
    return { kind: 'switch', tag: 'SET', tenant: undefined }
  }
  const tenant = lexer.isIdentifier ? lexer.name() : lexer.literal()
  lexer.next()
  return tenant === undefined ? undefined : { kind: 'switch', tag: 'SET', tenant }
}
