import type { StatementEffects } from '../sql/scan/statement-effects.ts'
import { type GuardReason, guardRefusal } from '../tenancy/guard.ts'
import type { Admission } from './admission.ts'
import { errorAnswer } from './error-answer.ts'
import { GuardRefusedError } from './guard-errors.ts'
import type { SessionLog } from './session-log.ts'
import type { SessionParts } from './session-parts.ts'

/** Keeps the texts of one client from leading it out of its tenant's place. */
export class StatementGuard {
  readonly #admission: () => Admission
  readonly #observer: SessionParts['observer']
  readonly #log: Pick<SessionLog, 'tellOfStatement'>
  /** The log hears of each once: a client may try as often as it likes. */
  #logged: Set<GuardReason> | undefined

  /**
   * @param admission - Of where the client is at that moment.
   */
  constructor(
    admission: () => Admission,
    { observer }: Pick<SessionParts, 'observer'>,
    log: Pick<SessionLog, 'tellOfStatement'>,
  ) {
    this.#admission = admission
    this.#observer = observer
    this.#log = log
  }

  /** Whether the client is kept in a place at all. */
  get isNeeded(): boolean {
    return this.#admission().link.guard !== undefined
  }

  /** The ErrorResponse for a text with these effects; `undefined` lets it pass. */
  refusal(effects: StatementEffects): Buffer | undefined {
    const admission = this.#admission()
    const { guard: place } = admission.link
    const refused = place === undefined ? undefined : guardRefusal(effects, place)
    if (refused === undefined) return undefined
    const error = new GuardRefusedError(refused)
    this.#tell(admission.route.tenant, error, refused.reason)
    return errorAnswer(error, 'ERROR')
  }

  #tell(tenant: string, { code, message: detail }: GuardRefusedError, reason: GuardReason): void {
    this.#observer.guardRefused(tenant, reason)
    this.#logged ??= new Set()
    if (this.#logged.has(reason)) return
    this.#logged.add(reason)
    this.#log.tellOfStatement('warn', 'statement refused', { code, detail, reason })
  }
}
