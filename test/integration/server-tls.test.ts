import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { TestAuthority } from '../support/certificates.ts'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'
import {
  codes,
  keyOf,
  query,
  RawClient,
  rows,
  sendCancel,
  sqlStates,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const BIG_BYTES = 8 * 1024 * 1024
const FLOOD_ROWS = 64
const FLOOD = `SELECT repeat('z', 1048576) FROM generate_series(1, ${FLOOD_ROWS})`
const BLOCKED = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'`
const IS_ENCRYPTED = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
const SLEEPERS = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`

const authority = await TestAuthority.create()
const stranger = await TestAuthority.create('somebody else')
t.teardown(() => Promise.all([authority.remove(), stranger.remove()]))
const own = await authority.issue({ commonName: 'server', altNames: ['IP:127.0.0.1'] })
const VERIFIED = `sslmode=verify-full&channel_binding=require&sslrootcert=${authority.caFile}`

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    // Nobody gets in over TCP without TLS.
    const server = await startSaas(major, {
      settings: { ssl: 'on' },
      hba: ['hostnossl all all all reject'],
      files: { 'server.crt': own.cert, 'server.key': own.key },
    })
    t.teardown(() => server.stop())
    for (const mode of ['transaction', 'session']) {
      const proxy = await startTestProxy(settingsWith(server, VERIFIED, mode))
      t.teardown(() => proxy.stop())
      for (const tenant of ['acme', 'globex', 'initech']) {
        await t.test(`${mode}, ${tenant}`, (t) => testTenant(t, proxy, tenant))
      }
      await t.test(`${mode}: cancel`, (t) => testCancel(t, proxy, server))
      await t.test(`${mode}: a slow client`, (t) => testSlowClient(t, proxy, server))
    }
    await t.test('a certificate that is not accepted', (t) => testRefusal(t, server))
    await t.test('a reload of the files', (t) => testReload(t, server))
  })
}

/** The tenants' servers, with parameters behind their URLs. */
function settingsWith(
  server: PostgresServer,
  parameters: string,
  mode = 'transaction',
): Record<string, unknown> {
  const encrypted = {
    ...server,
    url: (...of: Parameters<typeof server.url>) => `${server.url(...of)}?${parameters}`,
  }
  return saasSettings(encrypted, { pool: { mode, size: 1 }, timeouts: { waitMs: 5000 } })
}

function logIn(proxy: TestProxy, tenant: string): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
}

async function testTenant(t: Test, proxy: TestProxy, tenant: string): Promise<void> {
  const client = await logIn(proxy, tenant)
  t.strictSame(rows(await client.ask(query(IS_ENCRYPTED))), ['t'])
  t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), [tenant])
  const [big] = rows(await client.ask(query(`SELECT repeat('x', ${BIG_BYTES})`)))
  t.equal(big?.length, BIG_BYTES)
  const length = await client.ask(query(`SELECT length('${'y'.repeat(BIG_BYTES)}')`))
  t.strictSame(rows(length), [String(BIG_BYTES)])
  await client.end()
}

async function testCancel(t: Test, proxy: TestProxy, server: PostgresServer): Promise<void> {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: 'app.globex', password: PASSWORD })
  const answer = client.ask(query('SELECT pg_sleep(60)'))
  await until(async () => (await sql(server, 'postgres', SLEEPERS)).length === 1)
  await sendCancel(proxy.port, keyOf(frames))
  t.strictSame(sqlStates(await answer), ['57014'])
  t.strictSame(rows(await client.ask(query('SELECT 1'))), ['1'])
  await client.end()
}

async function testSlowClient(t: Test, proxy: TestProxy, server: PostgresServer): Promise<void> {
  const client = await logIn(proxy, 'globex')
  client.socket.pause()
  client.send(query(FLOOD))
  // Neither the proxy nor TLS keeps what nobody reads: the server itself has to wait.
  await until(async () => (await sql(server, 'postgres', BLOCKED)).length === 1)
  client.socket.resume()
  const frames = await client.upTo('Z')
  t.equal(frames.filter(({ code }) => code === 'D').length, FLOOD_ROWS)
  await client.end()
}

async function testRefusal(t: Test, server: PostgresServer): Promise<void> {
  const parameters = `sslmode=verify-full&sslrootcert=${stranger.caFile}`
  const proxy = await startTestProxy(settingsWith(server, parameters))
  t.teardown(() => proxy.stop())
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: 'app.acme', password: PASSWORD })
  t.equal(codes(frames).at(-1), 'E')
  t.strictSame(sqlStates(frames), ['08001'])
  t.notMatch(String(frames.at(-1)?.body), /certificate|127\.0\.0\.1/)
  t.match(proxy.log(), /TLS: .*certificate/)
  await client.closed
}

async function testReload(t: Test, server: PostgresServer): Promise<void> {
  const rootFile = join(authority.folder, `moving-${server.port}.crt`)
  const settings = settingsWith(server, `sslmode=verify-full&sslrootcert=${rootFile}`)
  await writeFile(rootFile, stranger.own.cert)
  const proxy = await startTestProxy(settings)
  t.teardown(() => proxy.stop())
  const refused = await RawClient.connect(proxy.port)
  const login = { user: 'app.acme', password: PASSWORD }
  t.strictSame(sqlStates(await refused.logIn(login)), ['08001'])
  await writeFile(rootFile, authority.own.cert)
  proxy.reload(testConfig(settings))
  const client = await logIn(proxy, 'acme')
  t.strictSame(rows(await client.ask(query(IS_ENCRYPTED))), ['t'])
  await client.end()
}
