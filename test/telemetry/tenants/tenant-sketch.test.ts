import fc from 'fast-check'
import t from 'tap'
import { TenantSketch } from '../../../src/telemetry/tenants/tenant-sketch.ts'

const EMPTY = new TenantSketch()
/** Of the registers' number. */
const STANDARD_ERROR = 1.04 / Math.sqrt(1024)

function sketchOf(names: Iterable<string>): TenantSketch {
  const sketch = new TenantSketch()
  for (const name of names) sketch.add(name)
  return sketch
}

function names(count: number, prefix = 'tenant-'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

t.test('few names are counted exactly, each once', async (t) => {
  t.equal(EMPTY.countWith(EMPTY), 0)
  t.equal(sketchOf(['acme']).countWith(EMPTY), 1)
  t.equal(sketchOf(['acme', 'acme', 'globex']).countWith(EMPTY), 2)
})

t.test('two sketches count what both were given once', async (t) => {
  const first = sketchOf(['acme', 'globex'])
  t.equal(first.countWith(sketchOf(['globex', 'initech'])), 3)
  t.equal(first.countWith(EMPTY), 2)
})

t.test('whatever the names, the estimate is within five standard errors', async (t) => {
  const runs = 100
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50_000 }), fc.string(), (count, prefix) => {
      const estimate = sketchOf(names(count, prefix)).countWith(EMPTY)
      // Where registers are many for the names, two names in one cost a whole one.
      return Math.abs(estimate - count) <= 5 * STANDARD_ERROR * count + 1
    }),
    { numRuns: runs },
  )
  t.comment(`${runs} cases`)
})

t.test('it is right on average at every size', async (t) => {
  for (const count of [30, 300, 1000, 2500, 5000, 20_000]) {
    const estimates = Array.from({ length: 50 }, (_, round) =>
      sketchOf(names(count, `r${round}-`)).countWith(EMPTY),
    )
    const mean = estimates.reduce((sum, estimate) => sum + estimate, 0) / estimates.length
    // Four standard errors of the mean of 50.
    t.ok(Math.abs(mean / count - 1) < (4 * STANDARD_ERROR) / Math.sqrt(50), `${count}: ${mean}`)
  }
})

t.test('order and repetition change nothing', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 200 }), (given) => {
      const once = sketchOf(new Set(given)).countWith(EMPTY)
      return sketchOf([...given.toReversed(), ...given]).countWith(EMPTY) === once
    }),
  )
  t.pass()
})
