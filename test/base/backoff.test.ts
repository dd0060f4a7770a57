import t from 'tap'
import { Backoff } from '../../src/base/backoff.ts'

t.test('doubles up to its bound, and starts anew after a success', async (t) => {
  const backoff = new Backoff({ minMs: 100, maxMs: 1_000, random: () => 0 })
  const delays = Array.from({ length: 6 }, () => backoff.failed())
  t.strictSame(delays, [50, 100, 200, 400, 500, 500])
  t.equal(backoff.failures, 6)
  backoff.succeeded()
  t.equal(backoff.failures, 0)
  t.equal(backoff.failed(), 50)
})

t.test('draws each delay from the upper half', async (t) => {
  for (const [random, first, third] of [
    [0, 50, 200],
    [0.5, 75, 300],
    [0.999, 99.95, 399.8],
  ] as const) {
    const backoff = new Backoff({ minMs: 100, maxMs: 1_000, random: () => random })
    const delays = [backoff.failed(), backoff.failed(), backoff.failed()]
    t.ok(Math.abs((delays[0] ?? 0) - first) < 1e-6)
    t.ok(Math.abs((delays[2] ?? 0) - third) < 1e-6)
  }
  const backoff = new Backoff({ minMs: 100, maxMs: 1_000 })
  t.not(backoff.failed(), new Backoff({ minMs: 100, maxMs: 1_000 }).failed())
})

t.test('stays at its bound however long it fails', async (t) => {
  const backoff = new Backoff({ minMs: 1, maxMs: 1_000, random: () => 0 })
  for (let failure = 0; failure < 3_000; failure += 1) backoff.failed()
  t.equal(backoff.failed(), 500)
})
