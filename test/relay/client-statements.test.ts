import fc from 'fast-check'
import t from 'tap'
import { ClientStatements } from '../../src/relay/client-statements.ts'
import type { Statement } from '../../src/server/prepared-statements.ts'

const FAMILY = { tenantKey: 'acme@1', epoch: 0 }
const LIMITS = { maxStatementBytes: 100, maxPreparedPerClient: 3, maxPreparedBytesPerClient: 100 }

function statement(bytes: number): Statement {
  const tail = Buffer.alloc(bytes)
  return { family: FAMILY, serverName: 's', tail, mayEndTransaction: false, effects: undefined }
}

t.test('number and bytes are bounded', async (t) => {
  const held = new ClientStatements(LIMITS)
  for (const name of ['a', 'b', 'c']) held.give(name, statement(10), 0)
  t.throws(() => held.give('d', statement(1), 0), { code: 'TOO_MANY_STATEMENTS' })
  t.equal(held.remove('a'), true)
  t.throws(() => held.give('d', statement(81), 0), { code: 'TOO_MANY_STATEMENTS' })
  held.give('d', statement(80), 0)
  t.equal(held.remove('nobody'), false)
  held.remove('d')
  held.give('e', statement(80), 0)
})

t.test('a name is unsure until its Parse is answered, but not in its own batch', async (t) => {
  const held = new ClientStatements(LIMITS)
  const change = held.give('a', statement(1), 1)
  t.equal(held.isAnyUnderWay, true)
  t.equal(held.isUnsure('a', 1), false)
  t.equal(held.isUnsure('a', 2), true)
  change.done?.()
  t.equal(held.isUnsure('a', 2), false)
  t.equal(held.isAnyUnderWay, false)
  change.undo()
  t.not(held.get('a'), undefined, 'it was done')
})

t.test('an earlier Parse that failed does not take a later one away', async (t) => {
  const held = new ClientStatements(LIMITS)
  const [one, other] = [statement(1), statement(2)]
  const first = held.give('a', one, 0)
  const second = held.give('a', other, 1)
  first.undo()
  t.equal(held.get('a'), other)
  second.undo()
  t.equal(held.get('a'), undefined)
})

t.test('what was removed can be taken back, but not over another', async (t) => {
  const held = new ClientStatements(LIMITS)
  const [one, other] = [statement(1), statement(2)]
  held.give('a', one, 0)
  held.remove('a')
  held.takeBack('a', one)
  t.equal(held.get('a'), one)
  held.give('a', other, 0)
  held.takeBack('a', one)
  t.equal(held.get('a'), other)
})

t.test('DEALLOCATE ALL takes what was named before it', async (t) => {
  const held = new ClientStatements(LIMITS)
  held.give('a', statement(1), 0)
  held.give('b', statement(1), 0)
  held.doom()
  held.give('b', statement(2), 1)
  held.give('c', statement(1), 1)
  t.strictSame([held.isDoomed('a'), held.isDoomed('b'), held.isDoomed('c')], [true, false, false])
  held.deallocated()
  t.strictSame(
    [...held.all()].map(([name]) => name),
    ['b', 'c'],
  )
  t.equal(held.isDoomed('a'), false)
  held.deallocated()
  t.equal([...held.all()].length, 0, 'one that nobody saw coming')
})

/** What a client may hold, by the book: a plain map. */
class Model {
  readonly held = new ClientStatements(LIMITS)
  readonly #bytes = new Map<string, number>()
  readonly #changes = new Map<string, { undo(): void }>()
  readonly #doomed = new Set<string>()
  #dooms = 0

  give(name: string, bytes: number): void {
    const isOver = !this.#bytes.has(name) && !this.#hasRoom(bytes)
    try {
      this.#changes.set(name, this.held.give(name, statement(bytes), 0))
    } catch (error) {
      if (!isOver) throw error
      return
    }
    if (isOver) throw new Error('one too many')
    this.#bytes.set(name, bytes)
    this.#doomed.delete(name)
  }

  undo(name: string): void {
    const change = this.#changes.get(name)
    if (change === undefined) return
    this.#changes.delete(name)
    change.undo()
    this.#bytes.delete(name)
  }

  remove(name: string): void {
    const isThere = this.#bytes.delete(name)
    if (this.held.remove(name) !== isThere) throw new Error('removed something else')
    this.#changes.delete(name)
  }

  doom(): void {
    this.held.doom()
    this.#dooms += 1
    for (const name of this.#bytes.keys()) this.#doomed.add(name)
  }

  deallocated(): void {
    this.held.deallocated()
    for (const name of this.#dooms === 0 ? [...this.#bytes.keys()] : this.#doomed) {
      this.#bytes.delete(name)
      this.#changes.delete(name)
    }
    this.#dooms = Math.max(0, this.#dooms - 1)
    this.#doomed.clear()
  }

  get isTrue(): boolean {
    const all = [...this.held.all()].map(([name, { tail }]) => `${name} ${tail.length}`)
    const expected = [...this.#bytes].map(([name, bytes]) => `${name} ${bytes}`)
    return all.sort().join() === expected.sort().join()
  }

  #hasRoom(bytes: number): boolean {
    const total = [...this.#bytes.values()].reduce((sum, each) => sum + each, bytes)
    return (
      this.#bytes.size < LIMITS.maxPreparedPerClient && total <= LIMITS.maxPreparedBytesPerClient
    )
  }
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const step = fc.oneof(
  fc.tuple(name, fc.nat(60)).map(
    ([at, bytes]) =>
      (model: Model) =>
        model.give(at, bytes),
  ),
  name.map((at) => (model: Model) => model.undo(at)),
  name.map((at) => (model: Model) => model.remove(at)),
  fc.constant((model: Model) => model.doom()),
  fc.constant((model: Model) => model.deallocated()),
)

t.test('holds what a plain map would, and never more than it may', async () => {
  const check = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const model = new Model()
    return steps.every((apply) => {
      apply(model)
      return model.isTrue
    })
  })
  fc.assert(check, { numRuns: 500 })
})
