import t from 'tap'
import { Deadline } from '../../src/session/deadline.ts'
import { FakeClock } from '../support/fake-clock.ts'

function rig() {
  const clock = new FakeClock()
  const fired: number[] = []
  return { clock, fired, deadline: new Deadline(clock, () => fired.push(clock.nowMs())) }
}

t.test('runs out once, at its time', async (t) => {
  const { clock, fired, deadline } = rig()
  deadline.set(100)
  clock.advance(99)
  t.strictSame(fired, [])
  clock.advance(1_000)
  t.strictSame(fired, [100])
  t.equal(clock.pending, 0)
})

t.test('moves later without a new timer', async (t) => {
  const { clock, fired, deadline } = rig()
  for (let step = 0; step < 50; step += 1) {
    deadline.set(100)
    t.equal(clock.pending, 1)
    clock.advance(30)
  }
  t.strictSame(fired, [])
  clock.advance(1_000)
  t.strictSame(fired, [49 * 30 + 100])
})

t.test('says how long ago it was set', async (t) => {
  const { clock, deadline } = rig()
  clock.advance(30)
  t.equal(deadline.ageMs, 30, 'or made')
  for (const limitMs of [0, 100]) {
    deadline.set(limitMs)
    t.equal(deadline.ageMs, 0)
    clock.advance(40)
    t.equal(deadline.ageMs, 40)
  }
})

t.test('moves earlier', async (t) => {
  const { clock, fired, deadline } = rig()
  deadline.set(10_000)
  deadline.set(10)
  t.equal(clock.pending, 1)
  clock.advance(20_000)
  t.strictSame(fired, [10])
})

t.test('0 means none', async (t) => {
  const { clock, fired, deadline } = rig()
  deadline.set(0)
  t.equal(clock.pending, 0)
  deadline.set(100)
  deadline.set(0)
  clock.advance(1_000)
  t.strictSame(fired, [])
  deadline.set(50)
  clock.advance(50)
  t.strictSame(fired, [1_050])
})

t.test('is over when it is stopped', async (t) => {
  const { clock, fired, deadline } = rig()
  deadline.set(100)
  deadline.stop()
  t.equal(clock.pending, 0)
  clock.advance(1_000)
  t.strictSame(fired, [])
})

t.test('may be set anew from within', async (t) => {
  const clock = new FakeClock()
  const fired: number[] = []
  const deadline: Deadline = new Deadline(clock, () => {
    fired.push(clock.nowMs())
    if (fired.length < 3) deadline.set(10)
  })
  deadline.set(10)
  clock.advance(100)
  t.strictSame(fired, [10, 20, 30])
})
