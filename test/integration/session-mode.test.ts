import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  fields,
  keyOf,
  parse,
  query,
  RawClient,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

type Parameters = Readonly<Record<string, string>>

const UTC = { TimeZone: 'UTC' }
const LIMA = { TimeZone: 'America/Lima' }
const WRONG = { TimeZone: 'Mars/Olympus' }
const STATE = `SELECT current_setting('TimeZone'), current_setting('work_mem'),
  current_setting('app.mine', true) IS NOT DISTINCT FROM '', current_user = session_user,
  (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_prepared_statements),
  (SELECT count(*) FROM pg_cursors), to_regclass('pg_temp.mine'),
  (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())`
const MAKE = [
  "SET TimeZone TO 'Asia/Tokyo'; SET work_mem TO 65536; SET app.mine TO 'secret'",
  'CREATE TEMP TABLE mine (); LISTEN news; PREPARE p AS SELECT 1',
  'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
  'SELECT pg_advisory_lock(7)',
  'CREATE TEMP SEQUENCE counted',
  "SELECT nextval('counted')",
]
/** Far longer than a test waits: a pool that pauses for it is noticed. */
const LONG_PAUSE = { backoffMinMs: 60_000, backoffMaxMs: 60_000 }
const ROUNDS = 12

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    await sql(server, 'postgres', 'CREATE ROLE limited; GRANT limited TO pool')
    await t.test('who comes next', (t) => reuse(t, server))
    await t.test('a full pool', (t) => eviction(t, server))
    await t.test('a wrong setting', (t) => wrongSetting(t, server))
    await t.test('both modes on one server, in order', (t) => inOrder(t, server))
    await t.test('both modes on one server, at once', (t) => mixed(t, server))
    await t.test('a role', (t) => roles(t, server))
  })
}

async function start(t: Test, server: PostgresServer, pool: object): Promise<TestProxy> {
  const proxy = await startTestProxy(
    saasSettings(server, {
      pool: { mode: 'session', ...pool },
      timeouts: { waitMs: 10_000 },
      limits: { loginFailures: 1_000_000 },
    }),
  )
  t.teardown(() => proxy.stop())
  return proxy
}

/** A client, and the process that its cancel key names. */
async function enter(proxy: TestProxy, tenant: string, parameters: Parameters) {
  const client = await RawClient.connect(proxy.port)
  const login = await client.logIn({ user: `app.${tenant}`, password: PASSWORD, parameters })
  return { client, pid: keyOf(login).processId }
}

async function ask(client: RawClient, text: string): Promise<readonly string[]> {
  const frames = await client.ask(query(text))
  const states = sqlStates(frames)
  if (states.length > 0) throw new Error(`${text}: ${states.join()}`)
  return rows(frames)
}

async function idle(proxy: TestProxy, count: number): Promise<void> {
  await until(async () => (await proxy.metric('pgusher_pool_servers', { state: 'idle' })) === count)
}

async function reuse(t: Test, server: PostgresServer): Promise<void> {
  for (const tenant of ['acme', 'globex', 'initech']) {
    const proxy = await start(t, server, { size: 3 })
    const first = await enter(proxy, tenant, UTC)
    const fresh = await ask(first.client, STATE)
    for (const text of MAKE) await ask(first.client, text)
    await first.client.ask(parse('named', 'SELECT 1'), sync)
    t.strictNotSame(await ask(first.client, STATE), fresh)
    await first.client.end()
    await idle(proxy, 1)
    const second = await enter(proxy, tenant, UTC)
    t.equal(second.pid, first.pid, `${tenant}: the same settings, the same connection`)
    const [before = '', after = ''] = [fresh[0], (await ask(second.client, STATE))[0]]
    // A setting that nobody declared stays known to the server, without its value.
    t.equal(after.replace(/^((?:[^|]*\|){2})t/, '$1f'), before.replace(/^((?:[^|]*\|){2})t/, '$1f'))
    const lastValue = await second.client.ask(query('SELECT lastval()'))
    t.strictSame(sqlStates(lastValue), ['55000'], 'no sequence was read')
    const third = await enter(proxy, tenant, LIMA)
    t.not(third.pid, second.pid)
    t.strictSame(await ask(third.client, 'SHOW TimeZone'), ['America/Lima'])
    await Promise.all([second.client.end(), third.client.end()])
    await idle(proxy, 2)
    const fourth = await enter(proxy, tenant, LIMA)
    t.equal(fourth.pid, third.pid, 'each has its own')
    await fourth.client.end()
  }
}

async function eviction(t: Test, server: PostgresServer): Promise<void> {
  for (const tenant of ['acme', 'globex', 'initech']) {
    const proxy = await start(t, server, { size: 1 })
    const evicted = () => proxy.metric('pgusher_server_closed_total', { reason: 'evicted' })
    let last = 0
    for (const [round, settings] of [UTC, LIMA, UTC, LIMA].entries()) {
      t.equal(await evicted(), Math.max(0, round - 1))
      const { client, pid } = await enter(proxy, tenant, settings)
      t.strictSame(await ask(client, 'SHOW TimeZone'), [settings.TimeZone])
      t.not(pid, last)
      last = pid
      await client.end()
      await idle(proxy, 1)
    }
    const gone = `SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename IN ('pool', 'acme')`
    await until(async () => (await sql(server, 'postgres', gone))[0]?.['count'] === '1')
    proxy.kill()
    await until(async () => (await sql(server, 'postgres', gone))[0]?.['count'] === '0')
  }
}

