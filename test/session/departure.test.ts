import t from 'tap'
import { Departure } from '../../src/session/follow/departure.ts'
import type { Parting } from '../../src/session/follow/parting.ts'
import { SessionMovedError } from '../../src/session/session-errors.ts'
import { FakeClock } from '../support/fake-clock.ts'

const ERROR = new SessionMovedError('elsewhere')
const GRACE_MS = 100

function begin(changeGraceMs = GRACE_MS) {
  const clock = new FakeClock()
  const over: Parting[] = []
  const options = () => ({ changeGraceMs })
  const departure = new Departure({ clock, options }, (parting) => over.push(parting))
  return { departure, clock, over }
}

t.test('nothing makes it go', async (t) => {
  const { departure } = begin()
  t.equal(departure.kind, undefined)
  t.equal(departure.isNext(false), false)
  t.equal(departure.betweenTransactions(true), undefined)
})

t.test('the proxy shuts down: whatever else was meant', async (t) => {
  const { departure } = begin()
  departure.drain()
  departure.begin(ERROR, 'revoked')
  departure.withdraw()
  t.match(departure.betweenTransactions(false), { reason: 'drain', error: { code: 'SHUTDOWN' } })
})

t.test('revoked: at the end of its transaction, and when the grace is over', async (t) => {
  const { departure, clock, over } = begin()
  departure.begin(ERROR, 'revoked')
  t.equal(departure.kind, 'revoked')
  t.equal(departure.isNext(true), true)
  t.strictSame(departure.betweenTransactions(false), { error: ERROR, reason: 'changed' })
  clock.advance(GRACE_MS)
  t.strictSame(
    over.map(({ error }) => error),
    [ERROR],
  )
})

t.test('moved: it may keep its server connection until the grace is over', async (t) => {
  const { departure, clock, over } = begin()
  departure.begin(ERROR, 'moved')
  t.equal(departure.isNext(false), true, 'it goes elsewhere')
  t.equal(departure.isNext(true), false)
  t.equal(departure.betweenTransactions(true), undefined)
  clock.advance(GRACE_MS)
  t.equal(over.length, 1)
  t.equal(departure.betweenTransactions(false), undefined)
  t.strictSame(departure.betweenTransactions(true), { error: ERROR, reason: 'changed' })
})

t.test('withdrawn, or begun anew: the first grace is nothing to it', async (t) => {
  const { departure, clock, over } = begin()
  departure.begin(ERROR, 'moved')
  departure.withdraw()
  departure.begin(ERROR, 'revoked')
  departure.begin(ERROR, 'moved')
  t.equal(departure.kind, 'moved')
  clock.advance(GRACE_MS)
  t.equal(over.length, 1)
})

t.test('no grace at all', async (t) => {
  const { departure, over } = begin(0)
  departure.begin(ERROR, 'revoked')
  t.equal(over.length, 1)
})
