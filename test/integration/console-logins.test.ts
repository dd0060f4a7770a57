import t, { type Test } from 'tap'
import { FakeClock } from '../support/fake-clock.ts'
import { PASSWORD, startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'
import { codes, fields, query, RawClient, sqlStates } from '../support/raw-client.ts'
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

interface Attempt {
  readonly user: string
  readonly password: string
  readonly database: string
}

/** What a login comes to: its messages, and the last of them where it is an error. */
async function attempt(proxy: TestProxy, { user, password, database }: Attempt) {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user, password, parameters: { database } })
  client.socket.destroy()
  return { codes: codes(frames), error: fields(frames.find(({ code }) => code === 'E')) }
}

const common = await start()

t.test('logins of the console lead to the console, and nowhere else', async (t) => {
  const open = async (client: Attempt) => (await attempt(common, client)).codes
  const opened = /^R+S+KZ$/
  t.match(await open({ ...ADMIN, database: 'pgusher' }), opened)
  t.match(await open({ ...STATS, database: 'pgusher' }), opened)
  t.match(await open({ user: 'app.acme', password: PASSWORD, database: 'any' }), opened)
  const refused: readonly (Attempt & { readonly name: string })[] = [
    { name: 'a wrong password', ...ADMIN, password: 'guess', database: 'pgusher' },
    { name: 'an unknown login', user: 'nobody', password: 'guess', database: 'pgusher' },
    { name: 'no password', ...ADMIN, password: '', database: 'pgusher' },
    { name: "a tenant's login", user: 'app', password: PASSWORD, database: 'pgusher' },
    { name: "a tenant's login and tag", user: 'app.acme', password: PASSWORD, database: 'pgusher' },
    { name: 'an operator as a tenant', ...ADMIN, user: 'ops.acme', database: 'any' },
    { name: "an operator in a tenant's database", ...ADMIN, user: 'ops.acme', database: 'acme' },
  ]
  const answers = []
  for (const { name, ...client } of refused) {
    const { codes, error } = await attempt(common, client)
    t.equal(error['C'], '28P01', name)
    t.equal(error['M'], `password authentication failed for user "${loginOf(client.user)}"`)
    t.notOk(error['H'], 'no hint of the reason')
    answers.push(codes)
  }
  t.strictSame(new Set(answers), new Set(['RRE']), 'as many messages, whatever is wrong')
})

/** A tag is no part of the login, where there are tenants. */
function loginOf(user: string): string {
  return user === 'ops.acme' ? 'ops' : user
}

t.test('without logins there is no console', async (t) => {
  const proxy = await start({ console: { logins: [] } })
  const { error } = await attempt(proxy, { ...ADMIN, database: 'pgusher' })
  t.equal(error['C'], '28000', 'a client without a tenant')
  const client = await proxy.connect('acme', { database: 'pgusher' })
  t.equal((await client.query('SELECT owner FROM items')).rows[0]?.owner, 'acme')
  await client.end()
})

t.test('the console has the database that the configuration names', async (t) => {
  const proxy = await start({ console: { ...CONSOLE, database: 'pgbouncer' } })
  t.match((await attempt(proxy, { ...ADMIN, database: 'pgbouncer' })).codes, /Z$/)
  t.equal((await attempt(proxy, { ...ADMIN, database: 'pgusher' })).error['C'], '28000')
})

t.test('a client that names no database means the one that is called as it is', async (t) => {
  const logins = [{ ...ADMIN, user: 'pgusher' }]
  const proxy = await start({ console: { logins } })
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ ...ADMIN, user: 'pgusher' })
  t.equal(frames.at(-1)?.code, 'Z')
  await client.end()
})

for (const [method, expected] of [
  ['trust', '10'],
  ['md5', '5'],
  ['password', '3'],
] as const) {
  t.test(`operators need a password where auth.method is ${method}`, async (t) => {
    const logins = [{ user: 'app', password: PASSWORD, tenants: '*' }]
    const proxy = await start({ auth: { method }, logins })
    const wrong = await attempt(proxy, { ...ADMIN, password: 'guess', database: 'pgusher' })
    t.equal(wrong.error['C'], '28P01')
    const client = await RawClient.connect(proxy.port)
    const frames = await client.logIn({ ...ADMIN, parameters: { database: 'pgusher' } })
    t.equal(String(frames[0]?.body.readInt32BE()), expected, 'asked for it')
    t.equal(frames.at(-1)?.code, 'Z')
    await client.end()
  })
}

t.test('guessing is slowed down, and tenants do not feel it', async (t) => {
  const clock = new FakeClock()
  const settings = saasSettings(server, { console: CONSOLE, limits: { loginFailures: 1 } })
  const proxy = await startTestProxy(settings, clock)
  proxies.push(proxy)
  const guess = { ...ADMIN, password: 'guess', database: 'pgusher' }
  for (const _ of [1, 2]) t.equal((await attempt(proxy, guess)).error['C'], '28P01')
  const before = clock.pending
  const late = await RawClient.connect(proxy.port)
  const answer = late.logIn({ ...ADMIN, parameters: { database: 'pgusher' } })
  await until(() => clock.pending === before + 2)
  const client = await proxy.connect('acme')
  await client.query('SELECT 1')
  await client.end()
  t.ok(clock.pending >= before + 2, 'it waits, beside the time for its login')
  clock.advance(250)
  t.equal((await answer).at(-1)?.code, 'Z')
  await late.end()
})

t.test('operators get in when all places are taken, up to their own limit', async (t) => {
  const proxy = await start({
    limits: { maxClients: 1, maxCancels: 1 },
    console: { ...CONSOLE, maxClients: 2 },
  })
  const client = await proxy.connect('acme')
  const full = await refusalOf(proxy.connect('globex'))
  t.equal(full?.code, '53300')
  const first = await operator(t, proxy)
  const second = await operator(t, proxy, STATS)
  const third = await attempt(proxy, { ...STATS, database: 'pgusher' })
  t.equal(third.error['C'], '53300')
  t.equal(third.error['M'], 'too many clients of the console')
  t.equal((await show(first, 'SHOW CLIENTS')).length, 1)
  await second.end()
  await until(async () =>
    (await attempt(proxy, { ...STATS, database: 'pgusher' })).codes.endsWith('Z'),
  )
  await client.end()
  await until(
    async () => (await refusalOf(proxy.connect('globex').then((one) => one.end()))) === undefined,
  )
})

t.test('what a reload says of logins holds for open connections', async (t) => {
  const proxy = await start()
  const admin = await operator(t, proxy)
  t.equal(await refusalOf(admin.query('RESUME')), undefined)
  const reloaded = (logins: readonly object[]) =>
    proxy.reload(testConfig(saasSettings(server, { console: { logins } })))
  reloaded([{ ...ADMIN, role: 'stats' }])
  t.equal((await refusalOf(admin.query('PAUSE')))?.code, '42501')
  t.equal((await show(admin, 'SHOW VERSION')).length, 1)
  reloaded([STATS])
  t.equal((await refusalOf(admin.query('SHOW VERSION')))?.code, '42501', 'not a login any more')
  t.equal((await attempt(proxy, { ...ADMIN, database: 'pgusher' })).error['C'], '28P01')
})

t.test('the proxy ends: operators are told', async (t: Test) => {
  const proxy = await start()
  const client = await RawClient.login(proxy.port, {
    ...ADMIN,
    parameters: { database: 'pgusher' },
  })
  t.equal(codes(await client.ask(query('SHOW VERSION'))), 'TDCZ')
  await proxy.stop()
  t.strictSame(sqlStates(await client.toEnd()), ['57P01'])
})
