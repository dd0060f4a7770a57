import t from 'tap'
import { ConnectionGate } from '../../src/limits/connection-gate.ts'

t.test('lets in as many as it may', async (t) => {
  const gate = new ConnectionGate(2)
  t.strictSame([gate.tryEnter(), gate.tryEnter(), gate.tryEnter()], [true, true, false])
  t.equal(gate.count, 2, 'who was refused is not counted')
  gate.leave()
  t.equal(gate.tryEnter(), true)
})

t.test('zero means no limit', async (t) => {
  const gate = new ConnectionGate(0)
  for (let count = 0; count < 1000; count++) t.equal(gate.tryEnter(), true)
  t.equal(gate.count, 1000)
})

t.test('a lowered limit puts nobody out, and holds until enough have left', async (t) => {
  const gate = new ConnectionGate(3)
  for (let count = 0; count < 3; count++) gate.tryEnter()
  gate.setMax(1)
  t.equal(gate.count, 3)
  gate.leave()
  gate.leave()
  t.equal(gate.tryEnter(), false)
  gate.leave()
  t.equal(gate.tryEnter(), true)
})

t.test('leaving an empty gate is a bug', async (t) => {
  const gate = new ConnectionGate(1)
  t.throws(() => gate.leave())
  t.equal(gate.count, 0)
})
