import t from 'tap'
import { startAdminServer } from '../../src/admin/admin-server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { TenantLogLevels } from '../../src/telemetry/log/tenant-log-levels.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'

t.test('a page of metrics is about one tenant', async (t) => {
  const metrics = new Metrics()
  metrics.sessionObserver.tenant('acme').transactionEnded(1)
  const idle = { isReady: true, details: {} }
  const server = await startAdminServer({
    host: '127.0.0.1',
    port: 0,
    metrics,
    token: () => undefined,
    startup: () => idle,
    readiness: () => idle,
    status: () => ({}),
    drain: () => Promise.resolve(),
    drainProgress: () => ({ isOver: true, details: {} }),
    tenantLevels: new TenantLogLevels(systemClock, { set() {}, ended() {} }),
    logger: silentLogger,
  })
  t.teardown(() => server.close())
  const pageOf = (name: string) => `http://127.0.0.1:${server.port}/metrics/tenants/${name}`
  const answer = await fetch(pageOf('acme?x'))
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), metrics.contentType)
  t.match(await answer.text(), 'pgusher_tenant_transactions_total{tenant="acme"} 1\n')
  for (const name of ['globex', '', '%61cme']) {
    const stranger = await fetch(pageOf(name))
    t.equal(stranger.status, 404, name)
    t.match(await stranger.json(), { error: 'nothing is counted of this tenant' })
  }
  const changed = await fetch(pageOf('acme'), { method: 'POST' })
  t.equal(changed.status, 405)
  await changed.text()
})
