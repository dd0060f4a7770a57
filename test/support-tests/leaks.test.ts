import { createServer } from 'node:net'
import t from 'tap'
import { failOnLeaks } from '../support/leaks.ts'

/** Runs `body` under the guard and ends as the guarded test would: well or with its error. */
async function guard(body: () => Promise<void>): Promise<void> {
  const teardowns: (() => Promise<void>)[] = []
  failOnLeaks({ teardown: (action) => teardowns.push(action) })
  await body()
  for (const action of teardowns) await action()
}

t.test('a closed server and a cleared timer are no leaks', async (t) => {
  await t.resolves(
    guard(async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      server.close()
      clearTimeout(setTimeout(() => {}, 60_000))
    }),
  )
})

t.test('a listening server is a leak', async (t) => {
  const server = createServer()
  t.teardown(() => server.close())
  const guarded = guard(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  await t.rejects(guarded, { message: /left open: 1 TCPServerWrap/ })
})

t.test('a running timer is a leak', async (t) => {
  const timers: NodeJS.Timeout[] = []
  t.teardown(() => timers.forEach(clearTimeout))
  const guarded = guard(async () => {
    timers.push(setTimeout(() => {}, 60_000))
  })
  await t.rejects(guarded, { message: /left open: 1 Timeout/ })
})

t.test('an unref-ed timer is no leak', async (t) => {
  const timer = setTimeout(() => {}, 60_000).unref()
  t.teardown(() => clearTimeout(timer))
  await t.resolves(
    guard(async () => {
      timer.refresh()
    }),
  )
})
