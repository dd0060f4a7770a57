import fc from 'fast-check'
import t from 'tap'
import { NAMES, World } from './lookups-world.ts'

type Step = (world: World) => unknown

const name = fc.constantFrom(...NAMES)
const index = fc.nat({ max: 3 })
const isSo = fc.boolean()

/** One thing that happens; each is followed by all that it causes and that waits for nobody. */
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: name.map(
      (one): Step =>
        (world) =>
          world.find(one),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(index, isSo).map(
      ([one, is]): Step =>
        (world) =>
          world.answerCache(one, is),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(index, isSo).map(
      ([one, is]): Step =>
        (world) =>
          world.answerSource(one, is),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(name, isSo).map(
      ([one, is]): Step =>
        (world) =>
          world.update(one, is),
    ),
  },
  {
    weight: 4,
    arbitrary: index.map(
      (one): Step =>
        (world) =>
          world.deliver(one),
    ),
  },
  {
    weight: 1,
    arbitrary: index.map(
      (one): Step =>
        (world) =>
          world.lose(one),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.updateAll()) },
  {
    weight: 2,
    arbitrary: fc.option(name, { nil: undefined }).map(
      (one): Step =>
        (world) =>
          world.doubt(one),
    ),
  },
  {
    weight: 2,
    arbitrary: name.map(
      (one): Step =>
        (world) =>
          world.fillElsewhere(one),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(isSo, isSo).map(
      ([isUp, isEmpty]): Step =>
        (world) =>
          world.switchCache({ isUp, isEmpty }),
    ),
  },
  {
    weight: 1,
    arbitrary: isSo.map(
      (isUp): Step =>
        (world) => {
          world.isSourceUp = isUp
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(1, 100, 499, 1000, 4000, 8000, 12_000).map(
      (ms): Step =>
        (world) =>
          world.advance(ms),
    ),
  },
)

t.test('whatever happens in whatever order, no find gets what it must not', async (t) => {
  let finds = 0
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 100, maxLength: 200 }), async (happenings) => {
      const world = new World()
      for (const happen of happenings) {
        await happen(world)
        await world.settle()
        if (world.faults.length > 0) break
      }
      await world.answerAll()
      await world.heal()
      finds += world.finds
      if (world.faults.length > 0) throw new Error(world.faults.join('\n'))
    }),
    { numRuns: 200 },
  )
  t.ok(finds > 1000, `${finds} finds were looked at`)
})
