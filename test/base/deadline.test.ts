import { getEventListeners } from 'node:events'
import t from 'tap'
import { reasonOf, withDeadline } from '../../src/base/deadline.ts'

t.test('leaves neither timer nor listener behind', async (t) => {
  const { signal } = new AbortController()
  const timersBefore = countTimers()
  const options = { timeoutMs: 60_000, signal }
  const during = await withDeadline(options, async () => [countTimers(), countListeners(signal)])
  t.strictSame(during, [timersBefore + 1, 1])
  t.strictSame([countTimers(), countListeners(signal)], [timersBefore, 0])
  await t.rejects(withDeadline(options, () => Promise.reject(new Error('failed'))))
  t.strictSame([countTimers(), countListeners(signal)], [timersBefore, 0])
})

t.test('zero means no timer', async (t) => {
  const timersBefore = countTimers()
  t.equal(await withDeadline({ timeoutMs: 0 }, async () => countTimers()), timersBefore)
})

t.test('passes on why the signal aborted', async (t) => {
  const controller = new AbortController()
  const work = withDeadline({ timeoutMs: 0, signal: controller.signal }, endOf)
  controller.abort('drained')
  t.equal(await work, 'drained')
  t.equal(await withDeadline({ timeoutMs: 0, signal: controller.signal }, endOf), 'drained')
})

t.test('aborts at the timeout', async (t) => {
  const reason = await withDeadline({ timeoutMs: 1 }, endOf)
  t.match(reasonOf(reason), /1 ms/)
})

t.test('puts any failure in words', async (t) => {
  const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
  t.equal(reasonOf(refused), 'ECONNREFUSED')
  t.equal(reasonOf(new Error('reset')), 'reset')
  t.equal(reasonOf('drained'), 'drained')
})

function endOf(signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.resolve(signal.reason)
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}

function countListeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}
