import fc from 'fast-check'
import t from 'tap'
import { type Attempt, Breaker, type BreakerOptions } from '../../src/base/breaker.ts'
import { FakeClock } from '../support/fake-clock.ts'

const OPTIONS = { failures: 3, minMs: 100, maxMs: 1000, random: () => 1 }

function start(options: Partial<BreakerOptions> = {}) {
  const clock = new FakeClock()
  const breaker = new Breaker({ ...OPTIONS, ...options }, clock)
  return { clock, breaker }
}

function begin(breaker: Breaker): Attempt {
  const attempt = breaker.begin()
  if (attempt === undefined) throw new Error('the breaker let nobody through')
  return attempt
}

/** Fails it until it is open. */
function trip(breaker: Breaker): void {
  while (breaker.state.kind === 'closed') begin(breaker).failed()
}

t.test('opens after so many failures in a row', async (t) => {
  const { breaker } = start()
  begin(breaker).failed()
  begin(breaker).failed()
  begin(breaker).succeeded()
  t.strictSame(breaker.state, { kind: 'closed', failures: 0 })
  begin(breaker).failed()
  begin(breaker).failed()
  t.strictSame(breaker.state, { kind: 'closed', failures: 2 })
  begin(breaker).failed()
  t.strictSame(breaker.state, { kind: 'open', untilMs: 100 })
  t.equal(breaker.begin(), undefined)
})

t.test('lets one trial through when its time is over', async (t) => {
  const { breaker, clock } = start()
  trip(breaker)
  clock.advance(99)
  t.equal(breaker.begin(), undefined)
  clock.advance(1)
  t.equal(breaker.state.kind, 'open', 'until somebody tries')
  const trial = begin(breaker)
  t.equal(breaker.state.kind, 'halfOpen')
  t.equal(breaker.begin(), undefined, 'one at a time')
  trial.succeeded()
  t.strictSame(breaker.state, { kind: 'closed', failures: 0 })
  t.ok(breaker.begin())
})

t.test('each failed trial doubles the time, a success takes it back', async (t) => {
  const { breaker, clock } = start()
  trip(breaker)
  const times: number[] = []
  for (let round = 0; round < 6; round += 1) {
    const { state } = breaker
    if (state.kind !== 'open') throw new Error(`it is ${state.kind}`)
    times.push(state.untilMs - clock.nowMs())
    clock.advance(state.untilMs - clock.nowMs())
    begin(breaker).failed()
  }
  t.strictSame(times, [100, 200, 400, 800, 1000, 1000])
  clock.advance(1000)
  begin(breaker).succeeded()
  trip(breaker)
  t.strictSame(breaker.state, { kind: 'open', untilMs: clock.nowMs() + 100 })
})

t.test('its times are drawn', async (t) => {
  const { breaker } = start({ random: () => 0 })
  trip(breaker)
  t.strictSame(breaker.state, { kind: 'open', untilMs: 50 })
})

t.test('what began before it opened says nothing of now', async (t) => {
  const { breaker, clock } = start()
  const [failing, succeeding] = [begin(breaker), begin(breaker)]
  trip(breaker)
  succeeding.succeeded()
  failing.failed()
  t.strictSame(breaker.state, { kind: 'open', untilMs: 100 })
  clock.advance(100)
  const late = begin(breaker)
  late.failed()
  late.succeeded()
  t.strictSame(breaker.state, { kind: 'open', untilMs: 300 }, 'nor does a second word')
})

t.test('a trial that does not end makes way for another', async (t) => {
  const { breaker, clock } = start()
  trip(breaker)
  clock.advance(100)
  const lost = begin(breaker)
  clock.advance(999)
  t.equal(breaker.begin(), undefined)
  clock.advance(1)
  const trial = begin(breaker)
  lost.succeeded()
  t.equal(breaker.state.kind, 'halfOpen', 'the lost one is not heard any more')
  trial.succeeded()
  t.equal(breaker.state.kind, 'closed')
})

