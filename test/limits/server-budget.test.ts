import t from 'tap'
import {
  type BudgetMember,
  type BudgetPlace,
  type BudgetShare,
  NO_BUDGET,
  ServerBudget,
} from '../../src/limits/server-budget.ts'

/** A pool that keeps what it gets until it is told otherwise. */
class Member implements BudgetMember {
  readonly waiting: number[] = []
  /** Since when, and the place that is held. */
  readonly idle: { readonly sinceMs: number; readonly place: BudgetPlace }[] = []
  readonly places: BudgetPlace[] = []
  /** What ends the connections that were closed. */
  readonly leaving: (() => void)[] = []
  /** It may not open connections now, as after a failure. */
  isResting = false
  readonly #share: BudgetShare

  constructor(budget: ServerBudget) {
    this.#share = budget.join(this)
  }

  /** Somebody comes; the numbers count over all members. */
  ask(...arrivals: readonly number[]): void {
    for (const arrival of arrivals) {
      this.waiting.push(arrival)
      this.grow()
    }
  }

  /** Lays its oldest place by, or gives it up where it must. Returns which. */
  rest(sinceMs: number): 'kept' | 'yielded' {
    const place = this.places.shift()
    if (place === undefined) throw new Error('it has none')
    if (this.mustYield(undefined)) {
      this.#end(place)
      return 'yielded'
    }
    this.idle.push({ sinceMs, place })
    return 'kept'
  }

  mustYield(arrival: number | undefined): boolean {
    return this.#share.mustYield(arrival)
  }

  close(): void {
    const place = this.places.shift()
    if (place !== undefined) this.#end(place)
  }

  /** The server lets go of all that was closed. */
  gone(): void {
    for (const free of this.leaving.splice(0)) free()
  }

  nextArrival(): number | undefined {
    return this.isResting ? undefined : this.waiting[0]
  }

  idleSinceMs(): number | undefined {
    return this.idle[0]?.sinceMs
  }

  evict(): void {
    const oldest = this.idle.shift()
    if (oldest !== undefined) this.#end(oldest.place)
  }

  grow(): void {
    for (let next = this.nextArrival(); next !== undefined; next = this.nextArrival()) {
      const place = this.#share.take(next)
      if (place === undefined) return
      this.places.push(place)
      this.waiting.shift()
    }
  }

  #end(place: BudgetPlace): void {
    const free = place.leave()
    if (free !== undefined) this.leaving.push(free)
  }
}

function street(max: number, count: number): { budget: ServerBudget; members: Member[] } {
  const budget = new ServerBudget(max)
  return { budget, members: Array.from({ length: count }, () => new Member(budget)) }
}

t.test('places are given until there are none', async (t) => {
  const { budget, members } = street(3, 2)
  const [one, other] = members as [Member, Member]
  one.ask(1, 2)
  other.ask(3, 4)
  t.equal(one.places.length, 2)
  t.equal(other.places.length, 1)
  t.strictSame(other.waiting, [4])
  t.equal(budget.used, 3)
})

t.test('the connection that was idle the longest in any pool makes room', async (t) => {
  const { budget, members } = street(3, 4)
  const [one, two, three, four] = members as [Member, Member, Member, Member]
  one.ask(1)
  two.ask(2)
  three.ask(3)
  t.equal(one.rest(30), 'kept')
  t.equal(two.rest(10), 'kept')
  t.equal(three.rest(20), 'kept')
  four.ask(4)
  t.strictSame(
    [one, two, three].map(({ idle }) => idle.length),
    [1, 0, 1],
  )
  t.equal(four.places.length, 0, 'the server has not let go of it')
  t.equal(budget.used, 3)
  two.gone()
  t.equal(four.places.length, 1)
  t.equal(budget.used, 3)
})

t.test('no more is closed than somebody waits for', async (t) => {
  const { members } = street(2, 3)
  const [one, two, three] = members as [Member, Member, Member]
  one.ask(1, 2)
  one.rest(10)
  one.rest(20)
  two.ask(3)
  two.ask(4)
  t.equal(one.idle.length, 1, 'one pool, one connection at a time')
  three.ask(5)
  t.equal(one.idle.length, 0)
  one.gone()
  t.strictSame(
    [two, three].map(({ places }) => places.length),
    [2, 0],
    'who came first is served',
  )
})

