import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { sql } from '../support/postgres.ts'
import {
  bind,
  execute,
  frame,
  parse,
  query,
  RawClient,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Served, servedSettings, serveReady } from '../support/served-proxy.ts'
import { until } from '../support/until.ts'

type Line = Readonly<Record<string, unknown>>

const secret = () => randomBytes(12).toString('hex')

/** Whatever must not be seen at any level. */
const SECRETS = {
  login: secret(),
  wrong: secret(),
  pool: secret(),
  acme: secret(),
  alice: secret(),
  asker: secret(),
  token: secret(),
  console: secret(),
  signing: randomBytes(32).toString('base64'),
} as const

/** What a client's texts are marked with. */
const MARK = 'mark-4711'

const server = await startSaas(18)
t.teardown(() => server.stop())
await sql(
  server,
  'postgres',
  `ALTER ROLE pool PASSWORD '${SECRETS.pool}';
   ALTER ROLE acme PASSWORD '${SECRETS.acme}';
   CREATE ROLE alice LOGIN PASSWORD '${SECRETS.alice}';
   CREATE ROLE asker LOGIN SUPERUSER PASSWORD '${SECRETS.asker}'`,
)

function settings(overrides: Line): Promise<Record<string, unknown>> {
  const url = server.url('saas', { user: 'pool', password: SECRETS.pool })
  const askerUrl = server.url('postgres', { user: 'asker', password: SECRETS.asker })
  const databaseUrl = server.url('acme', { user: 'acme', password: SECRETS.acme })
  return servedSettings(saasSettings(server), {
    servers: { shared: { url, authQuery: { url: askerUrl } } },
    tenants: [
      { name: 'acme', strategy: 'database', databaseUrl },
      { name: 'globex', strategy: 'schema', server: 'shared', timeouts: { queryMs: 300 } },
      { name: 'hooli', strategy: 'schema', server: 'shared' },
    ],
    logins: [
      { user: 'app', password: SECRETS.login, tenants: ['acme', 'globex'] },
      { user: '*', tenants: ['globex'] },
    ],
    isolation: { keys: [{ id: 'k1', key: SECRETS.signing }] },
    console: { logins: [{ user: 'ops', password: SECRETS.console, role: 'admin' }] },
    limits: { loginFailures: 1000 },
    ...overrides,
  })
}

function linesOf(served: Served): readonly Line[] {
  return served
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line))
}

function logIn(served: Served, tenant: string, login = { user: 'app', password: SECRETS.login }) {
  return RawClient.login(served.port, { ...login, parameters: { tenant } })
}

async function refusal(served: Served, tenant: string, password: string) {
  const client = await RawClient.connect(served.port)
  const frames = await client.logIn({ user: 'app', password, parameters: { tenant } })
  client.socket.destroy()
  return sqlStates(frames)
}

/** All that a client may do that could be told of. */
async function misbehave(t: Test, served: Served): Promise<void> {
  for (const tenant of ['acme', 'globex']) {
    const client = await logIn(served, tenant)
    await client.ask(query(`SELECT '${MARK}'`))
    await client.ask(parse('s', `SELECT $1, '${MARK}'`), bind('', 's', [MARK]), execute(), sync)
    t.strictSame(sqlStates(await client.ask(query(`SELECT '${MARK}'::int`))), ['22P02'])
    await client.ask(query(`DO $$ BEGIN RAISE NOTICE '${MARK}'; END $$`))
    await client.ask(query(`LISTEN "${MARK}"`))
    await client.ask(
      query('COPY items FROM STDIN'),
      frame('d', Buffer.from(`1\t${MARK}\n`)),
      frame('c'),
    )
    t.strictSame(sqlStates(await client.ask(query(`SELECT '${MARK}' FROM nosuch`))), ['42P01'])
    await client.end()
  }
  const client = await logIn(served, 'globex')
  t.strictSame(sqlStates(await client.ask(query(`SET search_path = '${MARK}'`))), ['42501'])
  t.strictSame(sqlStates(await client.ask(query(`SELECT '${MARK}', pg_sleep(60)`))), ['57014'])
  await client.end()
  t.strictSame(await refusal(served, 'acme', SECRETS.wrong), ['28P01'])
  t.strictSame(await refusal(served, 'hooli', SECRETS.login), ['28P01'])
  t.strictSame(await refusal(served, 'nowhere', SECRETS.login), ['28P01'])
}

