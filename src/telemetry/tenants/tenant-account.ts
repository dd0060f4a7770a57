import type { RequestUsage, TenantObserver } from '../../session/session-observer.ts'
import { errorClass } from '../error-class.ts'
import { Work } from '../work.ts'

/** Where the work of all tenants comes together. */
export interface WorkTotals {
  /** Of all tenants. */
  readonly all: Work
  /** What was done by tenants while they had no label. */
  readonly other: Work
  /** Hears of everything as well. */
  readonly observer: Pick<TenantObserver, 'requestEnded' | 'transactionEnded' | 'errorReported'>
}

/** What one tenant has done. Sessions hold it, so that its work costs additions and no look-up. */
export class TenantAccount implements TenantObserver {
  readonly name: string
  /** All that it has done since it has this account. */
  readonly work = new Work()
  /** Sessions that were opened and not closed. */
  sessions = 0
  /** See `rate`. */
  busyness = 0
  /** When it got its label, on the clock, in ms. */
  labelledMs = 0
  readonly #totals: WorkTotals
  /** What it did while it had a label: its series goes on there when it gets one again. */
  #labelled: Work | undefined
  /** Where its work is shown: as its own, or with that of others. */
  #shown: Work
  #ratedMs = 0

  constructor(name: string, totals: WorkTotals) {
    this.name = name
    this.#totals = totals
    this.#shown = totals.other
  }

  requestEnded(usage: RequestUsage): void {
    this.work.addRequest(usage)
    this.#shown.addRequest(usage)
    this.#totals.all.addRequest(usage)
    this.#totals.observer.requestEnded(usage)
  }

  transactionEnded(durationMs: number): void {
    this.work.addTransaction(durationMs)
    this.#shown.addTransaction(durationMs)
    this.#totals.all.addTransaction(durationMs)
    this.#totals.observer.transactionEnded(durationMs)
  }

  checkedOut(waitMs: number): void {
    if (waitMs === 0) return
    this.work.waitMs += waitMs
    this.#shown.waitMs += waitMs
    this.#totals.all.waitMs += waitMs
  }

  leaseEnded(heldMs: number): void {
    this.work.serverMs += heldMs
    this.#shown.serverMs += heldMs
    this.#totals.all.serverMs += heldMs
  }

  errorReported(sqlState: string, origin: 'server' | 'proxy'): void {
    const found = errorClass(sqlState)
    this.work.addError(found)
    this.#shown.addError(found)
    this.#totals.observer.errorReported(sqlState, origin)
  }

  /** What it did while it had a label; `undefined` when it never had one. */
  get labelled(): Work | undefined {
    return this.#labelled
  }

  /** From now on its work is shown as its own. */
  showAlone(nowMs: number): void {
    this.#labelled ??= new Work()
    this.#shown = this.#labelled
    this.labelledMs = nowMs
  }

  /** From now on its work is shown with that of others. */
  showWithOthers(): void {
    this.#shown = this.#totals.other
  }

  /**
   * Brings `busyness` up to date: the time that its clients waited for answers, in ms, and what was
   * so before by `weight`.
   */
  rate(weight: number): void {
    const nowMs = this.work.queryMs + this.work.waitMs
    this.busyness = this.busyness * weight + nowMs - this.#ratedMs
    this.#ratedMs = nowMs
  }
}
