import pg from 'pg'
import t, { type Test } from 'tap'
import { SqlState } from '../../src/base/sql-state.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'
import { until } from '../support/until.ts'

const TENANTS = 200
const ROUNDS = 2

/** A server on which each tenant has a schema and a login of its own. */
async function startTown(major: 15 | 18): Promise<PostgresServer> {
  const server = await startPostgres({ major, auth: 'scram-sha-256' })
  const create = Array.from({ length: TENANTS }, (_, index) => {
    const name = nameOf(index)
    return `CREATE ROLE ${name} LOGIN PASSWORD '${name}';
      CREATE SCHEMA tenant_${name};
      CREATE TABLE tenant_${name}.items AS SELECT '${name}' AS owner;
      GRANT USAGE ON SCHEMA tenant_${name} TO ${name};
      GRANT SELECT ON tenant_${name}.items TO ${name};`
  })
  await sql(server, 'postgres', 'CREATE DATABASE town')
  await sql(server, 'town', create.join('\n'))
  return server
}

function nameOf(index: number): string {
  return `t${index}`
}

/** Of a proxy with that many tenants, who share one budget over pools of their own. */
function settingsOf(
  server: PostgresServer,
  { tenants, budget, waitMs }: { tenants: number; budget: number; waitMs?: number },
): Record<string, unknown> {
  const names = Array.from({ length: tenants }, (_, index) => nameOf(index))
  const servers = names.map((name) => [
    name,
    { url: server.url('town', { user: name, password: name }), maxConnections: budget },
  ])
  return {
    pool: { size: 3 },
    timeouts: { waitMs: waitMs ?? 0 },
    servers: Object.fromEntries(servers),
    tenants: names.map((name) => ({ name, strategy: 'schema', server: name })),
  }
}

/** Postgres itself refuses one connection more. */
async function permit(server: PostgresServer, connections: number): Promise<void> {
  await sql(server, 'postgres', `ALTER DATABASE town CONNECTION LIMIT ${connections}`)
}

async function backendOf(client: pg.Client): Promise<number> {
  return (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
}

async function waitingAre(proxy: TestProxy, count: number): Promise<void> {
  await until(async () => (await proxy.metric('pgusher_pool_clients_waiting')) === count)
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startTown(major)
    t.teardown(() => server.stop())
    await t.test('many tenants, few connections', (t) => manyTenants(t, server))
    await t.test('the least used connection makes room', (t) => leastUsed(t, server))
    await t.test('long transactions of one tenant', (t) => longTransactions(t, server))
    await t.test('who gives up leaves nothing behind', (t) => givingUp(t, server))
    await t.test('a budget that is lowered', (t) => lowered(t, server))
  })
}

async function manyTenants(t: Test, server: PostgresServer): Promise<void> {
  const budget = 5
  await permit(server, budget)
  const proxy = await startTestProxy(settingsOf(server, { tenants: TENANTS, budget }))
  t.teardown(() => proxy.stop())
  const watcher = await watchBackends(server)
  const work = Array.from({ length: TENANTS }, async (_, index) => {
    const name = nameOf(index)
    const client = await proxy.connect(name)
    for (let round = 0; round < ROUNDS; round += 1) {
      const { rows } = await client.query('SELECT owner, current_user::text AS "user" FROM items')
      t.strictSame(rows, [{ owner: name, user: name }])
    }
    await client.end()
  })
  await Promise.all(work)
  const most = await watcher.stop()
  t.ok(most > 0 && most <= budget, `${most} connections at a time`)
  t.equal(await proxy.metric('pgusher_server_open_failures_total'), 0, 'none was one too many')
  t.equal(await proxy.metric('pgusher_server_budget_max_connections'), budget)
  const used = await proxy.metric('pgusher_server_budget_connections')
  t.ok(used > 0 && used <= budget, `${used} are left`)
  const evicted = await proxy.metric('pgusher_server_closed_total', { reason: 'evicted' })
  t.ok(evicted >= TENANTS - budget, `${evicted} were evicted`)
}

