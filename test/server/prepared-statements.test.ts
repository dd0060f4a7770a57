import t from 'tap'
import { PreparedStatements, type Statement } from '../../src/server/prepared-statements.ts'

const [A, B, C] = ['a', 'b', 'c'].map((serverName) => ({
  serverName,
  tail: Buffer.alloc(0),
  mayEndTransaction: false,
})) as [Statement, Statement, Statement]

t.test('the least recently used goes first', async (t) => {
  const held = new PreparedStatements(2)
  t.equal(held.add(A), undefined)
  t.equal(held.add(B), undefined)
  t.equal(held.use(A), true)
  t.equal(held.add(C), B)
  t.equal(held.use(B), false)
  t.equal(held.count, 2)
})

t.test('what was taken back is held again', async (t) => {
  const held = new PreparedStatements(1)
  held.add(A)
  t.equal(held.add(B), A)
  held.begin(B, 0).undo()
  held.restore(A)
  t.equal(held.use(A), true)
  t.equal(held.count, 1)
})

t.test('holds one at least, and forgets all', async (t) => {
  const held = new PreparedStatements(0)
  t.equal(held.add(A), undefined)
  t.equal(held.add(B), A)
  held.clear()
  t.equal(held.count, 0)
  t.equal(held.use(B), false)
})
