import { readFileSync } from 'node:fs'
import t from 'tap'
import { CHANGE_COMMANDS } from '../../../src/admin/console/commands/change-commands.ts'
import type {
  Command,
  CommandContext,
  ConsoleRole,
} from '../../../src/admin/console/commands/command.ts'
import { COMMANDS, nameOf, readCommand } from '../../../src/admin/console/commands/command-table.ts'
import { readStatements } from '../../../src/admin/console/language/statements.ts'
import { runCommand } from '../../../src/admin/console/run-command.ts'
import { silentLogger } from '../../../src/base/logger.ts'

/** What follows a command where it can't stand alone. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  'SHOW TENANT': 'acme',
  'EXPLAIN ROUTE FOR': "'user=app.acme'",
  KILL_CLIENT: '7',
  'SET LOG LEVEL': 'debug FOR TENANT acme',
  'RESET LOG LEVEL': 'FOR TENANT acme',
  SET: 'client_encoding TO UTF8',
  SELECT: '1',
}

function read(text: string) {
  const [statement = []] = readStatements(text)
  return readCommand(statement)
}

function textOf(command: Command): string {
  const name = nameOf(command)
  return `${name} ${ARGUMENTS[name] ?? ''}`
}

/** Whoever touches anything of this is noticed. */
function watched(): { readonly context: CommandContext; readonly touched: string[] } {
  const touched: string[] = []
  const trap = (name: string) =>
    new Proxy(
      {},
      {
        get: (_, property) => {
          touched.push(`${name}.${String(property)}`)
          return () => []
        },
      },
    )
  const context = {
    sources: trap('sources'),
    history: {},
    operations: trap('operations'),
    logLevels: trap('levels'),
  }
  return { context: { ...context, signal: new AbortController().signal } as never, touched }
}

function commander(role: ConsoleRole | undefined) {
  return { session: 1, login: 'ops', client: 'here', role: () => role, logger: silentLogger }
}

t.test('each command has a right, and what changes something has the higher one', async (t) => {
  const names = COMMANDS.map(nameOf)
  t.equal(new Set(names).size, names.length, 'each name once')
  for (const command of CHANGE_COMMANDS) t.equal(command.right, 'admin', nameOf(command))
  for (const command of COMMANDS) {
    t.ok(['admin', 'stats'].includes(command.right))
    t.equal(read(textOf(command).toLowerCase()).command, command, 'found in lower case')
  }
})

for (const command of COMMANDS.filter(({ right }) => right === 'admin')) {
  t.test(`${nameOf(command)} is refused to those who may only look`, async (t) => {
    for (const role of ['stats', undefined] as const) {
      const { context, touched } = watched()
      const running = runCommand(read(textOf(command)), commander(role), context)
      await t.rejects(running, { code: 'CONSOLE_RIGHT_MISSING', sqlState: '42501' })
      t.strictSame(touched, [], 'nothing was looked at or done')
    }
  })
}

for (const command of COMMANDS.filter(({ right }) => right === 'stats')) {
  t.test(`${nameOf(command)} changes nothing, and is not for those who were put out`, async (t) => {
    const { context, touched } = watched()
    await runCommand(read(textOf(command)), commander('stats'), context).catch(() => {})
    t.strictSame(
      touched.filter((name) => name.startsWith('operations')),
      [],
    )
    const late = watched()
    const running = runCommand(read(textOf(command)), commander(undefined), late.context)
    await t.rejects(running, { code: 'CONSOLE_RIGHT_MISSING' })
    t.strictSame(late.touched, [])
  })
}

/** What each command does, by the operation that it calls. */
const OPERATIONS: readonly (readonly [text: string, call: readonly unknown[]])[] = [
  ['PAUSE', ['pause', undefined]],
  ['PAUSE acme', ['pause', 'acme']],
  ['PAUSE TENANT acme', ['pause', 'acme']],
  ["PAUSE 'acme'", ['pause', 'acme']],
  ["PAUSE TENANT 'tenant'", ['pause', 'tenant']],
  ["PAUSE 'tenant'", ['pause', 'tenant']],
  ['RESUME acme', ['resume', 'acme']],
  ['KILL', ['kill', undefined]],
  ['KILL TENANT acme', ['kill', 'acme']],
  ['KILL_CLIENT 7', ['killSession', 7]],
  ['KILL_CLIENT c7', ['killSession', 7]],
  ['RECONNECT acme', ['reconnect', 'acme']],
  ['RELOAD', ['reload']],
  ['SHUTDOWN', ['shutdown', 'drain']],
  ['SHUTDOWN WAIT_FOR_SERVERS', ['shutdown', 'drain']],
  ['SHUTDOWN WAIT_FOR_CLIENTS', ['shutdown', 'clients']],
  ['SHUTDOWN immediate', ['shutdown', 'now']],
]

