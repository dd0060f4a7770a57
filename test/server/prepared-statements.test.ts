import fc from 'fast-check'
import t from 'tap'
import { PreparedStatements, type Statement } from '../../src/server/prepared-statements.ts'

const FAMILY = { tenantKey: 'acme@1', epoch: 0 }
const MANY_BYTES = 1_000_000

function statement(serverName: string, bytes = 0, family = FAMILY): Statement {
  const tail = Buffer.alloc(bytes)
  return { family, serverName, tail, mayEndTransaction: false, effects: undefined }
}

const A = statement('a')
const B = statement('b')
const C = statement('c')

t.test('the least recently used goes first', async (t) => {
  const held = new PreparedStatements(2, MANY_BYTES)
  t.strictSame(held.add(A), [])
  t.strictSame(held.add(B), [])
  t.equal(held.use(A), true)
  t.strictSame(held.add(C), [B])
  t.equal(held.use(B), false)
  t.equal(held.count, 2)
})

t.test('what was taken back is held again', async (t) => {
  const held = new PreparedStatements(1, MANY_BYTES)
  held.add(A)
  t.strictSame(held.add(B), [A])
  held.begin(B, 0).undo()
  held.restore(A)
  t.equal(held.use(A), true)
  t.equal(held.count, 1)
})

t.test('holds one at least, and forgets all', async (t) => {
  const held = new PreparedStatements(0, MANY_BYTES)
  t.strictSame(held.add(A), [])
  t.strictSame(held.add(B), [A])
  held.clear()
  t.equal(held.count, 0)
  t.equal(held.use(B), false)
})

t.test('bytes are bounded too, and several may have to go for one', async (t) => {
  const [small, medium, large, huge] = [10, 20, 35, 500].map((bytes) =>
    statement(`s${bytes}`, bytes),
  ) as [Statement, Statement, Statement, Statement]
  const held = new PreparedStatements(100, 40)
  t.strictSame(held.add(small), [])
  t.strictSame(held.add(medium), [])
  t.strictSame(held.add(large), [small, medium])
  t.strictSame(held.add(huge), [large])
  t.equal(held.use(huge), true)
  t.strictSame(held.add(small), [huge])
  t.strictSame(held.add(medium), [])
})

t.test('a statement of before its tables changed is not to be relied on', async (t) => {
  const family = { tenantKey: 'acme@1', epoch: 0 }
  const [one, other] = [statement('one', 1, family), statement('other', 1, family)]
  const held = new PreparedStatements(10, MANY_BYTES)
  held.add(one)
  held.add(other)
  t.equal(held.isUnsure(one, 0), false)
  family.epoch += 1
  t.equal(held.isUnsure(one, 0), true)
  held.begin(one, 0).done?.()
  t.equal(held.isUnsure(one, 0), false)
  t.equal(held.isUnsure(other, 0), true)
})

t.test('names that may be free on the server are not to be relied on', async (t) => {
  const held = new PreparedStatements(10, MANY_BYTES)
  held.add(A)
  held.distrust()
  t.equal(held.use(A), true)
  t.equal(held.isUnsure(A, 0), true)
})

t.test('DEALLOCATE ALL takes what was prepared before it', async (t) => {
  const held = new PreparedStatements(10, MANY_BYTES)
  held.add(A)
  held.add(B)
  held.distrust()
  held.begin(B, 1)
  held.add(C)
  held.deallocated()
  t.strictSame([held.use(A), held.use(B), held.use(C)], [false, true, true])
  t.equal(held.isUnsure(C, 1), false)
  held.deallocated()
  t.equal(held.count, 0, 'one that nobody saw coming')
})

t.test('a Parse that is not answered is sure in its own batch alone', async (t) => {
  const held = new PreparedStatements(10, MANY_BYTES)
  held.add(A)
  const change = held.begin(A, 3)
  t.equal(held.isUnsure(A, 3), false)
  t.equal(held.isUnsure(A, 4), true)
  change.done?.()
  t.equal(held.isUnsure(A, 4), false)
  const [first, second] = [held.begin(A, 5), held.begin(A, 6)]
  first.undo()
  t.equal(held.use(A), true, 'the later one counts')
  second.undo()
  t.equal(held.use(A), false)
})

const SIZES = [0, 10, 25, 40, 70]
const POOL = SIZES.map((bytes) => statement(`p${bytes}`, bytes))
const MAX = 3
const MAX_BYTES = 80
const pick = fc.nat(POOL.length - 1)
const step = fc.tuple(fc.constantFrom('add', 'use', 'fail', 'clear'), pick)

/** The least recently used first, by the book. */
class Model {
  readonly held = new PreparedStatements(MAX, MAX_BYTES)
  #names: Statement[] = []

  apply([act, index]: readonly [string, number]): boolean {
    const one = POOL[index] ?? A
    const isHeld = this.#names.includes(one)
    if (act === 'clear') {
      this.held.clear()
      this.#names = []
    } else if (act === 'use') {
      if (this.held.use(one) !== isHeld) return false
      if (isHeld) this.#touch(one)
    } else if (act === 'fail' && isHeld) {
      this.held.begin(one, 0).undo()
      this.#names = this.#names.filter((other) => other !== one)
    } else if (act === 'add' && !isHeld && !this.#add(one)) return false
    return this.held.count === this.#names.length
  }

  #touch(one: Statement): void {
    this.#names = [...this.#names.filter((other) => other !== one), one]
  }

  #add(one: Statement): boolean {
    this.#touch(one)
    const gone: Statement[] = []
    while (this.#names.length > 1 && this.#isOver) gone.push(this.#names.shift() ?? A)
    const namesOf = (all: readonly Statement[]) => all.map(({ serverName }) => serverName).join()
    return namesOf(this.held.add(one)) === namesOf(gone)
  }

  get #isOver(): boolean {
    const bytes = this.#names.reduce((sum, { tail }) => sum + tail.length, 0)
    return this.#names.length > MAX || bytes > MAX_BYTES
  }
}

t.test('holds the most recently used that fit', async () => {
  const check = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const model = new Model()
    return steps.every((each) => model.apply(each))
  })
  fc.assert(check, { numRuns: 500 })
})