t.test('who came first over all pools is next', async (t) => {
  const { members } = street(1, 4)
  const [holder, one, two, three] = members as [Member, Member, Member, Member]
  holder.ask(1)
  two.ask(2)
  one.ask(3)
  three.ask(4)
  two.ask(5)
  const order: string[] = []
  const names = new Map([
    [one, 'one'],
    [two, 'two'],
    [three, 'three'],
  ])
  for (let next: Member | undefined = holder; next !== undefined; ) {
    next.close()
    next.gone()
    next = [one, two, three].find(({ places }) => places.length > 0)
    if (next !== undefined) order.push(names.get(next) ?? '')
  }
  t.strictSame(order, ['two', 'one', 'three', 'two'])
})

t.test('a pool keeps what came back only for a waiter who came before the others', async (t) => {
  const { members } = street(1, 2)
  const [busy, other] = members as [Member, Member]
  busy.ask(1)
  other.ask(3)
  t.equal(busy.mustYield(2), false)
  t.equal(busy.mustYield(4), true)
  t.equal(busy.mustYield(undefined), true)
  t.equal(busy.rest(10), 'yielded')
  t.equal(other.mustYield(4), false, 'what is about to be free is enough')
  busy.gone()
  t.equal(other.places.length, 1)
})

t.test('a pool that can open none for now is passed over, and not forgotten', async (t) => {
  const { members } = street(1, 3)
  const [holder, one, two] = members as [Member, Member, Member]
  holder.ask(1)
  one.ask(2)
  two.ask(3)
  one.isResting = true
  holder.close()
  holder.gone()
  t.equal(two.places.length, 1)
  one.isResting = false
  one.grow()
  t.equal(two.mustYield(undefined), true)
  two.close()
  two.gone()
  t.equal(one.places.length, 1)
})

t.test('whose waiters are gone is not waited for', async (t) => {
  const { members } = street(1, 2)
  const [holder, one] = members as [Member, Member]
  holder.ask(1)
  one.ask(2)
  one.waiting.length = 0
  t.equal(holder.rest(10), 'kept')
})

t.test('a pool that gives a place back stands in line for it', async (t) => {
  const { members } = street(1, 2)
  const [full, other] = members as [Member, Member]
  full.ask(1)
  full.isResting = true
  full.waiting.push(2)
  other.ask(3)
  full.isResting = false
  full.close()
  full.gone()
  t.strictSame(
    [full, other].map(({ places }) => places.length),
    [1, 0],
  )
})

t.test('a place is given back once', async (t) => {
  const { budget, members } = street(2, 1)
  const [member] = members as [Member]
  member.ask(1, 2)
  const free = member.places[0]?.leave()
  member.places[0]?.leave()
  free?.()
  free?.()
  t.equal(budget.used, 1)
})

t.test('a raised budget serves at once', async (t) => {
  const { budget, members } = street(1, 2)
  const [one, two] = members as [Member, Member]
  one.ask(1, 2)
  two.ask(3)
  budget.setMax(3)
  t.strictSame(
    [one, two].map(({ places }) => places.length),
    [2, 1],
  )
})

t.test('a lowered one closes what is idle, and the rest as it comes back', async (t) => {
  const { budget, members } = street(4, 2)
  const [one, two] = members as [Member, Member]
  one.ask(1, 2, 3)
  two.ask(4)
  one.rest(10)
  budget.setMax(2)
  t.equal(one.idle.length, 0)
  t.equal(budget.used, 4)
  one.gone()
  t.equal(two.rest(20), 'yielded')
  two.gone()
  t.equal(budget.used, 2)
  t.equal(one.rest(30), 'kept')
})

t.test('without a budget nothing is counted', async (t) => {
  t.equal(NO_BUDGET.take(1)?.leave(), undefined)
  t.equal(NO_BUDGET.mustYield(undefined), false)
})
