import t from 'tap'
import type { AdminResponse } from '../../src/admin/admin-response.ts'
import { changeLogLevel, showLogLevels } from '../../src/admin/log-level-routes.ts'
import { MAX_TENANT_LEVELS, TenantLogLevels } from '../../src/telemetry/log/tenant-log-levels.ts'
import { FakeClock } from '../support/fake-clock.ts'

const newLevels = () => new TenantLogLevels(new FakeClock(), { set() {}, ended() {} })

function read({ status, body }: AdminResponse) {
  return { status, ...JSON.parse(body) }
}

t.test('a level is set, shown and taken back', async (t) => {
  const levels = newLevels()
  const put = (name: string, query: string) =>
    changeLogLevel(levels, { method: 'PUT', name, query })
  const acme = { level: 'debug', leftMs: 5000 }
  t.strictSame(read(put('acme', 'level=debug&forMs=5000')), { status: 200, tenants: { acme } })
  t.strictSame(read(put('globex', 'level=silent')), {
    status: 200,
    tenants: { acme, globex: { level: 'silent' } },
  })
  const cleared = changeLogLevel(levels, { method: 'DELETE', name: 'acme', query: '' })
  t.strictSame(read(cleared), { status: 200, tenants: { globex: { level: 'silent' } } })
  t.strictSame(read(showLogLevels(levels)).tenants, { globex: { level: 'silent' } })
})

const WRONG = [
  { name: 'acme', query: '' },
  { name: 'acme', query: 'level=loud' },
  { name: 'acme', query: 'level=debug&forMs=0' },
  { name: 'acme', query: 'level=debug&forMs=-1' },
  { name: 'acme', query: 'level=debug&forMs=1.5' },
  { name: 'acme', query: 'level=debug&forMs=604800001' },
  { name: '', query: 'level=debug' },
  { name: '%2e%2e', query: 'level=debug' },
]
for (const { name, query } of WRONG) {
  t.test(`refused with a remedy: '${name}?${query}'`, async (t) => {
    const levels = newLevels()
    t.match(read(changeLogLevel(levels, { method: 'PUT', name, query })), {
      status: 400,
      remedy: String,
    })
    t.strictSame(levels.list(), [])
  })
}

t.test('more than there may be', async (t) => {
  const levels = newLevels()
  for (let number = 0; number < MAX_TENANT_LEVELS; number += 1) levels.set(`t${number}`, 'debug')
  const answer = changeLogLevel(levels, { method: 'PUT', name: 'acme', query: 'level=debug' })
  t.match(read(answer), { status: 409, remedy: /^Clear one/ })
})