/** Each is wrong in a way of its own, beside a secret or in it. */
function brokenFiles(config: Line): readonly string[] {
  const good = stringify(config)
  const { tenants, ...others } = config
  return [
    `${good}\nnosuch: ${SECRETS.wrong}\n`,
    `${good}\nadmin: { token: '${SECRETS.wrong}' }\n`,
    `${good}\nlog: { level: '${SECRETS.wrong} \n`,
    stringify({
      ...others,
      tenants: [{ name: 'acme', strategy: 'database', databaseUrl: SECRETS.acme }],
    }),
    stringify({
      ...config,
      tenants: [
        { name: 'a', strategy: 'database', databaseUrl: `mysql://acme:${SECRETS.acme}@h/d` },
        { name: 'b', strategy: 'database', databaseUrl: `postgresql://acme:${SECRETS.acme}@h:x/d` },
      ],
    }),
    stringify({ ...config, logins: [{ user: 'app', password: [SECRETS.login], tenants: '*' }] }),
    stringify({ ...config, isolation: { keys: [{ id: 'k1', key: SECRETS.token }] } }),
  ]
}

async function reloadBroken(t: Test, served: Served, config: Line): Promise<void> {
  const refused = () => linesOf(served).filter(({ event }) => event === 'configuration refused')
  for (const [index, text] of brokenFiles(config).entries()) {
    await writeFile(served.file, text)
    served.child.kill('SIGHUP')
    await until(() => refused().length === index + 1)
  }
  t.equal(refused().length, brokenFiles(config).length)
}

function holdsNoSecret(t: Test, output: string): void {
  for (const [name, value] of Object.entries(SECRETS)) t.notOk(output.includes(value), name)
  t.notMatch(output, /SCRAM-SHA-256\$|md5[0-9a-f]{32}/)
}

/** The events of one tenant, as operators see them. */
function eventsOf(served: Served, tenant: string): Map<unknown, Line> {
  const lines = linesOf(served).filter((line) => line['tenant'] === tenant)
  return new Map(lines.map((line) => [line['event'], line]))
}

const DEBUG_EVENTS = [
  'session opened',
  'server connection lent',
  'request done',
  'transaction done',
  'error reported',
  'session pinned',
  'session closed',
]

for (const method of ['scram-sha-256', 'md5', 'password']) {
  t.test(`at debug, with ${method}: no secret, and no text of a client`, async (t) => {
    const config = await settings({ log: { level: 'debug' }, auth: { method } })
    const served = await serveReady(t, config)
    await misbehave(t, served)
    if (method === 'scram-sha-256') {
      const alice = await logIn(served, 'globex', { user: 'alice', password: SECRETS.alice })
      await alice.end()
    }
    await reloadBroken(t, served, config)
    served.child.kill('SIGTERM')
    t.equal(await served.exited, 0)
    holdsNoSecret(t, served.output())
    t.notOk(served.output().includes(MARK))
    for (const tenant of ['acme', 'globex']) {
      const events = eventsOf(served, tenant)
      for (const event of DEBUG_EVENTS) {
        t.match(events.get(event), { level: 'debug', login: String, session: Number }, event)
      }
    }
  })
}

