import t from 'tap'
import { Parting } from '../../src/session/follow/parting.ts'
import { SessionSuspendedError } from '../../src/session/session-errors.ts'
import { FakeClock } from '../support/fake-clock.ts'

const ERROR = new SessionSuspendedError()

t.test('the grace', async (t) => {
  const clock = new FakeClock()
  const parting = new Parting(ERROR, 'revoked')
  let over = 0
  parting.begin(100, clock, () => (over += 1))
  clock.advance(99)
  t.strictSame([parting.isOverdue, over], [false, 0])
  clock.advance(1)
  t.strictSame([parting.isOverdue, over], [true, 1])
})

t.test('no grace', async (t) => {
  const clock = new FakeClock()
  const parting = new Parting(ERROR, 'moved')
  let over = 0
  parting.begin(0, clock, () => (over += 1))
  t.strictSame([parting.isOverdue, over, clock.pending], [true, 1, 0])
})

t.test('taken back', async (t) => {
  const clock = new FakeClock()
  const parting = new Parting(ERROR, 'revoked')
  parting.begin(100, clock, () => t.fail('nobody has to go'))
  parting.withdraw()
  clock.advance(1_000)
  t.equal(parting.isOverdue, false)
})

for (const [kind, isOverdue, isKeeping, ends] of [
  ['revoked', false, false, true],
  ['revoked', true, true, true],
  ['moved', false, true, false],
  ['moved', false, false, false],
  ['moved', true, false, false],
  ['moved', true, true, true],
] as const) {
  t.test(
    `${kind}, ${isOverdue ? 'late' : 'in time'}, ${isKeeping ? 'kept' : 'free'}`,
    async (t) => {
      const parting = new Parting(ERROR, kind)
      parting.begin(isOverdue ? 0 : 1, new FakeClock(), () => {})
      t.equal(parting.endsBetweenTransactions(isKeeping), ends)
    },
  )
}
