import t from 'tap'
import { MAX_TENANT_LEVELS, TenantLogLevels } from '../../../src/telemetry/log/tenant-log-levels.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function rig() {
  const clock = new FakeClock()
  const told: string[] = []
  const levels = new TenantLogLevels(clock, {
    set: ({ tenant, level, leftMs }) => told.push(`${tenant} ${level} ${leftMs}`),
    ended: (tenant) => told.push(`${tenant} ended`),
  })
  return { clock, told, levels }
}

t.test('a level ends when its time is over, or is cleared', async (t) => {
  const { clock, told, levels } = rig()
  levels.set('acme', 'debug', 1000)
  levels.set('globex', 'warn')
  clock.advance(400)
  t.strictSame(levels.list(), [
    { tenant: 'acme', level: 'debug', leftMs: 600 },
    { tenant: 'globex', level: 'warn', leftMs: undefined },
  ])
  clock.advance(600)
  t.equal(levels.levelOf('acme'), undefined)
  t.equal(levels.levelOf('globex'), 'warn')
  t.equal(levels.clear('globex'), true)
  t.equal(levels.clear('globex'), false)
  t.strictSame(levels.list(), [])
  t.strictSame(told, ['acme debug 1000', 'globex warn undefined', 'acme ended', 'globex ended'])
})

t.test('a level that is set again has the new time', async (t) => {
  const { clock, levels } = rig()
  levels.set('acme', 'debug', 1000)
  clock.advance(900)
  levels.set('acme', 'error', 1000)
  clock.advance(900)
  t.equal(levels.levelOf('acme'), 'error')
  levels.set('acme', 'info')
  clock.advance(10_000)
  t.equal(levels.levelOf('acme'), 'info', 'and none when none is given')
  t.equal(clock.pending, 0)
})

t.test('there is a bound', async (t) => {
  const { levels } = rig()
  for (let number = 0; number < MAX_TENANT_LEVELS; number += 1) levels.set(`t${number}`, 'debug')
  t.throws(() => levels.set('one-more', 'debug'), { code: 'LOG_LEVELS_FULL' })
  levels.set('t0', 'warn')
  t.equal(levels.list().length, MAX_TENANT_LEVELS)
  levels.clear('t1')
  levels.set('one-more', 'debug')
  t.equal(levels.levelOf('one-more'), 'debug')
})
