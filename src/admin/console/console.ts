import type { AuthOptions } from '../../auth/authenticate.ts'
import type { Clock } from '../../base/clock.ts'
import type { LoginSecret } from '../../catalog/login.ts'
import type { ConsoleDoor, Operator, OperatorSession } from '../../session/login/console-door.ts'
import { ShutdownError } from '../../session/session-errors.ts'
import type { LeveledLogger } from '../../telemetry/log/logger.ts'
import type { Operations } from '../operations.ts'
import type { ConsoleRole } from './commands/command.ts'
import { ConsoleFullError } from './console-errors.ts'
import { ConsoleSession } from './console-session.ts'
import type { ConsoleSources } from './console-sources.ts'
import { TotalsHistory } from './tenant-totals.ts'

/** Who may use the console. */
export interface ConsoleLogin {
  readonly user: string
  readonly secret: LoginSecret
  readonly role: ConsoleRole
}

/** Settings of the console. */
export interface ConsoleOptions {
  /** What a client names as its database to reach it. */
  readonly database: string
  /** By user. None: there is no console. */
  readonly logins: ReadonlyMap<string, ConsoleLogin>
  readonly maxClients: number
  readonly auth: AuthOptions
}

/** What the console is made of. */
export interface ConsoleParts {
  /** Read anew for each login and each command: a reload replaces it. */
  options(): ConsoleOptions
  readonly sources: ConsoleSources
  /** @param login - Who does it, for the log. */
  operations(login: string): Operations
  readonly logger: LeveledLogger
  readonly clock: Clock
}

/** The version of Postgres that drivers take the console for; it decides what they send. */
const LOOKS_LIKE = '15.0'

/** A console for operators, which speaks the protocol of Postgres. */
export class Console implements ConsoleDoor {
  readonly #parts: ConsoleParts
  readonly #history: TotalsHistory
  readonly #open = new Set<ConsoleSession>()

  constructor(parts: ConsoleParts) {
    this.#parts = parts
    this.#history = new TotalsHistory(parts.sources.tenantTotals, parts.clock)
  }

  isMeant(parameters: ReadonlyMap<string, string>): boolean {
    const { database, logins } = this.#parts.options()
    // A client that names no database means the one that is called as it is.
    const named = parameters.get('database') ?? parameters.get('user')
    return logins.size > 0 && named === database
  }

  auth(): AuthOptions {
    return this.#parts.options().auth
  }

  secretOf(login: string): LoginSecret | undefined {
    return this.#parts.options().logins.get(login)?.secret
  }

  open({ id, login, socket, address }: Operator): OperatorSession {
    const { options, sources, operations, logger } = this.#parts
    const { maxClients } = options()
    if (this.#open.size >= maxClients) throw new ConsoleFullError(maxClients)
    const role = () => options().logins.get(login)?.role
    const session = new ConsoleSession(socket, {
      commander: { session: id, login, client: address, role, logger },
      context: {
        sources,
        history: this.#history,
        operations: operations(login),
        logLevels: logger.tenantLevels,
      },
    })
    this.#open.add(session)
    socket.once('close', () => this.#open.delete(session))
    return {
      parameters: parametersFor(login, sources.version),
      start: (rest) => session.start(rest),
      cancel: () => session.cancel(),
    }
  }

  /** Sends all operators away. */
  close(): void {
    this.#history.stop()
    for (const session of [...this.#open]) session.end(new ShutdownError())
  }
}

function parametersFor(login: string, version: string): ReadonlyMap<string, string> {
  return new Map([
    ['server_version', `${LOOKS_LIKE} (PgUsher ${version} console)`],
    ['server_encoding', 'UTF8'],
    ['client_encoding', 'UTF8'],
    ['DateStyle', 'ISO, MDY'],
    ['TimeZone', 'UTC'],
    ['integer_datetimes', 'on'],
    ['standard_conforming_strings', 'on'],
    ['is_superuser', 'off'],
    ['session_authorization', login],
  ])
}
