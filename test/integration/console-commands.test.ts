import t, { type Test } from 'tap'
import { PsqlSession } from '../drivers/psql-session.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import { runPsql } from '../support/psql.ts'
import { keyOf, query, RawClient, sendCancel, sqlStates } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'
import { ADMIN, CONSOLE, operator, refusalOf, STATS, show } from './console-fixture.ts'

const server = await startSaas(18)
const proxies: TestProxy[] = []
t.teardown(async () => {
  for (const proxy of proxies) await proxy.stop()
  await server.stop()
})

async function start(overrides: object = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(saasSettings(server, { console: CONSOLE, ...overrides }))
  proxies.push(proxy)
  return proxy
}

async function tenant(t: Test, proxy: TestProxy, name: string) {
  const client = await proxy.connect(name)
  t.teardown(() => client.end().catch(() => {}))
  return client
}

/** Lines of the log of one event. */
function logged(proxy: TestProxy, event: string): Record<string, unknown>[] {
  const lines = proxy.log().split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line)).filter((line) => line.event === event)
}

const common = await start()

t.test('psql sees what runs', async (t) => {
  const client = await tenant(t, common, 'globex')
  await client.query('LISTEN news')
  const connection = { host: '127.0.0.1', port: common.port, dbname: 'pgusher', ...ADMIN }
  const { role, ...login } = connection
  t.equal(role, 'admin')
  for (const libpq of [15, 18] as const) {
    const run = (sql: string) => runPsql({ connection: login, sql, libpq })
    t.match((await run('SHOW VERSION')).stdout, /^PgUsher \d+\.\d+\.\d+$/)
    t.match((await run('show pools;')).stdout, /^saas@127\.0\.0\.1:\d+\|pool\|1\|0\|/)
    t.match((await run('SHOW PINS')).stdout, /^\d+\|globex\|app\|listen\|/)
    const several = await run('SHOW VERSION; SHOW STATE')
    t.match(several.stdout, /^PgUsher .*\nactive\|yes\n/)
    const wrong = await run('SHOW POLS')
    t.equal(wrong.exitCode, 1)
    t.match(
      wrong.stderr,
      /ERROR: {2}no such command of the console\nHINT: {2}Did you mean SHOW POOLS\?/,
    )
  }
})

t.test('a connection string is explained as the proxy would judge it', async (t) => {
  const client = await operator(t, common, STATS)
  const facts = async (conninfo: string) => {
    const rows = await show(client, `EXPLAIN ROUTE FOR '${conninfo}'`)
    return new Map(rows.map(({ key, value }) => [key, value]))
  }
  const good = await facts('user=app.initech')
  t.equal(good.get('tenant'), 'initech')
  t.equal(good.get('strategy'), 'row')
  t.match(good.get('admitted'), /^yes/)
  const quoted = await facts("user=''app.acme'' options=''-c work_mem=1MB''")
  t.match(quoted.get('link'), /work_mem/)
  t.equal(
    (await facts('user=app.nobody')).get('admitted'),
    'no: AUTHENTICATION_FAILED, SQLSTATE 28P01',
  )
  t.equal((await refusalOf(client.query("EXPLAIN ROUTE FOR 'nonsense'")))?.code, '22023')
})

t.test('a tenant is paused, looked at, and goes on', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy)
  const client = await tenant(t, proxy, 'acme')
  await admin.query('PAUSE acme')
  const answer = client.query('SELECT owner FROM items')
  await until(async () => (await show(admin, 'SHOW CLIENTS'))[0]?.['state'] === 'waiting')
  const [row] = await show(admin, "SHOW TENANTS LIKE 'ac%'")
  t.match(row, { name: 'acme', sessions: 1, waiting: 1, paused: true })
  t.match(await show(admin, 'SHOW STATE'), [
    {},
    {},
    {},
    {},
    { key: 'paused_tenants', value: 'acme' },
  ])
  const facts = await show(admin, 'SHOW TENANT acme')
  t.match(
    facts.find(({ key }) => key === 'paused'),
    { value: 'yes' },
  )
  await admin.query("RESUME TENANT 'acme'")
  t.equal((await answer).rows[0]?.owner, 'acme')
  t.match((await show(admin, "SHOW TENANTS LIKE 'acme'"))[0], { paused: false, waiting: 0 })
})

