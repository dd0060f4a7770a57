import t, { type Test } from 'tap'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  codes,
  fields,
  query,
  RawClient,
  type RawFrame,
  rows,
  sqlStates,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const NAMES = [
  'client_encoding',
  'DateStyle',
  'TimeZone',
  'application_name',
  'work_mem',
  'statement_timeout',
]
const SHOW = `SELECT ${NAMES.map((name) => `current_setting('${name}')`).join(', ')}, owner FROM items`

/** Two clients of one tenant that want different things. */
const ONE = {
  client_encoding: 'LATIN1',
  DateStyle: 'German, DMY',
  TimeZone: 'Asia/Kathmandu',
  application_name: "it's one\\",
  options: '-c work_mem=7MB --statement-timeout=4321',
}
const ONE_SHOWN = ["LATIN1|German, DMY|Asia/Kathmandu|it's one\\|7MB|4321ms"]
const TWO = { datestyle: 'SQL, MDY', timezone: 'America/Lima', application_name: 'two' }
const TWO_SHOWN = ['UTF8|SQL, MDY|America/Lima|two|4MB|0']

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    for (const mode of ['transaction', 'session']) {
      const proxy = await startTestProxy(saasSettings(server, { pool: { mode, size: 1 } }))
      t.teardown(() => proxy.stop())
      for (const tenant of ['acme', 'globex', 'initech']) {
        await t.test(`${mode}, ${tenant}`, async (t) => {
          await alternate(t, proxy, { tenant, mode })
          await greets(t, proxy, tenant)
          await refuses(t, proxy, tenant)
        })
      }
    }
    const proxy = await startTestProxy(saasSettings(server))
    t.teardown(() => proxy.stop())
    await t.test('search_path', (t) => searchPaths(t, proxy))
  })
}

function logIn(
  proxy: TestProxy,
  tenant: string,
  parameters: Readonly<Record<string, string>>,
): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD, parameters })
}

async function alternate(
  t: Test,
  proxy: TestProxy,
  { tenant, mode }: { readonly tenant: string; readonly mode: string },
): Promise<void> {
  const of = (shown: readonly string[]) => shown.map((values) => normal(`${values}|${tenant}`))
  for (let round = 0; round < 3; round++) {
    const one = await logIn(proxy, tenant, ONE)
    t.strictSame(rows(await one.ask(query(SHOW))).map(normal), of(ONE_SHOWN))
    if (mode === 'session') await one.end()
    const two = await logIn(proxy, tenant, TWO)
    t.strictSame(rows(await two.ask(query(SHOW))).map(normal), of(TWO_SHOWN))
    if (mode === 'session') {
      await two.end()
      continue
    }
    t.strictSame(rows(await one.ask(query(SHOW))).map(normal), of(ONE_SHOWN), 'one, again')
    const three = await logIn(proxy, tenant, {})
    const shown = rows(await three.ask(query(SHOW)))[0]?.split('|')
    t.equal(shown?.[0], 'UTF8')
    t.equal(shown?.[3], '', 'no name of another client')
    t.equal(shown?.[4], '4MB')
    t.strictSame(rows(await two.ask(query(SHOW))).map(normal), of(TWO_SHOWN), 'two, again')
    const euro = await one.ask(query(`SELECT '€'`))
    t.equal(codes(euro), 'TDCZ')
    await Promise.all([one.end(), two.end(), three.end()])
  }
}

/** `statement_timeout` is shown in the biggest unit that fits. */
function normal(row: string): string {
  return row.replace('|4321ms|', '|4321|').replace('|4321ms', '|4321')
}