async function wrongSetting(t: Test, server: PostgresServer): Promise<void> {
  for (const tenant of ['acme', 'globex', 'initech']) {
    const proxy = await start(t, server, { size: 2, ...LONG_PAUSE })
    const refused = async () => {
      const client = await RawClient.connect(proxy.port)
      const login = { user: `app.${tenant}`, password: PASSWORD, parameters: WRONG }
      const last = (await client.logIn(login)).at(-1)
      await client.closed
      return fields(last)['C']
    }
    for (let round = 0; round < 3; round++) {
      const entering = enter(proxy, tenant, UTC)
      t.strictSame(await Promise.all([refused(), refused()]), ['22023', '22023'])
      const { client } = await entering
      t.strictSame(await ask(client, 'SELECT owner FROM items'), [tenant])
      await client.end()
    }
    t.equal(await proxy.metric('pgusher_pool_clients_waiting'), 0)
  }
}

/** `globex` keeps its server connections, `hooli` and `initech` share theirs. */
async function startMixed(t: Test, server: PostgresServer): Promise<TestProxy> {
  const settings = saasSettings(server, { timeouts: { waitMs: 20_000 } })
  const shared = { url: server.url('saas', { user: 'pool', password: 'pool' }) }
  const tenants = settings['tenants'] as readonly { readonly name: string }[]
  const proxy = await startTestProxy({
    ...settings,
    servers: { shared },
    pool: { size: 2 },
    tenants: tenants.map((tenant) =>
      tenant.name === 'globex' ? { ...tenant, pool: { mode: 'session' } } : tenant,
    ),
  })
  t.teardown(() => proxy.stop())
  return proxy
}

async function inOrder(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startMixed(t, server)
  const waiting = () => proxy.metric('pgusher_pool_clients_waiting')
  const warm = await enter(proxy, 'hooli', {})
  await ask(warm.client, 'SELECT 1')
  const holders = [await enter(proxy, 'globex', UTC), await enter(proxy, 'globex', LIMA)]
  const served: string[] = []
  const work: Promise<void>[] = []
  const queue = async (name: string, run: () => Promise<RawClient>) => {
    const before = await waiting()
    work.push(
      run().then(async (client) => {
        served.push(name)
        await client.end()
      }),
    )
    await until(async () => (await waiting()) === before + 1)
  }
  await queue('transaction', async () => {
    await ask(warm.client, 'SELECT 1')
    return warm.client
  })
  await queue('session of other settings', async () => (await enter(proxy, 'globex', {})).client)
  await queue(
    'session of the same settings',
    async () => (await enter(proxy, 'globex', UTC)).client,
  )
  await holders[0]?.client.end()
  await Promise.all(work)
  t.strictSame(served, ['transaction', 'session of other settings', 'session of the same settings'])
  await holders[1]?.client.end()
}

async function mixed(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startMixed(t, server)
  const sessions = Array.from({ length: 6 }, async (_, index) => {
    for (let round = 0; round < ROUNDS; round++) {
      const settings = [UTC, LIMA, {}][(index + round) % 3] ?? {}
      const { client, pid } = await enter(proxy, 'globex', settings)
      const [seen] = await ask(client, 'SELECT owner, pg_backend_pid() FROM items')
      t.equal(seen, `globex|${pid}`)
      await client.end()
    }
  })
  const transactions = ['hooli', 'initech', 'initrode', 'hooli'].map(async (tenant) => {
    const { client } = await enter(proxy, tenant, {})
    for (let round = 0; round < ROUNDS * 3; round++) {
      t.strictSame(await ask(client, 'SELECT owner FROM items'), [tenant])
    }
    await client.end()
  })
  await Promise.all([...sessions, ...transactions])
  t.equal(await proxy.metric('pgusher_sessions'), 0)
  t.ok((await proxy.metric('pgusher_server_closed_total', { reason: 'evicted' })) > 0)
}

async function roles(t: Test, server: PostgresServer): Promise<void> {
  const isolation = { level: 'convenience' }
  const settings = saasSettings(server, { pool: { mode: 'session', size: 1 }, isolation })
  const tenants = settings['tenants'] as readonly { readonly name: string }[]
  const proxy = await startTestProxy({
    ...settings,
    tenants: tenants.map((tenant) => ({
      ...tenant,
      ...(tenant.name === 'globex' ? { role: 'limited' } : {}),
    })),
  })
  t.teardown(() => proxy.stop())
  const WHO = `SELECT current_user, session_user, current_setting('role')`
  let last = 0
  for (const leavesAs of ['limited', 'none', 'pool']) {
    const { client, pid } = await enter(proxy, 'globex', {})
    if (last !== 0) t.equal(pid, last)
    last = pid
    t.strictSame(await ask(client, WHO), ['limited|pool|limited'], 'at first')
    for (const statement of [
      'RESET ROLE',
      'RESET SESSION AUTHORIZATION',
      'SET SESSION AUTHORIZATION DEFAULT',
      'RESET ALL',
      'DISCARD ALL',
    ]) {
      await ask(client, statement)
      t.strictSame(await ask(client, WHO), ['limited|pool|limited'], `after ${statement}`)
    }
    await ask(client, 'SET ROLE pool')
    await ask(client, 'RESET ROLE')
    t.strictSame(await ask(client, WHO), ['limited|pool|limited'], 'after SET and RESET ROLE')
    await ask(client, `SET ROLE ${leavesAs}`)
    await client.end()
    await idle(proxy, 1)
  }
}
