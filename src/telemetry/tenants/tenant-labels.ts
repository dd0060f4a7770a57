import type { TenantAccount } from './tenant-account.ts'

/** Label of all tenants that have none of their own. A tenant of that name is one of them. */
export const OTHER_TENANTS = 'other'

/** How often ranks are taken, at most. */
export const RANK_EVERY_MS = 60_000
/** What counts half as much as what is done now. */
const HALF_LIFE_MS = 60_000
/** A newcomer has to be that many times as busy as the holder whose label it gets. */
export const NEWCOMER_FACTOR = 1.5
/** How long a label that was got for a rank is kept at least. */
export const KEEP_MS = 600_000
/** Whose clients waited less than that for answers is idle, in ms. */
const IDLE_BUSYNESS = 1

/** How many labels there may be. */
export interface TenantLabelLimits {
  /** At a time. */
  readonly max: number
  /** Tenants that ever had one: each of them is remembered. */
  readonly maxEver: number
}

/**
 * Decides which tenants have a label of their own: the busiest, in such a way that labels seldom
 * change hands. While there are free labels, who comes first has one.
 */
export class TenantLabels {
  readonly #limits: () => TenantLabelLimits
  readonly #holders = new Set<TenantAccount>()
  /** Who lost it when ranks were last taken. */
  #former: readonly TenantAccount[] = []
  #everCount = 0
  #rankedMs: number

  constructor(limits: () => TenantLabelLimits, nowMs: number) {
    this.#limits = limits
    this.#rankedMs = nowMs
  }

  /**
   * Whose series are shown: the holders, and those who were holders until ranks were last taken, so
   * that every scraper sees what they did to the end.
   */
  get shown(): readonly TenantAccount[] {
    return [...this.#holders, ...this.#former.filter((account) => !this.#holders.has(account))]
  }

  /** For who comes first: it may lose the label as soon as ranks are taken. */
  offer(account: TenantAccount): void {
    if (this.#holders.size < this.#limits().max) this.#give(account, Number.NEGATIVE_INFINITY)
  }

  /** Takes ranks when it is time. */
  rank(accounts: Iterable<TenantAccount>, nowMs: number): void {
    const sinceMs = nowMs - this.#rankedMs
    if (sinceMs < RANK_EVERY_MS) return
    this.#rankedMs = nowMs
    this.#former = []
    const weight = 0.5 ** (sinceMs / HALF_LIFE_MS)
    // To sort all tenants would keep the event loop for long, and no more than these can have one.
    const newcomers = new Busiest(this.#limits().max)
    for (const account of accounts) {
      account.rate(weight)
      const isBusy = account.busyness >= IDLE_BUSYNESS && !this.#holders.has(account)
      if (isBusy && this.#mayHave(account)) newcomers.offer(account)
    }
    this.#shrink()
    this.#replace(newcomers.found, nowMs)
  }

  /** The limit may have been lowered. */
  #shrink(): void {
    const surplus = this.#holders.size - this.#limits().max
    if (surplus > 0) for (const account of this.#leastBusy().slice(0, surplus)) this.#take(account)
  }

  /** @param newcomers - The busiest first. */
  #replace(newcomers: readonly TenantAccount[], nowMs: number): void {
    const replaceable = this.#leastBusy().filter(({ labelledMs }) => nowMs - labelledMs >= KEEP_MS)
    for (const newcomer of newcomers) {
      if (this.#holders.size < this.#limits().max) {
        this.#give(newcomer, nowMs)
        continue
      }
      const holder = replaceable[0]
      if (holder === undefined || newcomer.busyness <= NEWCOMER_FACTOR * holder.busyness) return
      if (!this.#mayHave(newcomer)) continue
      replaceable.shift()
      this.#take(holder)
      this.#give(newcomer, nowMs)
    }
  }

  #leastBusy(): TenantAccount[] {
    return [...this.#holders].sort((a, b) => a.busyness - b.busyness)
  }

  #mayHave({ name, labelled }: TenantAccount): boolean {
    if (name === OTHER_TENANTS) return false
    return labelled !== undefined || this.#everCount < this.#limits().maxEver
  }

  #give(account: TenantAccount, nowMs: number): void {
    if (!this.#mayHave(account)) return
    if (account.labelled === undefined) this.#everCount += 1
    account.showAlone(nowMs)
    this.#holders.add(account)
  }

  #take(account: TenantAccount): void {
    account.showWithOthers()
    this.#holders.delete(account)
    this.#former = [...this.#former, account]
  }
}

/** Finds the busiest of many without sorting them all. */
class Busiest {
  readonly #count: number
  readonly #found: TenantAccount[] = []

  constructor(count: number) {
    this.#count = count
  }

  /** The busiest first. */
  get found(): readonly TenantAccount[] {
    return this.#found
  }

  offer(account: TenantAccount): void {
    const last = this.#found.at(-1)
    const isFull = this.#found.length >= this.#count
    if (isFull && (last === undefined || account.busyness <= last.busyness)) return
    this.#found.splice(this.#rankOf(account), 0, account)
    if (isFull) this.#found.pop()
  }

  /** How many are busier, by halves. */
  #rankOf({ busyness }: TenantAccount): number {
    let low = 0
    let high = this.#found.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#found[middle]?.busyness ?? 0) >= busyness) low = middle + 1
      else high = middle
    }
    return low
  }
}
