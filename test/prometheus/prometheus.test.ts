import t, { type Test } from 'tap'
import { connectGuest, keepWorking } from '../support/load.ts'
import { Prometheus, type Rule } from '../support/prometheus.ts'
import { PAIRS, saasSettings, startSaas } from '../support/saas.ts'
import { type Served, servedSettings, serveReady } from '../support/served-proxy.ts'
import { until } from '../support/until.ts'

/** A machine with little time for us still gets there. */
const PATIENCE_MS = 60_000
const POLL_MS = 100
const TRANSACTIONS = 25
const TENANTS = PAIRS.flatMap(({ first, second }) => [first, second])

const server = await startSaas(18)
t.teardown(() => server.stop())
const settings = await servedSettings(
  saasSettings(server, {
    // A rule looks back over two seconds here: failures must not lie further apart.
    pool: { size: 4, backoffMinMs: 50, backoffMaxMs: 200 },
  }),
)
const { port } = settings['listen'] as { port: number }
const { port: adminPort } = settings['admin'] as { port: number }
const first = await serveReady(t, settings)
const prometheus = await Prometheus.start({ ports: [adminPort], interval: '200ms' })
t.teardown(() => prometheus.stop())

t.test('the proxy is scraped, and all rules can be evaluated', async (t) => {
  await until(async () => (await prometheus.value('up{job="pgusher"}')) === 1, PATIENCE_MS, POLL_MS)
  await until(
    async () => (await rules()).every(({ health }) => health !== 'unknown'),
    PATIENCE_MS,
    POLL_MS,
  )
  const found = await rules()
  t.ok(found.length > 20)
  t.strictSame(
    found.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => [name, lastError]),
    [],
  )
  await until(async () => firing(await rules()).length === 0, PATIENCE_MS, POLL_MS)
  t.pass('nothing fires while nothing is wrong')
})

t.test('totals are what was done', async (t) => {
  await Promise.all(TENANTS.map(async (tenant) => work(tenant)))
  const all = TENANTS.length * TRANSACTIONS
  // Each reads once before its transactions, and in each it begins, writes and commits.
  await arrives(t, 'sum(pgusher_transactions_total)', all + TENANTS.length)
  await arrives(t, 'sum(pgusher_queries_total)', 3 * all + TENANTS.length)
  await arrives(t, 'pgusher_sessions_opened_total', TENANTS.length)
  await arrives(t, 'pgusher_transaction_seconds_count', all + TENANTS.length)
  for (const tenant of TENANTS) {
    const label = `{tenant="${tenant}"}`
    await arrives(t, `pgusher_tenant_transactions_total${label}`, TRANSACTIONS + 1)
    await arrives(t, `pgusher_tenant_queries_total${label}`, 3 * TRANSACTIONS + 1)
  }
})

t.test('rates are above zero under load', async (t) => {
  await underLoad(async () => {
    for (const counter of [
      'pgusher_transactions_total',
      'pgusher_queries_total',
      'pgusher_client_received_bytes_total',
      'pgusher_client_sent_bytes_total',
      'pgusher_query_seconds_sum',
    ]) {
      await exceeds(t, `sum(rate(${counter}[3s]))`, 0)
    }
    for (const tenant of TENANTS) {
      const label = `{tenant="${tenant}"}`
      await exceeds(t, `rate(pgusher_tenant_transactions_total${label}[3s])`, 0)
      await exceeds(t, `rate(pgusher_tenant_server_seconds_total${label}[3s])`, 0)
      await exceeds(t, `pgusher_tenant_sessions${label}`, 0)
    }
    await exceeds(t, 'histogram_quantile(0.99, rate(pgusher_query_seconds_bucket[3s]))', 0)
  })
})

t.test('an alert fires while a server is down, and clears when it is back', async (t) => {
  await underLoad(async () => {
    await server.halt('immediate')
    await fires(t, 'PgUsherServerOpenFailing')
    t.match(await labelsOf('PgUsherServerOpenFailing'), { code: 'SERVER_UNREACHABLE' })
    await server.restart()
    await clears(t, 'PgUsherServerOpenFailing')
  })
})

t.test('an alert fires while the proxy is down, and clears when it is back', async (t) => {
  await kill(first)
  await fires(t, 'PgUsherDown')
  await serveReady(t, settings)
  await clears(t, 'PgUsherDown')
})

/** A fixed number of transactions and queries. */
async function work(tenant: string): Promise<void> {
  const client = await connectGuest({ port, tenant })
  await client.query('SELECT count(*) FROM items')
  for (let count = 0; count < TRANSACTIONS; count += 1) {
    await client.query('BEGIN')
    await client.query('INSERT INTO items (id, owner) VALUES (2, $1)', [tenant])
    await client.query('COMMIT')
  }
  await client.end()
}

async function underLoad(action: () => Promise<void>): Promise<void> {
  const stop = new AbortController()
  const load = TENANTS.map((tenant) =>
    keepWorking({ port, tenant }, (client) => client.query('SELECT pg_sleep(0.01)'), stop.signal),
  )
  try {
    await action()
  } finally {
    stop.abort()
    await Promise.all(load)
  }
}

async function kill({ child, exited }: Served): Promise<void> {
  child.kill('SIGKILL')
  await exited
}

async function arrives(t: Test, expr: string, expected: number): Promise<void> {
  await until(async () => (await prometheus.value(expr)) === expected, PATIENCE_MS, POLL_MS).catch(
    () => {},
  )
  t.equal(await prometheus.value(expr), expected, expr)
}

async function exceeds(t: Test, expr: string, bound: number): Promise<void> {
  const value = async () => (await prometheus.value(expr)) ?? Number.NaN
  await until(async () => (await value()) > bound, PATIENCE_MS, POLL_MS)
  t.pass(expr)
}

async function fires(t: Test, alert: string): Promise<void> {
  await until(async () => firing(await rules()).includes(alert), PATIENCE_MS, POLL_MS)
  t.pass(`${alert} fires`)
}

async function clears(t: Test, alert: string): Promise<void> {
  const state = async () => (await rules()).find(({ name }) => name === alert)?.state
  await until(async () => (await state()) === 'inactive', PATIENCE_MS, POLL_MS)
  t.pass(`${alert} is clear`)
}

function rules(): Promise<readonly Rule[]> {
  return prometheus.rules()
}

function firing(found: readonly Rule[]): readonly string[] {
  return found.filter(({ state }) => state === 'firing').map(({ name }) => name)
}

async function labelsOf(alert: string): Promise<Readonly<Record<string, string>> | undefined> {
  return (await rules()).find(({ name }) => name === alert)?.alerts[0]?.labels
}
