import t from 'tap'
import { TenantFullError, TooManyClientsError } from '../../src/limits/limits-errors.ts'
import { TenantGate } from '../../src/limits/tenant-gate.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'

const ACME = 'acme' as TenantName
const GLOBEX = 'globex' as TenantName

t.test('a full tenant does not keep another one out', async (t) => {
  const gate = new TenantGate()
  t.strictSame([gate.tryEnter(ACME, 1), gate.tryEnter(ACME, 1)], [true, false])
  t.equal(gate.tryEnter(GLOBEX, 1), true)
  t.equal(gate.countOf(ACME), 1)
})

t.test('zero means no limit', async (t) => {
  const gate = new TenantGate()
  t.strictSame([gate.tryEnter(ACME, 0), gate.tryEnter(ACME, 0)], [true, true])
  t.equal(gate.tryEnter(ACME, 2), false, 'a limit set meanwhile counts who is inside')
})

t.test('keeps nothing of a tenant without clients', async (t) => {
  const gate = new TenantGate()
  gate.tryEnter(ACME, 2)
  gate.tryEnter(ACME, 2)
  gate.leave(ACME)
  t.equal(gate.tenantCount, 1)
  gate.leave(ACME)
  t.equal(gate.tenantCount, 0)
  t.throws(() => gate.leave(ACME), 'leaving twice is a bug')
  t.equal(gate.tenantCount, 0)
})

t.test('the client does not hear the limits nor the tenant', async (t) => {
  const full = new TenantFullError(ACME, 7)
  t.match(full, { code: 'TENANT_FULL', sqlState: '53300', origin: 'tenant', maxClients: 7 })
  t.notMatch(full.clientMessage, /acme|7/)
  const tooMany = new TooManyClientsError(7)
  t.match(tooMany, { code: 'TOO_MANY_CLIENTS', sqlState: '53300', origin: 'proxy', maxClients: 7 })
  t.notMatch(tooMany.clientMessage, /7/)
})
