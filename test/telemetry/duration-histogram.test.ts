import t from 'tap'
import { DurationHistogram } from '../../src/telemetry/duration-histogram.ts'

t.test('an observation counts in the first bucket that holds it, and in all above', async (t) => {
  const histogram = new DurationHistogram({ name: 'x_seconds', help: 'x', bounds: [0.01, 1] })
  for (const durationMs of [0, 10, 11, 1000, 1001, 90_000]) histogram.observeMs(durationMs)
  const { type, values } = await histogram.get()
  t.equal(type, 'histogram')
  t.strictSame(
    values.map(({ metricName, labels, value }) => [metricName, labels.le, value]),
    [
      ['x_seconds_bucket', 0.01, 2],
      ['x_seconds_bucket', 1, 4],
      ['x_seconds_bucket', '+Inf', 6],
      ['x_seconds_sum', undefined, 92.022],
      ['x_seconds_count', undefined, 6],
    ],
  )
})