for (const [text, [name, ...due]] of OPERATIONS) {
  t.test(`${text} calls ${name}`, async (t) => {
    const calls: unknown[][] = []
    const operations = new Proxy(
      {},
      {
        get:
          (_, called) =>
          (...args: unknown[]) => {
            calls.push([called, ...args])
            return true
          },
      },
    )
    const sources = { sessions: () => [{ tenant: 'acme' }, { tenant: 'tenant' }] }
    const { signal } = new AbortController()
    const context = { sources, history: {}, operations, signal } as never
    await runCommand(read(text), commander('admin'), context)
    t.equal(calls.length, 1)
    const [called, ...args] = calls[0] ?? []
    t.equal(called, name)
    t.strictSame(args.slice(0, due.length), due)
  })
}

for (const text of [
  'PAUSE TENANT',
  'PAUSE acme globex',
  'PAUSE "Not A Name"',
  'PAUSE =',
  'KILL_CLIENT',
  'KILL_CLIENT x',
  'KILL_CLIENT -1',
  'RELOAD now',
  'SET LOG LEVEL debug',
  'SET LOG LEVEL loud FOR TENANT acme',
  'SET LOG LEVEL debug FOR TENANT acme FOR',
  'SET LOG LEVEL debug FOR TENANT acme FOR ever',
  'SET LOG LEVEL debug FOR TENANT acme FOR 0',
  'SET LOG LEVEL debug FOR TENANT acme FOR 999999999',
  'SET LOG LEVEL debug FOR TENANT acme FOR 5 more',
  'RESET LOG LEVEL acme',
  'RESET LOG LEVEL FOR TENANT',
  'SHUTDOWN SOMETIME',
  'SHUTDOWN IMMEDIATE NOW',
  'SHOW',
  'SHOW POOLS acme',
  'SHOW TENANTS acme',
  'SHOW TENANTS LIKE acme',
  "SHOW TENANTS LIKE 'a' 'b'",
  'SHOW TENANT',
  'EXPLAIN ROUTE FOR user',
  'EXPLAIN',
  '=',
]) {
  t.test(`${text} is refused before it is run`, async (t) => {
    t.throws(() => read(text), { code: 'CONSOLE_SYNTAX', sqlState: '42601' })
  })
}

t.test('a mistyped command has a hint', async (t) => {
  const hint = (text: string) => {
    try {
      read(text)
      return undefined
    } catch (error) {
      return (error as { hint?: string }).hint
    }
  }
  t.match(hint('SHOW POLS'), /^Did you mean SHOW POOLS\?/)
  t.match(hint('PAUZE acme'), /^Did you mean PAUSE\?/)
  t.equal(hint('INSERT INTO orders'), 'SHOW HELP lists the commands.')
  t.notMatch(hint('SHOW FDD'), /SHOW FDS/, 'nothing that is refused')
})

t.test('what is for the session of a driver is taken; what is for all is not', async (t) => {
  for (const text of [
    'SET client_encoding = UTF8',
    'SET SESSION extra_float_digits TO 3',
    'set TimeZone to UTC',
  ]) {
    t.equal(read(text).command.words[0], 'SET')
  }
  for (const text of ['SET max_client_conn = 5', 'SET pool.size = 5', 'SET']) {
    t.throws(() => read(text), { code: 'CONSOLE_SETTING' })
  }
  t.throws(() => read('SELECT now()'), { code: 'CONSOLE_UNSUPPORTED' })
})

t.test('what has no meaning here is refused with what to do instead', async (t) => {
  for (const command of COMMANDS.filter(({ isRefused }) => isRefused === true)) {
    const running = runCommand(read(textOf(command)), commander('admin'), watched().context)
    await t.rejects(running, { code: 'CONSOLE_UNSUPPORTED', hint: /\w/ }, nameOf(command))
  }
})

t.test('docs/console.md has every command', async (t) => {
  const page = readFileSync('docs/console.md', 'utf8')
  for (const command of COMMANDS) {
    const [first = '', second = ''] = command.words
    const word = first === 'SHOW' ? second : first
    if (
      [
        'RESET',
        'DISCARD',
        'DEALLOCATE',
        'UNLISTEN',
        'CLOSE',
        'START',
        'END',
        'ROLLBACK',
        'ABORT',
      ].includes(word)
    )
      continue
    t.ok(new RegExp(`\\b${word}\\b`).test(page), nameOf(command))
  }
})