t.test('with log.sql: texts beside what they are about, and still no secret', async (t) => {
  const config = await settings({ log: { level: 'debug', sql: true } })
  const served = await serveReady(t, config)
  await misbehave(t, served)
  await reloadBroken(t, served, config)
  served.child.kill('SIGTERM')
  t.equal(await served.exited, 0)
  holdsNoSecret(t, served.output())
  const lines = linesOf(served)
  const shown = lines.filter((line) => JSON.stringify(line).includes(MARK))
  for (const { sql, ...others } of shown) {
    t.match(sql, MARK)
    t.notOk(JSON.stringify(others).includes(MARK), 'in that field alone')
  }
  t.strictSame(
    new Set(shown.map(({ event }) => event)),
    new Set([
      'request done',
      'error reported',
      'session pinned',
      'statement refused',
      'query timeout',
    ]),
  )
  const refused = lines.find(({ event }) => event === 'statement refused')
  t.equal(refused?.['sql'], `SET search_path = '${MARK}'`)
  const timeout = lines.find(({ event }) => event === 'query timeout')
  t.equal(timeout?.['sql'], `SELECT '${MARK}', pg_sleep(60)`)
})

t.test('one tenant at debug, while the others are at info', async (t) => {
  const token = SECRETS.token
  const config = await settings({})
  const admin = { ...(config['admin'] as { readonly port: number }), token }
  const served = await serveReady(t, { ...config, admin })
  const change = (method: string, query = '') =>
    fetch(`http://127.0.0.1:${admin.port}/log/tenants/globex${query}`, {
      method,
      headers: { Authorization: `Bearer ${token}` },
    })
  const open = await logIn(served, 'globex')
  const other = await logIn(served, 'acme')
  await open.ask(query('SELECT 1'))
  t.notOk(eventsOf(served, 'globex').has('request done'))

  const answer = await change('PUT', '?level=debug&forMs=600000')
  t.match(await answer.json(), { tenants: { globex: { level: 'debug', leftMs: Number } } })
  await other.ask(query('SELECT 1'))
  await open.ask(query('SELECT 1'))
  await until(() => eventsOf(served, 'globex').has('request done'))
  t.match(eventsOf(served, 'globex').get('request done'), { queries: 1, sentBytes: Number })
  t.equal(eventsOf(served, 'acme').size, 0)

  t.strictSame(await (await change('DELETE')).json(), { tenants: {} })
  const before = served.output()
  await open.ask(query('SELECT 1'))
  await open.end()
  await other.end()
  served.child.kill('SIGTERM')
  t.equal(await served.exited, 0)
  t.notMatch(served.output().slice(before.length), 'request done')
  t.ok(eventsOf(served, 'globex').has('tenant log level ended'))
})

t.test('a refused session says whom it was about, and why', async (t) => {
  const served = await serveReady(t, await settings({}))
  await refusal(served, 'acme', SECRETS.wrong)
  const client = await RawClient.connect(served.port)
  await client.logIn({ user: 'app', password: 'any' })
  const about = { level: 'info', event: 'session refused', login: 'app', client: '127.0.0.1' }
  const refused = () => linesOf(served).filter(({ event }) => event === 'session refused')
  await until(() => refused().length === 2)
  t.match(refused(), [
    { ...about, tenant: 'acme', code: 'AUTHENTICATION_FAILED', reason: 'wrongPassword' },
    { ...about, code: 'NO_TAG' },
  ])
  t.notOk('tenant' in (refused()[1] ?? {}))
})

t.test('a good day is quiet', async (t) => {
  const served = await serveReady(t, await settings({}))
  for (let round = 0; round < 3; round += 1) {
    const client = await logIn(served, 'acme')
    await client.ask(query('SELECT 1'))
    await client.end()
  }
  const idle = await logIn(served, 'globex')
  served.child.kill('SIGTERM')
  t.strictSame(sqlStates(await idle.toEnd()), ['57P01'])
  t.equal(await served.exited, 0)
  t.strictSame(
    linesOf(served).map(({ event }) => event),
    ['serving', 'draining', 'drained'],
  )
})
