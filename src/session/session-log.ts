import type { LogEvent } from '../base/log-events.ts'
import type { LogFields, Logger, LogWeight } from '../base/logger.ts'
import type { ProxyError } from '../base/proxy-error.ts'
import type { StatementJournal } from '../relay/statement-journal.ts'
import type { Admission } from './admission.ts'
import { weightOf } from './error-weight.ts'

/** Lines of the log about one session, while it is in one tenant. */
export class SessionLog {
  readonly #logger: Logger
  readonly #id: number
  readonly #tenant: string
  readonly #login: string
  readonly #journal: Pick<StatementJournal, 'text'> | undefined

  /** @param journal - What the client sent last, where the log may show it. */
  constructor(
    { id, route }: Admission,
    logger: Logger,
    journal: Pick<StatementJournal, 'text'> | undefined,
  ) {
    this.#logger = logger
    this.#id = id
    this.#tenant = route.tenant
    this.#login = route.login
    this.#journal = journal
  }

  /** Whether debug lines are written; to be asked where requests come by. */
  get isDebugging(): boolean {
    return this.#logger.isDebugging(this.#tenant)
  }

  tell(weight: LogWeight, event: LogEvent, fields: LogFields = {}): void {
    const who = { session: this.#id, tenant: this.#tenant, login: this.#login }
    this.#logger[weight](event, { ...who, ...fields })
  }

  /** With the text that the client sent last, where the log may show it. */
  tellOfStatement(weight: LogWeight, event: LogEvent, fields: LogFields): void {
    this.tell(weight, event, { ...fields, sql: this.#journal?.text })
  }

  /** @param error - Why the session was ended; `undefined` when its client left. */
  ended(error: ProxyError | undefined): void {
    if (error === undefined) {
      if (this.isDebugging) this.tell('debug', 'session closed')
      return
    }
    const { code, message: detail } = error
    this.tell(weightOf(error), 'session ended', { code, detail })
  }
}
