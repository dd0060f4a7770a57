import type pg from 'pg'
import t, { type Test } from 'tap'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { sendCancel } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'
import { readMetrics } from '../telemetry/metrics-text.ts'

const server = await startSaas(18)
const proxies: TestProxy[] = []
t.teardown(async () => {
  for (const proxy of proxies) await proxy.stop()
  await server.stop()
})

async function start(overrides: object = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 1 }, ...overrides }))
  proxies.push(proxy)
  return proxy
}

async function connect(t: Test, proxy: TestProxy, tenant: string): Promise<pg.Client> {
  const client = await proxy.connect(tenant)
  t.teardown(() => client.end().catch(() => {}))
  return client
}

/** The samples of a page, by what stands on it before the value. */
async function samplesOf(proxy: TestProxy, path = ''): Promise<(sample: string) => number> {
  const answer = await fetch(`http://127.0.0.1:${proxy.adminPort}/metrics${path}`)
  const { samples } = readMetrics(await answer.text())
  return (sample) => samples.get(sample) ?? Number.NaN
}

const of = (figure: string, tenant: string) => `pgusher_tenant_${figure}{tenant="${tenant}"}`

t.test('what tenants do is counted, in all and by tenant', async (t) => {
  const proxy = await start({ limits: { maxClients: 77 } })
  const acme = await connect(t, proxy, 'acme')
  const globex = await connect(t, proxy, 'globex')
  for (let count = 0; count < 3; count += 1) await acme.query('SELECT owner FROM items')
  await globex.query('BEGIN')
  await globex.query('SELECT $1::text', ['x'.repeat(5000)])
  await globex.query('COMMIT')
  await t.rejects(globex.query('SELECT 1/0'))
  const value = await samplesOf(proxy)
  t.equal(value(of('queries_total', 'acme')), 3)
  t.equal(value(of('transactions_total', 'acme')), 3)
  t.equal(value(of('queries_total', 'globex')), 4)
  t.equal(value(of('transactions_total', 'globex')), 2)
  t.equal(value('pgusher_queries_total'), 7)
  t.equal(value('pgusher_transactions_total'), 5)
  t.equal(value('pgusher_query_seconds_count'), 7)
  t.equal(value('pgusher_transaction_seconds_count'), 5)
  for (const figure of ['query', 'transaction', 'server']) {
    t.ok(value(of(`${figure}_seconds_total`, 'globex')) > 0, figure)
  }
  const [received, sent] = [of('received_bytes_total', 'globex'), of('sent_bytes_total', 'globex')]
  t.ok(value(received) > 5000 && value(received) < 5500, `${value(received)} bytes received`)
  t.ok(value(sent) > 5000 && value(sent) < 6000, `${value(sent)} bytes sent`)
  t.ok(value('pgusher_client_sent_bytes_total') > value(sent))
  t.equal(value('pgusher_tenant_errors_total{tenant="globex",class="22"}'), 1)
  t.equal(value('pgusher_errors_total{class="22",origin="server"}'), 1)
  t.equal(value(of('sessions', 'acme')), 1)
  t.equal(value(of('sessions', 'other')), 0)
  t.equal(value('pgusher_tenants_with_sessions'), 2)
  t.equal(value('pgusher_max_client_connections'), 77)
})

t.test('who waits is seen while it waits', async (t) => {
  const proxy = await start()
  const [holder, waiter] = [await connect(t, proxy, 'acme'), await connect(t, proxy, 'acme')]
  await holder.query('BEGIN')
  const answer = waiter.query('SELECT 1')
  const waiting = of('clients_waiting', 'acme')
  await until(async () => (await samplesOf(proxy))(waiting) === 1)
  const lease = 'pgusher_pool_oldest_lease_seconds'
  t.ok((await proxy.metric(lease)) > 0)
  t.equal(await proxy.metric('pgusher_pool_max_connections'), 1)
  await holder.query('COMMIT')
  await answer
  const value = await samplesOf(proxy)
  t.equal(value(waiting), 0)
  t.ok(value(of('wait_seconds_total', 'acme')) > 0)
  t.equal(await proxy.metric(lease), 0)
})

