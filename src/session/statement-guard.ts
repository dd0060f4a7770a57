import type { StatementEffects } from '../sql/scan/statement-effects.ts'
import { type GuardReason, guardRefusal } from '../tenancy/guard.ts'
import type { Admission } from './admission.ts'
import { errorAnswer } from './error-answer.ts'
import { GuardRefusedError } from './guard-errors.ts'
import type { SessionParts } from './session-parts.ts'

/** Keeps the texts of one client from leading it out of its tenant's place. */
export class StatementGuard {
  readonly #admission: () => Admission
  readonly #parts: Pick<SessionParts, 'observer' | 'logger'>
  /** The log hears of each once: a client may try as often as it likes. */
  #logged: Set<GuardReason> | undefined

  /** @param admission - Of where the client is at that moment. */
  constructor(admission: () => Admission, parts: Pick<SessionParts, 'observer' | 'logger'>) {
    this.#admission = admission
    this.#parts = parts
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
    this.#tell(admission, error, refused.reason)
    return errorAnswer(error, 'ERROR')
  }

  #tell({ id, route }: Admission, error: GuardRefusedError, reason: GuardReason): void {
    const { tenant, login } = route
    const { observer, logger } = this.#parts
    observer.guardRefused(tenant, reason)
    this.#logged ??= new Set()
    if (this.#logged.has(reason)) return
    this.#logged.add(reason)
    const { code, message: detail } = error
    logger.warn('statement refused', { session: id, tenant, login, detail, code, reason })
  }
}
