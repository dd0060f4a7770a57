import { ProxyError } from '../../../base/proxy-error.ts'
import {
  ConsoleReloadError,
  ConsoleSyntaxError,
  ConsoleUnknownObjectError,
  ConsoleUnsupportedError,
} from '../console-errors.ts'
import type { Token } from '../language/statements.ts'
import { expectEnd, isWord, readScope, requireTenant } from './arguments.ts'
import type { Answer, Command, CommandContext, Deed } from './command.ts'

type ShutdownMode = Parameters<CommandContext['operations']['shutdown']>[0]

/** How PgBouncer words what is done to a process that ends. */
const SHUTDOWN_MODES: Readonly<Record<string, ShutdownMode>> = {
  WAIT_FOR_SERVERS: 'drain',
  WAIT_FOR_CLIENTS: 'clients',
  IMMEDIATE: 'now',
}

/** Commands that change something. Each needs the role `admin`, and is logged. */
export const CHANGE_COMMANDS: readonly Command[] = [
  change('PAUSE', async ({ operations, signal }, tenant) => {
    await operations.pause(tenant, signal)
    return {}
  }),
  change('RESUME', ({ operations }, tenant) =>
    operations.resume(tenant) ? {} : { notice: 'nothing was paused' },
  ),
  change('KILL', ({ operations }, tenant) => {
    const count = operations.kill(tenant)
    return { notice: `${count} sessions were ended, and new requests wait until RESUME` }
  }),
  change('RECONNECT', ({ operations }, tenant) => {
    const count = operations.reconnect(tenant)
    return { notice: `${count} server connections are closed as soon as they are free` }
  }),
  command(['KILL_CLIENT'], '<id>', readKillClient),
  command(['RELOAD'], undefined, (rest) => {
    expectEnd(rest)
    return { run: reload }
  }),
  command(['SHUTDOWN'], '[WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS | IMMEDIATE]', readShutdown),
  refused(
    'DISABLE',
    'PAUSE makes requests wait; suspend the tenant in the catalog to refuse them.',
  ),
  refused('ENABLE', 'RESUME ends a pause; activate a suspended tenant in the catalog.'),
  refused('SUSPEND', 'PAUSE makes requests wait.'),
  refused('WAIT_CLOSE', 'SHOW SERVERS lists the server connections; those that leave are marked.'),
]

/** A command about all tenants, or about the one that is named. */
function change(
  word: string,
  act: (context: CommandContext, tenant: string | undefined) => Answer | Promise<Answer>,
): Command {
  return command([word], '[[TENANT] <tenant>]', (rest) => {
    const tenant = readScope(rest)
    return {
      tenant,
      async run(context) {
        await requireTenant(tenant, context)
        return act(context, tenant)
      },
    }
  })
}

function command(
  words: readonly string[],
  usage: string | undefined,
  read: Command['read'],
): Command {
  return {
    words,
    ...(usage === undefined ? {} : { usage }),
    right: 'admin',
    tag: words.join(' '),
    columns: [],
    read,
  }
}

/** What PgBouncer does, and what is done otherwise here. */
function refused(word: string, hint: string): Command {
  const refuse = () => {
    throw new ConsoleUnsupportedError(word, hint)
  }
  return { ...command([word], undefined, () => ({ run: refuse })), isRefused: true }
}

function readKillClient(rest: readonly Token[]): Deed {
  const [token, ...more] = rest
  expectEnd(more)
  // As SHOW CLIENTS has it in `id`, or in `ptr`.
  const [, digits] = /^c?(\d{1,15})$/.exec(token?.text ?? '') ?? []
  if (digits === undefined) {
    throw new ConsoleSyntaxError('the id of a client is expected', 'SHOW CLIENTS has it.')
  }
  return {
    run({ operations }) {
      if (operations.killSession(Number(digits))) return {}
      throw new ConsoleUnknownObjectError(`client ${digits}`, 'SHOW CLIENTS lists them.')
    },
  }
}

function readShutdown(rest: readonly Token[]): Deed {
  const [token, ...more] = rest
  expectEnd(more)
  const known = Object.keys(SHUTDOWN_MODES).find((word) => isWord(token, word))
  const mode = token === undefined ? 'drain' : SHUTDOWN_MODES[known ?? '']
  if (mode === undefined) {
    const words = Object.keys(SHUTDOWN_MODES).join(', ')
    throw new ConsoleSyntaxError('an unknown way to shut down', `There are: ${words}.`)
  }
  return {
    run({ operations }) {
      operations.shutdown(mode)
      return {}
    },
  }
}

function reload({ operations }: CommandContext): Answer {
  try {
    operations.reload()
    return {}
  } catch (cause) {
    if (!(cause instanceof ProxyError)) throw cause
    throw new ConsoleReloadError(cause.message, { cause })
  }
}