t.test('a paused tenant is counted, and so are its clients that wait', async (t) => {
  const proxy = await start()
  const client = await connect(t, proxy, 'globex')
  await proxy.operations.pause('globex', new AbortController().signal)
  t.equal(await proxy.metric('pgusher_paused_tenants'), 1)
  const answer = client.query('SELECT 1')
  await until(async () => (await samplesOf(proxy))(of('clients_waiting', 'globex')) === 1)
  proxy.operations.resume('globex')
  await answer
  await proxy.operations.pause(undefined, new AbortController().signal)
  t.equal(await proxy.metric('pgusher_paused_tenants'), 1, 'the one that has a session')
  proxy.operations.resume(undefined)
  t.equal(await proxy.metric('pgusher_paused_tenants'), 0)
})

t.test('a session that goes to another tenant is counted there', async (t) => {
  const proxy = await start()
  const client = await connect(t, proxy, 'globex')
  await client.query('SELECT 1')
  await client.query(`SET pgusher.tenant = 'hooli'`)
  await client.query('SELECT 1')
  const value = await samplesOf(proxy)
  t.equal(value(of('queries_total', 'globex')), 1)
  t.equal(value(of('queries_total', 'hooli')), 1)
  t.equal(value(of('sessions', 'globex')), 0)
  t.equal(value(of('sessions', 'hooli')), 1)
})

t.test('labels are for the first to come, a page of its own for each', async (t) => {
  const proxy = await start({ metrics: { tenantLabels: 1 } })
  for (const tenant of ['acme', 'globex', 'hooli']) {
    await (await connect(t, proxy, tenant)).query('SELECT 1')
  }
  const value = await samplesOf(proxy)
  t.equal(value(of('queries_total', 'acme')), 1)
  t.equal(value(of('queries_total', 'other')), 2)
  t.equal(value(of('sessions', 'other')), 2)
  t.ok(Number.isNaN(value(of('queries_total', 'globex'))))
  const globex = await samplesOf(proxy, '/tenants/globex')
  t.equal(globex(of('queries_total', 'globex')), 1)
  t.equal(globex(of('sessions', 'globex')), 1)
  for (const name of ['umbrella', 'nobody', '%E0', 'a/b', '']) {
    const answer = await fetch(`http://127.0.0.1:${proxy.adminPort}/metrics/tenants/${name}`)
    t.equal(answer.status, 404, name)
    await answer.text()
  }
})

t.test('an error is told apart by how many tenants it hits', async (t) => {
  const proxy = await start({ timeouts: { waitMs: 30 } })
  const holders = [await connect(t, proxy, 'acme'), await connect(t, proxy, 'globex')]
  for (const holder of holders) await holder.query('BEGIN')
  for (const tenant of ['acme', 'hooli', 'initech', 'acme']) {
    const client = await proxy.connect(tenant).catch((error: Error) => error)
    if (client instanceof Error) continue
    await t.rejects(client.query('SELECT 1'))
  }
  const value = await samplesOf(proxy)
  t.equal(value('pgusher_tenants_affected{code="CHECKOUT_TIMEOUT"}'), 3)
  t.equal(value('pgusher_errors_total{class="53",origin="proxy"}'), 2, 'of those with a session')
  t.equal(value('pgusher_tenant_errors_total{tenant="acme",class="53"}'), 2)
  for (const holder of holders) await holder.query('COMMIT')
})

t.test('what the proxy says itself is told apart from what the server says', async (t) => {
  const proxy = await start()
  const client = await connect(t, proxy, 'globex')
  await t.rejects(client.query(`SET pgusher.tenant = 'nobody'`))
  await t.rejects(client.query('SET ROLE postgres'))
  await t.rejects(client.query('nonsense'))
  await proxy.operations.pause('globex', new AbortController().signal)
  const answer = t.rejects(client.query('SELECT 1'), { code: '57014' })
  await until(async () => (await samplesOf(proxy))(of('clients_waiting', 'globex')) === 1)
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  const secret = Buffer.alloc(4)
  secret.writeInt32BE(secretKey)
  await sendCancel(proxy.port, { processId: processID, secret })
  await answer
  proxy.operations.kill('globex')
  const value = await samplesOf(proxy)
  const said = (origin: string) =>
    ['28', '42', '57'].map((found) =>
      value(`pgusher_errors_total{class="${found}",origin="${origin}"}`),
    )
  t.strictSame(said('server'), [0, 1, 0])
  t.strictSame(said('proxy'), [0, 2, 2])
})