/** Looks all the time at how many connections the tenants have. */
async function watchBackends(server: PostgresServer): Promise<{ stop(): Promise<number> }> {
  const client = new pg.Client(server.url('postgres'))
  await client.connect()
  let most = 0
  let isOver = false
  const look = async () => {
    while (!isOver) {
      const { rows } = await client.query(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename ~ '^t[0-9]+$'`,
      )
      most = Math.max(most, rows[0].count)
    }
  }
  const looking = look()
  return {
    async stop() {
      isOver = true
      await looking
      await client.end()
      return most
    },
  }
}

async function leastUsed(t: Test, server: PostgresServer): Promise<void> {
  await permit(server, 3)
  const proxy = await startTestProxy(settingsOf(server, { tenants: 6, budget: 3 }))
  t.teardown(() => proxy.stop())
  const clients = []
  for (let index = 0; index < 6; index += 1) clients.push(await proxy.connect(nameOf(index)))
  const [hot, warm, ...others] = clients as [pg.Client, pg.Client, ...pg.Client[]]
  const [hotPid, warmPid] = [await backendOf(hot), await backendOf(warm)]
  const pids = new Set<number>()
  for (let round = 0; round < 3; round += 1) {
    for (const other of others) {
      pids.add(await backendOf(other))
      t.equal(await backendOf(hot), hotPid, 'it keeps its connection')
      t.equal(await backendOf(warm), warmPid, 'and so does the other one')
    }
  }
  t.equal(pids.size, 3 * others.length, 'the others take turns on the third')
  for (const client of clients) await client.end()
}

async function longTransactions(t: Test, server: PostgresServer): Promise<void> {
  await permit(server, 3)
  const proxy = await startTestProxy(settingsOf(server, { tenants: 3, budget: 3 }))
  t.teardown(() => proxy.stop())
  const [first, second] = [await proxy.connect('t1'), await proxy.connect('t2')]
  const hogs = await Promise.all([1, 2, 3].map(() => proxy.connect('t0')))
  for (const hog of hogs) await hog.query('BEGIN')
  for (const hog of hogs) await hog.query('SELECT 1')
  const answers = [first.query('SELECT owner FROM items'), second.query('SELECT owner FROM items')]
  await waitingAre(proxy, 2)
  const late = await proxy.connect('t0')
  const lateAnswer = late.query('SELECT owner FROM items')
  await waitingAre(proxy, 3)
  await hogs[0]?.query('COMMIT')
  const owners = (await Promise.all([...answers, lateAnswer])).map(({ rows }) => rows[0].owner)
  t.strictSame(owners, ['t1', 't2', 't0'], 'one place is enough for all of them')
  for (const hog of hogs.slice(1)) await hog.query('COMMIT')
  for (const client of [first, second, late, ...hogs]) await client.end()
  t.equal(await proxy.metric('pgusher_server_open_failures_total'), 0)
}

async function givingUp(t: Test, server: PostgresServer): Promise<void> {
  await permit(server, 1)
  const settings = settingsOf(server, { tenants: 4, budget: 1, waitMs: 300 })
  const proxy = await startTestProxy(settings)
  t.teardown(() => proxy.stop())
  const [patient, leaving] = [await proxy.connect('t1'), await proxy.connect('t2')]
  const hog = await proxy.connect('t0')
  await hog.query('BEGIN')
  await t.rejects(patient.query('SELECT 1'), { code: SqlState.tooManyConnections })
  await t.rejects(proxy.connect('t3'), { code: SqlState.tooManyConnections }, 'at login')
  const lost = leaving.query('SELECT 1')
  await waitingAre(proxy, 1)
  const gone = t.rejects(lost)
  await leaving.end()
  await gone
  await waitingAre(proxy, 0)
  t.equal(await proxy.metric('pgusher_server_budget_connections'), 1)
  await hog.query('COMMIT')
  const again = await proxy.connect('t2')
  t.equal((await again.query('SELECT owner FROM items')).rows[0].owner, 't2')
  for (const client of [hog, again]) await client.end()
}

async function lowered(t: Test, server: PostgresServer): Promise<void> {
  await permit(server, -1)
  const proxy = await startTestProxy(settingsOf(server, { tenants: 4, budget: 4 }))
  t.teardown(() => proxy.stop())
  const clients = await Promise.all([0, 1, 2, 3].map((index) => proxy.connect(nameOf(index))))
  for (const client of clients) await client.query('SELECT 1')
  t.equal(await proxy.metric('pgusher_server_budget_connections'), 4)
  const narrow = settingsOf(server, { tenants: 4, budget: 2 })
  proxy.reload(testConfig(narrow))
  for (const client of clients) {
    const { rows } = await client.query('SELECT owner FROM items')
    t.equal(rows.length, 1)
  }
  await until(async () => (await proxy.metric('pgusher_server_budget_connections')) === 2)
  t.equal(await proxy.metric('pgusher_server_budget_max_connections'), 2)
  for (const client of clients) await client.end()
}
