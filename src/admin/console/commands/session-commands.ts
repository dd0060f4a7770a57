import { ConsoleSettingError, ConsoleUnsupportedError } from '../console-errors.ts'
import type { Token } from '../language/statements.ts'
import { columns } from '../table.ts'
import { isWord } from './arguments.ts'
import type { Command, Deed } from './command.ts'

/**
 * Settings that drivers send for their own session. Nothing here depends on them, so that they are
 * taken and do nothing.
 */
const SESSION_SETTINGS: ReadonlySet<string> = new Set([
  'application_name',
  'bytea_output',
  'characteristics',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'intervalstyle',
  'lock_timeout',
  'names',
  'search_path',
  'standard_conforming_strings',
  'statement_timeout',
  'time',
  'timezone',
  'transaction',
])

/** Words between SET and the name of a setting. */
const SCOPES = ['SESSION', 'LOCAL']

const NO_TRANSACTIONS = 'the console has no transactions: each command stands for itself'

/** What drivers send before and around the commands of their users. */
export const SESSION_COMMANDS: readonly Command[] = [
  session('SET', (rest) => {
    const [first, second] = rest
    const name = SCOPES.some((scope) => isWord(first, scope)) ? second : first
    if (!SESSION_SETTINGS.has(name?.text.toLowerCase() ?? '')) throw new ConsoleSettingError()
    return { run: () => ({}) }
  }),
  ...['RESET', 'DISCARD', 'DEALLOCATE', 'UNLISTEN', 'CLOSE'].map((word) =>
    session(word, () => ({ run: () => ({}) })),
  ),
  ...['BEGIN', 'START', 'COMMIT', 'END', 'ROLLBACK', 'ABORT'].map((word) =>
    session(word, () => ({ run: () => ({ notice: NO_TRANSACTIONS }) })),
  ),
  {
    words: ['SELECT'],
    right: 'stats',
    tag: 'SELECT',
    columns: columns('int4', '?column?'),
    read: readSelect,
  },
]

function session(word: string, read: (rest: readonly Token[]) => Deed): Command {
  return { words: [word], right: 'stats', tag: word, columns: [], read }
}

/** What pools of connections ask to see whether one is alive. */
function readSelect([first, ...more]: readonly Token[]): Deed {
  if (first?.text !== '1' || more.length > 0) {
    throw new ConsoleUnsupportedError('SELECT', 'SHOW HELP lists the commands.')
  }
  return { run: () => ({ rows: [{ '?column?': 1 }] }) }
}
