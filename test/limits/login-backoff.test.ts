import t from 'tap'
import type { Clock } from '../../src/base/clock.ts'
import { LoginBackoff, type LoginBackoffOptions } from '../../src/limits/login-backoff.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'

const OPTIONS: LoginBackoffOptions = {
  freeFailures: 2,
  firstDelayMs: 100,
  maxDelayMs: 350,
  forgetAfterMs: 10_000,
  maxSources: 3,
}
const SOURCE = sourceOf('acme', '10.0.0.1')

t.test('each failure over the threshold doubles the delay, up to the maximum', async (t) => {
  const { backoff } = start()
  t.equal(backoff.delayMs(SOURCE), 0)
  t.strictSame(delaysOfFailures(backoff, 6), [0, 0, 100, 200, 350, 350])
})

t.test('thousands of failures still cost the maximum', async (t) => {
  const { backoff } = start()
  t.equal(delaysOfFailures(backoff, 3000).at(-1), 350)
})

t.test('time that has passed since the failure counts', async (t) => {
  const { backoff, clock } = start()
  delaysOfFailures(backoff, 3)
  clock.timeMs += 60
  t.equal(backoff.delayMs(SOURCE), 40)
  clock.timeMs += 60
  t.equal(backoff.delayMs(SOURCE), 0)
  backoff.failed(SOURCE)
  t.equal(backoff.delayMs(SOURCE), 200, 'the failures before are not forgotten')
})

t.test('a success wipes the slate', async (t) => {
  const { backoff } = start()
  delaysOfFailures(backoff, 5)
  backoff.succeeded(SOURCE)
  t.equal(backoff.delayMs(SOURCE), 0)
  t.equal(backoff.sourceCount, 0)
  t.strictSame(delaysOfFailures(backoff, 3), [0, 0, 100])
})

t.test('forgets a source that was quiet for long', async (t) => {
  const { backoff, clock } = start()
  delaysOfFailures(backoff, 5)
  clock.timeMs += 9_999
  backoff.failed(SOURCE)
  t.equal(backoff.delayMs(SOURCE), 350, 'not yet')
  clock.timeMs += 10_000
  t.equal(backoff.delayMs(SOURCE), 0)
  t.equal(backoff.sourceCount, 0)
  t.strictSame(delaysOfFailures(backoff, 3), [0, 0, 100])
})

t.test('address and tenant are told apart', async (t) => {
  const { backoff } = start()
  delaysOfFailures(backoff, 5)
  t.equal(backoff.delayMs(sourceOf('globex', '10.0.0.1')), 0)
  t.equal(backoff.delayMs(sourceOf('acme', '10.0.0.2')), 0)
})

t.test('never remembers more sources than it may', async (t) => {
  const { backoff } = start()
  delaysOfFailures(backoff, 3)
  for (let host = 2; host < 100; host++) backoff.failed(sourceOf('acme', `10.0.0.${host}`))
  t.equal(backoff.sourceCount, 3)
  t.equal(backoff.delayMs(SOURCE), 0, 'the oldest went first')
})

t.test('has defaults', async (t) => {
  const backoff = new LoginBackoff({ ...start().clock })
  t.strictSame(delaysOfFailures(backoff, 7), [0, 0, 0, 0, 0, 250, 500])
})

function start() {
  const clock: Clock & { timeMs: number } = {
    timeMs: 5_000,
    nowMs: () => clock.timeMs,
    after: () => ({ cancel() {} }),
  }
  return { clock, backoff: new LoginBackoff(clock, OPTIONS) }
}

function sourceOf(tenant: string, address: string) {
  return { tenant: tenant as TenantName, address }
}

function delaysOfFailures(backoff: LoginBackoff, failures: number): number[] {
  return Array.from({ length: failures }, () => {
    backoff.failed(SOURCE)
    return backoff.delayMs(SOURCE)
  })
}