async function greets(t: Test, proxy: TestProxy, tenant: string): Promise<void> {
  // Twice: what the proxy remembers must be what the server says.
  for (let round = 0; round < 2; round++) {
    for (const [parameters, zone, name] of [
      [ONE, 'Asia/Kathmandu', ONE.application_name],
      [TWO, 'America/Lima', 'two'],
    ] as const) {
      const client = await RawClient.connect(proxy.port)
      const login = { user: `app.${tenant}`, password: PASSWORD, parameters }
      const reported = reports(await client.logIn(login))
      t.equal(reported.get('TimeZone'), zone)
      t.equal(reported.get('application_name'), name)
      t.equal(reported.get('client_encoding'), parameters === ONE ? 'LATIN1' : 'UTF8')
      t.equal(reported.get('DateStyle'), parameters === ONE ? 'German, DMY' : 'SQL, MDY')
      t.ok(reported.get('server_version'))
      await client.end()
    }
  }
}

function reports(frames: readonly RawFrame[]): Map<string, string> {
  return new Map(
    frames
      .filter(({ code }) => code === 'S')
      .map(({ body }) => body.toString().split('\0'))
      .map(([name = '', value = '']) => [name, value]),
  )
}

async function refuses(t: Test, proxy: TestProxy, tenant: string): Promise<void> {
  const cases: readonly [Record<string, string>, string][] = [
    [{ TimeZone: 'Mars/Olympus' }, '22023'],
    [{ client_encoding: 'KLINGON' }, '22023'],
    [{ options: '-c work_mem=lots' }, '22023'],
    [{ options: '-c no_such_setting=1' }, '42704'],
    [{ no_such_setting: '1' }, '42704'],
    [{ options: '-c shared_buffers=1GB' }, '55P02'],
    [{ options: '-c log_min_messages=panic' }, '42501'],
  ]
  for (const [parameters, sqlState] of cases) {
    const client = await RawClient.connect(proxy.port)
    const frames = await client.logIn({ user: `app.${tenant}`, password: PASSWORD, parameters })
    t.strictSame(sqlStates(frames), [sqlState], JSON.stringify(parameters))
    t.equal(fields(frames.at(-1))['S'], 'FATAL')
    await client.closed
  }
  const next = await logIn(proxy, tenant, TWO)
  t.equal(codes(await next.ask(query(SHOW))), 'TDCZ', 'the next client is served')
  await next.end()
}

async function searchPaths(t: Test, proxy: TestProxy): Promise<void> {
  const cases: readonly [string, string, string | undefined][] = [
    ['globex', 'tenant_hooli', '42501'],
    ['globex', 'tenant_globex, tenant_hooli', '42501'],
    ['globex', '"$user", public', '42501'],
    ['globex', 'pg_temp', '42501'],
    ['globex', 'tenant_globex', undefined],
    ['globex', ' TENANT_globex , pg_catalog', undefined],
    ['globex', 'tenant_globex,', '22023'],
    ['initech', 'tenant_globex', '42501'],
    ['initech', 'public', undefined],
    ['acme', 'public', undefined],
    ['acme', 'public, nowhere', undefined],
  ]
  for (const [tenant, path, sqlState] of cases) {
    for (const parameters of [
      { search_path: path },
      { options: `-c search_path=${path.replaceAll(' ', '\\ ')}` },
    ]) {
      const client = await RawClient.connect(proxy.port)
      const frames = await client.logIn({ user: `app.${tenant}`, password: PASSWORD, parameters })
      t.strictSame(sqlStates(frames), sqlState === undefined ? [] : [sqlState], `${tenant} ${path}`)
      if (sqlState === undefined) {
        t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), [tenant])
        await client.end()
      }
    }
  }
  for (const parameters of [
    { role: 'pool' },
    { session_authorization: 'postgres' },
    { 'app.tenant_id': '43' },
    { 'APP.TENANT_ID': '43' },
    { options: '-c app.tenant_id=43' },
    { options: '--app.tenant-id=43' },
  ]) {
    const client = await RawClient.connect(proxy.port)
    const frames = await client.logIn({ user: 'app.initech', password: PASSWORD, parameters })
    t.strictSame(sqlStates(frames), ['42501'], JSON.stringify(parameters))
  }
}
