import type { Clock, ClockTimer } from '../../base/clock.ts'

/** What was done for one tenant since the start. Nothing of it ever goes back. */
export interface TenantTotals {
  readonly tenant: string
  readonly transactions: number
  readonly queries: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly transactionMs: number
  readonly queryMs: number
  readonly waitMs: number
}

/** How often the averages are taken, in ms; PgBouncer's `stats_period`. */
const PERIOD_MS = 60_000

export const NO_TOTALS: TenantTotals = {
  tenant: '',
  transactions: 0,
  queries: 0,
  receivedBytes: 0,
  sentBytes: 0,
  transactionMs: 0,
  queryMs: 0,
  waitMs: 0,
}

/** Two readings, and the time between them. */
export interface Period {
  readonly before: ReadonlyMap<string, TenantTotals>
  readonly after: ReadonlyMap<string, TenantTotals>
  readonly seconds: number
}

/** Keeps the readings from which averages are made: those of the last whole period. */
export class TotalsHistory {
  readonly #read: () => readonly TenantTotals[]
  readonly #clock: Clock
  #timer: ClockTimer | undefined
  #period: Period
  #lastMs: number

  constructor(read: () => readonly TenantTotals[], clock: Clock) {
    this.#read = read
    this.#clock = clock
    this.#lastMs = clock.nowMs()
    this.#period = { before: new Map(), after: this.#take(), seconds: 0 }
    this.#wait()
  }

  /** The last whole period; while the first one lasts, the time since the start. */
  get period(): Period {
    if (this.#period.seconds > 0) return this.#period
    const seconds = (this.#clock.nowMs() - this.#lastMs) / 1000
    return { before: this.#period.after, after: this.#take(), seconds }
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #wait(): void {
    this.#timer = this.#clock.after(PERIOD_MS, () => {
      const nowMs = this.#clock.nowMs()
      const seconds = (nowMs - this.#lastMs) / 1000
      this.#period = { before: this.#period.after, after: this.#take(), seconds }
      this.#lastMs = nowMs
      this.#wait()
    })
  }

  #take(): ReadonlyMap<string, TenantTotals> {
    return new Map(this.#read().map((totals) => [totals.tenant, totals]))
  }
}