t.test('runs work, skips it, and passes failures on', async (t) => {
  const { breaker, clock } = start({ failures: 1 })
  t.strictSame(await breaker.run(async () => 7), { kind: 'done', value: 7 })
  const failure = new Error('down')
  await t.rejects(
    breaker.run(() => Promise.reject(failure)),
    failure,
  )
  const skipped = await breaker.run(async () => t.fail('it ran'))
  t.strictSame(skipped, { kind: 'skipped' })
  clock.advance(100)
  t.strictSame(await breaker.run(async () => 8), { kind: 'done', value: 8 })
  t.equal(breaker.state.kind, 'closed')
})

t.test('work that throws before it begins is a failure as well', async (t) => {
  const { breaker } = start({ failures: 1 })
  const thrown = breaker.run(() => {
    throw new Error('a bug')
  })
  await t.rejects(thrown, { message: 'a bug' })
  t.equal(breaker.state.kind, 'open')
})

/** What the breaker should do, written down as plainly as can be. */
class Model {
  kind: 'closed' | 'open' | 'halfOpen' = 'closed'
  failures = 0
  openings = 0
  untilMs = 0
  /** Attempts begun since the last trial or opening; others are not heard. */
  heard = new Set<Attempt>()

  begins(nowMs: number): boolean {
    if (this.kind === 'closed') return true
    if (nowMs < this.untilMs) return false
    this.kind = 'halfOpen'
    this.untilMs = nowMs + OPTIONS.maxMs
    this.heard.clear()
    return true
  }

  ends(attempt: Attempt, isGood: boolean, nowMs: number): void {
    if (!this.heard.delete(attempt)) return
    if (isGood) {
      this.kind = 'closed'
      this.failures = 0
      this.openings = 0
      return
    }
    this.failures += 1
    if (this.kind === 'closed' && this.failures < OPTIONS.failures) return
    this.kind = 'open'
    this.untilMs = nowMs + Math.min(OPTIONS.maxMs, OPTIONS.minMs * 2 ** this.openings)
    this.openings += 1
    this.heard.clear()
  }
}

const steps = fc.array(
  fc.oneof(
    fc.constant({ kind: 'begin' } as const),
    fc.record({ kind: fc.constant('end' as const), which: fc.nat(3), isGood: fc.boolean() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 100, 400, 1000) }),
  ),
  { maxLength: 80, size: 'max' },
)

type Step =
  | { readonly kind: 'begin' }
  /** `which`: counts back from the latest attempt. */
  | { readonly kind: 'end'; readonly which: number; readonly isGood: boolean }
  | { readonly kind: 'wait'; readonly ms: number }

/** A breaker and its model, which are told the same. */
class Pair {
  readonly clock = new FakeClock()
  readonly breaker = new Breaker(OPTIONS, this.clock)
  readonly model = new Model()
  readonly #attempts: Attempt[] = []

  take(step: Step): void {
    switch (step.kind) {
      case 'wait':
        this.clock.advance(step.ms)
        return
      case 'begin':
        this.#begin()
        return
      case 'end':
        this.#end(this.#attempts.at(-1 - step.which), step.isGood)
    }
  }

  compare(): void {
    const { state } = this.breaker
    if (state.kind !== this.model.kind) throw new Error(`${state.kind}, not ${this.model.kind}`)
    if (state.kind === 'closed' || state.untilMs === this.model.untilMs) return
    throw new Error(`until ${state.untilMs}, not ${this.model.untilMs}`)
  }

  #begin(): void {
    const attempt = this.breaker.begin()
    const isExpected = this.model.begins(this.clock.nowMs())
    if ((attempt !== undefined) !== isExpected) throw new Error(`let through: ${!isExpected}`)
    if (attempt === undefined) return
    this.#attempts.push(attempt)
    this.model.heard.add(attempt)
  }

  #end(attempt: Attempt | undefined, isGood: boolean): void {
    if (attempt === undefined) return
    if (isGood) attempt.succeeded()
    else attempt.failed()
    this.model.ends(attempt, isGood, this.clock.nowMs())
  }
}

t.test('does as its model does, whatever happens', async (t) => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(steps, (script) => {
      const pair = new Pair()
      for (const step of script) {
        pair.take(step)
        pair.compare()
        const { kind } = pair.breaker.state
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
      }
    }),
    { numRuns: 3000 },
  )
  for (const kind of ['closed', 'open', 'halfOpen']) t.ok((seen.get(kind) ?? 0) > 1000, kind)
})
