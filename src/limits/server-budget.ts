/** One pool as its budget sees it. */
export interface BudgetMember {
  /**
   * Arrival number of the waiter for whom the pool would open its next connection; `undefined`
   * while it would open none, even if there were a place.
   */
  nextArrival(): number | undefined
  /** Since when its longest idle connection has been idle; `undefined`: there is none. */
  idleSinceMs(): number | undefined
  /** Closes its longest idle connection. */
  evict(): void
  /** Opens connections for those who wait, each with a place of its own. */
  grow(): void
}

/** The right to hold one server connection. */
export interface BudgetPlace {
  /**
   * Its connection ends. The place is free when the returned function is called: once the server
   * has let go of the connection. `undefined`: nobody asks when.
   */
  leave(): (() => void) | undefined
}

/** What a pool has of its budget. */
export interface BudgetShare {
  /**
   * A place for a connection to be opened for a waiter. `undefined`: there is none, or it is not
   * its turn; `grow` is called when it may be.
   */
  take(arrival: number): BudgetPlace | undefined
  /**
   * Whether a connection that came back has to be closed, for its place is another's.
   *
   * @param arrival - Of the pool's own waiter who would get it; `undefined`: nobody would.
   */
  mustYield(arrival: number | undefined): boolean
}

const NO_PLACE: BudgetPlace = { leave: () => undefined }

/** The share of a pool without a budget. */
export const NO_BUDGET: BudgetShare = { take: () => NO_PLACE, mustYield: () => false }

interface Share extends BudgetShare {
  readonly member: BudgetMember
  places: number
}

/**
 * Places for the server connections of all pools that lead to one server. Who finds none free
 * stands in line: the connection that has been idle the longest in any of the pools is closed for
 * it, and the waiter who came first over all of them gets the next place.
 */
export class ServerBudget {
  #max: number
  #used = 0
  #denied = 0
  /** Places of connections that are closed, and that the server has not let go of yet. */
  #leaving = 0
  /** Shares with a place: those where an idle connection can be. */
  readonly #holders = new Set<Share>()
  /** Shares that asked in vain, and the arrival that they asked for. */
  readonly #line = new Map<Share, number>()
  #isServing = false

  /** @param max - Most places, from 1. */
  constructor(max: number) {
    this.#max = max
  }

  get max(): number {
    return this.#max
  }

  /** Places that are taken; more than `max` for a while after that was lowered. */
  get used(): number {
    return this.#used
  }

  /** How often a pool asked in vain, since the budget exists. */
  get denied(): number {
    return this.#denied
  }

  /** With fewer places, idle connections close now and others as they come back. */
  setMax(max: number): void {
    this.#max = max
    while (this.#used - this.#leaving > max) if (!this.#evictOne()) break
    this.#serve()
  }

  /** Lets a pool take part. */
  join(member: BudgetMember): BudgetShare {
    const share: Share = {
      member,
      places: 0,
      take: (arrival) => this.#take(share, arrival),
      mustYield: (arrival = Number.POSITIVE_INFINITY) =>
        this.#used - this.#leaving > this.#max || this.#isShortBefore(arrival),
    }
    return share
  }

  #take(share: Share, arrival: number): BudgetPlace | undefined {
    if (this.#used < this.#max && !this.#isBehind(arrival)) return this.#give(share)
    this.#denied += 1
    this.#line.set(share, arrival)
    this.#serve()
    return undefined
  }

  #give(share: Share): BudgetPlace {
    this.#used += 1
    share.places += 1
    this.#holders.add(share)
    let state: 'held' | 'leaving' | 'free' = 'held'
    const free = () => {
      if (state !== 'leaving') return
      state = 'free'
      this.#free(share)
    }
    return {
      leave: () => {
        if (state === 'held') {
          state = 'leaving'
          this.#leaving += 1
        }
        return free
      },
    }
  }

  #free(share: Share): void {
    this.#used -= 1
    this.#leaving -= 1
    share.places -= 1
    if (share.places === 0) this.#holders.delete(share)
    // Its pool may have been full, and so not in line.
    const own = share.member.nextArrival()
    if (own !== undefined) this.#line.set(share, own)
    this.#serve()
  }

  /** Lets those in line take what is free, the earliest first, and makes room for the others. */
  #serve(): void {
    this.#giveOut()
    while (this.#isShortBefore(Number.POSITIVE_INFINITY)) if (!this.#evictOne()) break
  }

  #giveOut(): void {
    // A place that comes free meanwhile is seen by the loop that runs.
    if (this.#isServing) return
    this.#isServing = true
    try {
      while (this.#used < this.#max) {
        const first = this.#first()
        if (first === undefined) return
        this.#line.delete(first.share)
        first.share.member.grow()
      }
    } finally {
      this.#isServing = false
    }
  }

  /** Whether somebody in line came before. */
  #isBehind(arrival: number): boolean {
    const first = this.#first()
    return first !== undefined && first.arrival < arrival
  }

  /** Who is next. Shares that want nothing any more drop out. */
  #first(): { readonly share: Share; readonly arrival: number } | undefined {
    let found: { readonly share: Share; readonly arrival: number } | undefined
    for (const [share, asked] of this.#line) {
      // A share moves on in time only: what it wants now is no earlier than what it asked for.
      if (found !== undefined && asked > found.arrival) continue
      const arrival = this.#arrivalNow(share)
      if (arrival === undefined) continue
      if (found === undefined || arrival < found.arrival) found = { share, arrival }
    }
    return found
  }

  /** Whether more shares that came before `arrival` are in line than places are about to be free. */
  #isShortBefore(arrival: number): boolean {
    let left = Math.max(0, this.#max - this.#used + this.#leaving)
    for (const [share, asked] of this.#line) {
      if (asked >= arrival) continue
      const now = this.#arrivalNow(share)
      if (now === undefined || now >= arrival) continue
      if (left === 0) return true
      left -= 1
    }
    return false
  }

  #arrivalNow(share: Share): number | undefined {
    const arrival = share.member.nextArrival()
    if (arrival === undefined) this.#line.delete(share)
    else this.#line.set(share, arrival)
    return arrival
  }

  #evictOne(): boolean {
    let found: Share | undefined
    let longestMs = Number.POSITIVE_INFINITY
    for (const share of this.#holders) {
      const sinceMs = share.member.idleSinceMs()
      if (sinceMs === undefined || sinceMs >= longestMs) continue
      found = share
      longestMs = sinceMs
    }
    found?.member.evict()
    return found !== undefined
  }
}