t.test('a pause that waits is canceled with its key, and stays', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy, STATS)
  const busy = await tenant(t, proxy, 'globex')
  await busy.query('BEGIN')
  await busy.query('SELECT 1')
  const client = await RawClient.connect(proxy.port)
  const login = await client.logIn({ ...ADMIN, parameters: { database: 'pgusher' } })
  client.send(query('PAUSE globex'))
  const isPaused = async () =>
    (await show(admin, "SHOW TENANTS LIKE 'globex'"))[0]?.['paused'] === true
  await until(isPaused)
  await sendCancel(proxy.port, keyOf(login))
  t.strictSame(sqlStates(await client.upTo('Z')), ['57014'])
  t.equal(await isPaused(), true)
  t.strictSame(sqlStates(await client.ask(query('RESUME globex'))), [], 'the connection lives on')
  await busy.query('COMMIT')
  await client.end()
})

t.test('Ctrl-C in psql ends the waiting', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy, STATS)
  const busy = await tenant(t, proxy, 'acme')
  await busy.query('BEGIN')
  await busy.query('SELECT 1')
  const psql = new PsqlSession(t, {
    PATH: '/usr/bin:/bin',
    PGHOST: '127.0.0.1',
    PGPORT: String(proxy.port),
    PGUSER: ADMIN.user,
    PGPASSWORD: ADMIN.password,
    PGDATABASE: 'pgusher',
  })
  psql.type('PAUSE;')
  await until(async () => (await show(admin, 'SHOW STATE'))[1]?.['value'] === 'yes')
  psql.interrupt()
  // Without a terminal, psql ends as it is interrupted.
  t.match(await psql.end(), /^Cancel request sent\s+ERROR: {2}57014\s*$/)
  t.equal((await show(admin, 'SHOW STATE'))[1]?.['value'], 'yes', 'the pause stays')
  proxy.operations.resume(undefined)
  await busy.query('COMMIT')
})

t.test('an operator who leaves while a pause waits leaves nothing behind', async (t) => {
  const proxy = await start({ console: { ...CONSOLE, maxClients: 2 } })
  const admin = await operator(t, proxy)
  const busy = await tenant(t, proxy, 'acme')
  await busy.query('BEGIN')
  await busy.query('SELECT 1')
  const client = await RawClient.login(proxy.port, {
    ...ADMIN,
    parameters: { database: 'pgusher' },
  })
  client.send(query('PAUSE'))
  await until(async () => (await show(admin, 'SHOW STATE'))[1]?.['value'] === 'yes')
  t.equal((await refusalOf(operator(t, proxy)))?.code, '53300')
  client.socket.end()
  await until(() => logged(proxy, 'operator command failed').length === 1)
  await until(async () => (await refusalOf(operator(t, proxy))) === undefined)
  t.match(logged(proxy, 'operator command failed'), [{ command: 'PAUSE', code: 'CLIENT_GONE' }])
  await admin.query('RESUME')
  await busy.query('COMMIT')
})

t.test('sessions are ended, one or all of a tenant', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy)
  const [first, second, other] = [
    await tenant(t, proxy, 'globex'),
    await tenant(t, proxy, 'globex'),
    await tenant(t, proxy, 'hooli'),
  ]
  await Promise.all([first, second, other].map((client) => client.query('SELECT 1')))
  const clients = await show(admin, 'SHOW CLIENTS')
  t.equal(clients.length, 3)
  const id = clients.find(({ database }) => database === 'hooli')?.['id']
  await admin.query(`KILL_CLIENT ${id}`)
  t.equal((await refusalOf(other.query('SELECT 1'))) === undefined, false)
  t.equal((await refusalOf(admin.query(`KILL_CLIENT ${id}`)))?.code, '42704')
  await admin.query('KILL globex')
  await until(async () => (await show(admin, 'SHOW CLIENTS')).length === 0)
  t.match((await show(admin, "SHOW TENANTS LIKE 'globex'"))[0], { paused: true, sessions: 0 })
  await admin.query('RESUME globex')
  t.equal(
    (await (await tenant(t, proxy, 'globex')).query('SELECT owner FROM items')).rows.length,
    1,
  )
})

