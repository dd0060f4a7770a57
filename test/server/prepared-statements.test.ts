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
