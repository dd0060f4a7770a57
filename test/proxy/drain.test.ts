import t from 'tap'
import { silentLogger } from '../../src/base/logger.ts'
import { Drain, type DrainOutcome } from '../../src/proxy-drain.ts'
import { ShutdownError } from '../../src/session/session-errors.ts'
import { type OpenSession, Sessions } from '../../src/session/sessions.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'

/** As much of a session as a drain deals with; it goes when it is told to. */
class FakeSession {
  readonly told: string[] = []
  readonly tenant = 'acme'
  readonly login = 'app'
  readonly #sessions: Sessions
  readonly #stays: boolean

  constructor(sessions: Sessions, stays = false) {
    this.#sessions = sessions
    this.#stays = stays
    sessions.add(this as unknown as OpenSession)
  }

  drain(): void {
    this.told.push('drain')
  }

  leaveIfQuiet(quietMs: number): void {
    this.told.push(`leaveIfQuiet ${quietMs}`)
    if (!this.#stays && quietMs === 0) this.leave(new ShutdownError())
  }

  async cancel(): Promise<void> {
    this.told.push('cancel')
  }

  kill(): void {
    this.told.push('kill')
    this.leave(new ShutdownError())
  }

  leave(error?: ShutdownError): void {
    this.#sessions.remove(this as unknown as OpenSession, error)
  }
}

function rig(options = { drainDelayMs: 1000, drainMs: 10_000 }) {
  const clock = new FakeClock()
  const sessions = new Sessions()
  const told: string[] = []
  const logged: Record<string, unknown>[] = []
  const outcomes: DrainOutcome[] = []
  const note = (event: string, fields = {}) => logged.push({ event, ...fields })
  let hangUp = () => {}
  const hungUp = new Promise<void>((resolve) => {
    hangUp = resolve
  })
  const drain = new Drain({
    sessions,
    clock,
    listener: {
      stop() {
        told.push('stop')
        return hungUp
      },
    },
    logger: { ...silentLogger, info: note, warn: note },
    options: () => options,
    counted: (outcome) => outcomes.push(outcome),
    release: () => told.push('release'),
  })
  const isIn = (state: string) => until(() => drain.state === state)
  return { drain, clock, sessions, told, logged, outcomes, hangUp, isIn }
}

t.test('one state after the other, logged and counted once', async (t) => {
  const { drain, clock, sessions, told, logged, outcomes, hangUp } = rig()
  hangUp()
  const session = new FakeSession(sessions)
  t.equal(drain.state, 'serving')
  const over = drain.begin('SIGTERM')
  t.equal(drain.begin('POST /drain'), over, 'whoever comes later joins it')
  t.equal(drain.state, 'leaving')
  t.equal(sessions.isDraining, false, 'new clients are let in')
  t.strictSame(session.told, [])
  clock.advance(1000)
  await until(() => session.told.length === 2)
  t.equal(drain.state, 'draining')
  t.equal(sessions.isDraining, true)
  t.strictSame(session.told, ['drain', 'leaveIfQuiet 500'])
  t.strictSame(told, ['stop'])
  t.equal(drain.outcome, undefined)
  clock.advance(500)
  t.equal(await over, 'complete')
  t.equal(drain.state, 'drained')
  t.equal(drain.outcome, 'complete')
  t.strictSame(told, ['stop', 'stop', 'release'])
  t.strictSame(outcomes, ['complete'])
  t.equal(clock.pending, 0)
  const limits = { drainDelayMs: 1000, drainMs: 10_000 }
  t.strictSame(logged, [
    { event: 'draining', cause: 'SIGTERM', sessions: 1, ...limits },
    { event: 'drained', outcome: 'complete', sentAway: 1, forced: 0, durationMs: 1500 },
  ])
})

t.test('nobody is there, and nobody leads clients here: it is over without a timer', async (t) => {
  const { drain, clock, hangUp } = rig({ drainDelayMs: 0, drainMs: 10_000 })
  hangUp()
  t.equal(await drain.begin('SIGTERM'), 'complete')
  t.equal(clock.nowMs(), 0)
})

t.test('whoever does not finish is canceled, and then cut off', async (t) => {
  const { drain, clock, sessions, logged, outcomes } = rig({ drainDelayMs: 0, drainMs: 10_000 })
  const [gone, ending, stuck] = [false, true, true].map((stays) => new FakeSession(sessions, stays))
  const over = drain.begin('SIGTERM')
  await until(() => gone?.told.length === 2)
  clock.advance(9999)
  t.strictSame(stuck?.told, ['drain', 'leaveIfQuiet 500', 'leaveIfQuiet 0'])
  clock.advance(1)
  await until(() => stuck?.told.includes('cancel') === true)
  ending?.leave()
  clock.advance(500)
  await until(() => stuck?.told.includes('kill') === true)
  t.notOk(ending?.told.includes('kill'))
  // Their sockets stay: they are not waited for longer than that.
  clock.advance(500)
  t.equal(await over, 'timeout')
  t.strictSame(outcomes, ['timeout'])
  t.match(logged.at(-1), { outcome: 'timeout', sentAway: 1, forced: 2, durationMs: 11_000 })
})

t.test('a short time to drain is not all spent on waiting for silence', async (t) => {
  const { drain, clock, sessions, hangUp } = rig({ drainDelayMs: 0, drainMs: 100 })
  hangUp()
  const session = new FakeSession(sessions)
  const over = drain.begin('SIGTERM')
  await until(() => session.told.length === 2)
  t.equal(session.told.at(-1), 'leaveIfQuiet 50')
  clock.advance(50)
  t.equal(await over, 'complete')
})

for (const state of ['leaving', 'draining', 'emptying'] as const) {
  t.test(`all at once while it is ${state}`, async (t) => {
    const { drain, clock, sessions, outcomes, told, isIn } = rig()
    const session = new FakeSession(sessions, true)
    const over = state === 'emptying' ? drain.empty('SHUTDOWN') : drain.begin('SIGTERM')
    if (state === 'draining') clock.advance(1000)
    await isIn(state)
    t.equal(await drain.cut(), 'killed')
    t.equal(await over, 'killed')
    t.equal(session.told.at(-1), 'kill')
    t.equal(told.at(-1), 'release')
    t.strictSame(outcomes, ['killed'])
    t.equal(drain.state, 'drained')
    t.equal(sessions.count, 0)
  })
}

t.test('all at once, and never a drain', async (t) => {
  const { drain, sessions, outcomes, told } = rig()
  const session = new FakeSession(sessions)
  t.equal(await drain.cut(), 'killed')
  t.strictSame(session.told, ['kill'])
  t.strictSame(told, ['stop', 'release'])
  t.strictSame(outcomes, [], 'it was none')
  t.equal(await drain.begin('SIGTERM'), 'killed')
})

t.test('when the clients have left by themselves', async (t) => {
  const { drain, clock, sessions, told, hangUp } = rig()
  hangUp()
  const session = new FakeSession(sessions, true)
  const over = drain.empty('SHUTDOWN')
  t.equal(drain.state, 'emptying')
  t.strictSame(told, ['stop'], 'nobody new comes in')
  clock.advance(1_000_000)
  t.equal(drain.state, 'emptying')
  t.strictSame(session.told, [], 'nobody is sent away')
  session.leave()
  t.equal(await over, 'complete')
})

t.test('a drain while it waits for the clients to leave', async (t) => {
  const { drain, clock, sessions, hangUp } = rig()
  hangUp()
  const session = new FakeSession(sessions)
  const over = drain.empty('SHUTDOWN')
  t.equal(drain.begin('SIGTERM'), over)
  await until(() => session.told.length === 2)
  t.equal(drain.state, 'draining', 'without the delay: nobody new comes in anyway')
  clock.advance(500)
  t.equal(await over, 'complete')
})

t.test('a drain is not taken back to waiting', async (t) => {
  const { drain, isIn, clock, hangUp } = rig()
  hangUp()
  const over = drain.begin('SIGTERM')
  t.equal(drain.empty('SHUTDOWN'), over)
  clock.advance(1000)
  await isIn('drained')
})
