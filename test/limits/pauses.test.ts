import t from 'tap'
import { Pauses } from '../../src/limits/pauses.ts'
import { parseTenantName, type TenantName } from '../../src/tenancy/tenant-name.ts'

function name(text: string): TenantName {
  const tenant = parseTenantName(text)
  if (tenant === undefined) throw new Error(`${text} is no name of a tenant`)
  return tenant
}

const ACME = name('acme')
const GLOBEX = name('globex')

/** Those who wait, and a list of who was told to go on. */
function waiters(pauses: Pauses) {
  const resumed: string[] = []
  const add = (label: string, tenant: TenantName, then = () => {}) => {
    const paused = {
      tenant,
      resumed() {
        resumed.push(label)
        then()
      },
    }
    pauses.wait(paused)
    return paused
  }
  return { resumed, add }
}

t.test('one tenant, or all, and each by its own command', async (t) => {
  const pauses = new Pauses()
  t.equal(pauses.isPaused(ACME), false)
  t.equal(pauses.resume('acme'), false)
  pauses.pause('acme')
  t.equal(pauses.isPaused(ACME), true)
  t.equal(pauses.isPaused(GLOBEX), false)
  pauses.pause(undefined)
  t.equal(pauses.isPaused(GLOBEX), true)
  t.equal(pauses.resume('acme'), true)
  t.equal(pauses.isPaused(ACME), true, 'all are still paused')
  t.equal(pauses.resume(undefined), true)
  t.equal(pauses.isPaused(ACME), false)
  t.equal(pauses.resume(undefined), false)
})

t.test('to resume all takes back what was paused by name', async (t) => {
  const pauses = new Pauses()
  pauses.pause('acme')
  t.strictSame(pauses.tenants, ['acme'])
  t.equal(pauses.resume(undefined), true)
  t.strictSame(pauses.tenants, [])
  t.equal(pauses.isAll, false)
})

t.test('those who wait go on in order, and only where nothing holds them', async (t) => {
  const pauses = new Pauses()
  const { resumed, add } = waiters(pauses)
  pauses.pause('acme')
  pauses.pause('globex')
  add('a1', ACME)
  add('g1', GLOBEX)
  const gone = add('a2', ACME)
  add('a3', ACME)
  pauses.leave(gone)
  pauses.resume('acme')
  t.strictSame(resumed, ['a1', 'a3'])
  pauses.resume('acme')
  pauses.resume('globex')
  t.strictSame(resumed, ['a1', 'a3', 'g1'])
})

t.test('one that goes on may take others with it, or pause anew', async (t) => {
  const pauses = new Pauses()
  const { resumed, add } = waiters(pauses)
  pauses.pause(undefined)
  const later = { tenant: ACME, resumed: () => resumed.push('later') }
  add('first', ACME, () => pauses.leave(later))
  pauses.wait(later)
  add('second', ACME, () => pauses.pause('acme'))
  add('third', ACME)
  pauses.resume(undefined)
  t.strictSame(resumed, ['first', 'second'])
  pauses.resume('acme')
  t.strictSame(resumed, ['first', 'second', 'third'])
})

t.test('a login waits until it may pass, or is given up', async (t) => {
  const pauses = new Pauses()
  const { signal } = new AbortController()
  await pauses.passed(ACME, signal)
  pauses.pause('acme')
  await pauses.passed(GLOBEX, signal)
  const passed = pauses.passed(ACME, signal)
  pauses.resume('acme')
  await passed
  pauses.pause('acme')
  const controller = new AbortController()
  const given = pauses.passed(ACME, controller.signal)
  controller.abort(new Error('too long'))
  await t.rejects(given, { message: 'too long' })
  await t.rejects(pauses.passed(ACME, controller.signal), { message: 'too long' })
})