t.test('server connections are made anew', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy)
  const client = await tenant(t, proxy, 'acme')
  await client.query('SELECT 1')
  const [before] = await show(admin, 'SHOW SERVERS')
  await admin.query('RECONNECT acme')
  await client.query('SELECT 1')
  const servers = await show(admin, 'SHOW SERVERS')
  t.equal(servers.length, 1)
  t.not(servers[0]?.['remote_pid'], before?.['remote_pid'])
})

t.test('names that nobody has are refused, with the nearest', async (t) => {
  const admin = await operator(t, common)
  for (const command of ['PAUSE', 'KILL', 'RECONNECT', 'RESUME', 'SHOW TENANT']) {
    const refusal = await refusalOf(admin.query(`${command} globx`))
    t.equal(refusal?.code, '42704', command)
    if (command !== 'SHOW TENANT') t.equal(refusal?.hint, 'Did you mean globex?')
  }
  t.equal((await refusalOf(admin.query('PAUSE "Not A Name"')))?.code, '42601')
})

t.test('who changes what is logged; what is looked at is not', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy)
  const looker = await operator(t, proxy, STATS)
  await show(looker, 'SHOW POOLS')
  await admin.query('PAUSE acme')
  await admin.query('RESUME acme')
  await refusalOf(looker.query('KILL'))
  t.match(logged(proxy, 'operator command'), [
    { login: ADMIN.user, command: 'PAUSE', scope: 'acme', client: '127.0.0.1', level: 'info' },
    { login: ADMIN.user, command: 'RESUME', scope: 'acme' },
  ])
  t.match(logged(proxy, 'operator command failed'), [
    { login: STATS.user, command: 'KILL', code: 'CONSOLE_RIGHT_MISSING', level: 'warn' },
  ])
  t.equal(proxy.log().includes(ADMIN.password), false)
})

t.test('one tenant is looked into, and not for ever', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy)
  await admin.query('SET LOG LEVEL warn FOR TENANT acme FOR 600000')
  await admin.query("set log level SILENT for tenant 'globex'")
  t.match(await show(admin, 'SHOW LOG_LEVELS'), [
    { tenant: 'acme', level: 'warn' },
    { tenant: 'globex', level: 'silent', left_ms: null },
  ])
  t.equal(logged(proxy, 'operator command').length, 2, 'told, whatever the level of the tenant')
  const opened = () => logged(proxy, 'session opened').length
  await (await proxy.connect('acme')).end()
  t.equal(opened(), 0)
  await admin.query('RESET LOG LEVEL FOR TENANT acme')
  await (await proxy.connect('acme')).end()
  t.equal(opened(), 1)
  t.equal((await refusalOf(admin.query('SET LOG LEVEL debug FOR TENANT nobody')))?.code, '42704')
  const looker = await operator(t, proxy, STATS)
  t.equal((await refusalOf(looker.query('SET LOG LEVEL debug FOR TENANT acme')))?.code, '42501')
  t.equal((await show(looker, 'SHOW LOG_LEVELS')).length, 1)
})

t.test('the console answers while the proxy drains, and shuts it down', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy)
  const busy = await tenant(t, proxy, 'acme')
  await busy.query('BEGIN')
  t.equal((await admin.query('SHUTDOWN')).command, 'SHUTDOWN')
  await until(async () => (await show(admin, 'SHOW STATE'))[3]?.['value'] === 'yes')
  t.equal((await show(admin, 'SHOW CLIENTS')).length, 1)
  await busy.query('COMMIT')
  await until(async () => (await refusalOf(admin.query('SHOW VERSION'))) !== undefined)
})

t.test('no secret is in what the configuration shows', async (t) => {
  const token = 'a token that nobody may see'
  const key = Buffer.alloc(32, 7).toString('base64')
  const proxy = await start({ admin: { token }, isolation: { keys: [{ id: 'one', key }] } })
  const client = await operator(t, proxy, STATS)
  const rows = await show(client, 'SHOW CONFIG')
  const text = JSON.stringify(rows)
  for (const secret of [token, key, ADMIN.password, STATS.password, PASSWORD]) {
    t.equal(text.includes(secret), false)
  }
  const setting = (key: string) => rows.find((row) => row['key'] === key)?.['value']
  t.equal(setting('admin.token'), '****')
  t.equal(setting('console.logins'), '****')
  t.equal(setting('max_client_conn'), '1000')
  t.equal(setting('limits.maxClients'), '1000')
  t.equal(setting('pool.mode'), 'transaction')
})
