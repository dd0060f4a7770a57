import t from 'tap'
import { homeKey, WaitQueue } from '../../src/pool/wait-queue.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeServer } from '../support/fake-server.ts'
import { Guest, linkOf } from './pool-fixture.ts'

const UTC = linkOf('acme', { timezone: 'UTC' })
const LIMA = linkOf('acme', { timezone: 'America/Lima' })

function inTransactionMode(): Guest {
  return new Guest(linkOf('acme'))
}

function inSessionMode(link = UTC): Guest {
  return new Guest(link, 0, 'session')
}

function queueOf(...guests: readonly Guest[]): WaitQueue {
  const queue = new WaitQueue(new FakeClock(), () => {})
  for (const guest of guests) queue.add(guest)
  return queue
}

t.test('sessions are alike by their link, transactions always', async (t) => {
  t.equal(homeKey(inTransactionMode()), homeKey(new Guest(UTC)))
  t.equal(homeKey(inSessionMode()), homeKey(inSessionMode()))
  t.not(homeKey(inSessionMode()), homeKey(inSessionMode(LIMA)))
  t.not(homeKey(inSessionMode()), homeKey(inTransactionMode()))
})

t.test('tells who came first of those for whom nothing is under way', async (t) => {
  const [first, second, other, last] = [
    inSessionMode(),
    inSessionMode(),
    inTransactionMode(),
    inSessionMode(LIMA),
  ]
  const queue = queueOf(first, second, other, last)
  const [utc, lima, any] = [homeKey(first), homeKey(last), homeKey(other)]
  const rows: readonly [readonly [string, number][], Guest | undefined][] = [
    [[], first],
    [[[utc, 1]], second],
    [[[utc, 2]], other],
    [[[utc, 5]], other],
    [[[any, 1]], first],
    [
      [
        [utc, 2],
        [any, 1],
      ],
      last,
    ],
    [
      [
        [utc, 2],
        [any, 1],
        [lima, 1],
      ],
      undefined,
    ],
  ]
  for (const [underWay, expected] of rows) {
    const connecting = underWay.flatMap(([key, count]) => Array(count).fill({ key }))
    t.equal(queue.firstUnserved(connecting), expected)
  }
  t.equal(queueOf().firstUnserved([]), undefined)
})

t.test('gives a connection to the first that it can serve, and leaves that in line', async (t) => {
  const [first, second, third] = [inTransactionMode(), inSessionMode(), inSessionMode()]
  const queue = queueOf(first, second, third)
  const shared = new FakeServer().connection()
  const home = new FakeServer().connection({ home: UTC })
  const stranger = new FakeServer().connection({ home: LIMA })
  const forFirst = [{ key: homeKey(first) }]
  t.equal(queue.nextFor(shared, []), first)
  t.equal(queue.nextFor(home, forFirst), second, 'one is under way for the first')
  t.equal(queue.nextFor(home, []), undefined, 'the first is not passed over')
  t.equal(queue.nextFor(stranger, forFirst), undefined)
  t.equal(queue.first, first)
  t.equal(queue.count, 3)
})

t.test('takes those of one home, in order, and no others', async (t) => {
  const [first, other, second, third] = [
    inSessionMode(),
    inTransactionMode(),
    inSessionMode(LIMA),
    inSessionMode(),
  ]
  const queue = queueOf(first, other, second, third)
  t.strictSame(queue.takeOf(homeKey(first)), [first, third])
  t.strictSame(queue.takeOf(homeKey(first)), [])
  t.strictSame(queue.takeAll(), [other, second])
  t.equal(queue.count, 0)
})
