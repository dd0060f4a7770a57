import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import type { TestProxy } from '../support/proxy.ts'
import { fields, query, RawClient, type RawLogin, rows, sqlStates } from '../support/raw-client.ts'
import {
  firstValue,
  replicate,
  replicationLogin,
  startReplicatingProxy,
  startReplicatingSaas,
  walsenders,
} from '../support/replicating.ts'

interface Refusal {
  readonly name: string
  readonly login: RawLogin
  readonly sqlState: string
  readonly code: string
}

const { password } = replicationLogin('acme', 'true')
const BACKUP = "BASE_BACKUP (CHECKPOINT 'fast')"

function spelled(parameters: Readonly<Record<string, string>>): RawLogin {
  return { user: 'app.acme', password, parameters: { database: 'acme', ...parameters } }
}

/** acme may replicate all, umbrella its database, and the others nothing. */
const REFUSALS: readonly Refusal[] = [
  ...['globex', 'initech'].flatMap((tenant) =>
    ['database', 'true'].map((mode) => ({
      name: `${mode} for ${tenant}`,
      login: replicationLogin(tenant, mode),
      sqlState: '42501',
      code: 'REPLICATION_REFUSED',
    })),
  ),
  ...['true', 'on', '1', 'YES', 't'].map((mode) => ({
    name: `${mode} where the database alone is allowed`,
    login: replicationLogin('umbrella', mode),
    sqlState: '42501',
    code: 'REPLICATION_REFUSED',
  })),
  ...['DATABASE', ' true', 'true ', '', 'physical'].map((mode) => ({
    name: `'${mode}', which is no mode`,
    login: replicationLogin('acme', mode),
    sqlState: '22023',
    code: 'SETTING_REFUSED',
  })),
  ...[
    { options: '-c replication=database' },
    { options: '--replication=true' },
    { REPLICATION: 'true' },
    { Replication: 'database' },
    { options: '-c Replication=database' },
  ].map((parameters) => ({
    name: JSON.stringify(parameters),
    login: spelled(parameters),
    sqlState: '42704',
    code: 'SETTING_REFUSED',
  })),
  {
    name: 'a wrong password',
    login: { ...replicationLogin('globex', 'true'), password: 'wrong' },
    sqlState: '28P01',
    code: 'AUTHENTICATION_FAILED',
  },
  {
    name: 'an unknown tenant',
    login: replicationLogin('nobody', 'true'),
    sqlState: '28P01',
    code: 'AUTHENTICATION_FAILED',
  },
]

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startReplicatingSaas(major)
    t.teardown(() => server.stop())
    const proxy = await startReplicatingProxy(server, { acme: 'physical', umbrella: 'database' })
    t.teardown(() => proxy.stop())
    for (const refusal of REFUSALS) {
      await t.test(`refused: ${refusal.name}`, (t) => refused(t, { proxy, server }, refusal))
    }
    await t.test('replication that is off', (t) => switchedOff(t, proxy))
    await t.test('without the setting', (t) => withoutSetting(t, server))
    await t.test('commands that reach beyond the database', (t) => beyond(t, { proxy, server }))
    await t.test('the same commands where all is allowed', (t) => allAllowed(t, proxy))
    await t.test('a server login that may not replicate', (t) => noAttribute(t, server))
    await t.test('settings', (t) => settings(t, server))
    await t.test('too many', (t) => tooMany(t, server))
  })
}

interface House {
  readonly proxy: TestProxy
  readonly server: PostgresServer
}

async function refused(t: Test, { proxy, server }: House, refusal: Refusal): Promise<void> {
  const { client, frames } = await replicate(proxy, refusal.login)
  t.strictSame(sqlStates(frames), [refusal.sqlState])
  await client.closed
  t.match(proxy.log().trimEnd().split('\n').at(-1), `"code":"${refusal.code}"`)
  t.strictSame(await walsenders(server), [], 'the server was not asked')
}

async function switchedOff(t: Test, proxy: TestProxy): Promise<void> {
  for (const mode of ['false', 'off', '0', 'NO']) {
    const { client } = await replicate(proxy, replicationLogin('initech', mode))
    t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), ['initech'], mode)
    await client.end()
  }
}

async function withoutSetting(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startReplicatingProxy(server, {})
  t.teardown(() => proxy.stop())
  for (const mode of ['database', 'true']) {
    const { frames } = await replicate(proxy, replicationLogin('acme', mode))
    t.strictSame(sqlStates(frames), ['42501'])
    t.match(fields(frames.at(-1))['H'], /replication/, 'the hint names the setting')
  }
}

/** Postgres takes them over a logical replication connection as well. */
async function beyond(t: Test, { proxy, server }: House): Promise<void> {
  const direct = await RawClient.connect(server.port)
  await direct.logIn({
    user: 'umbrella',
    password: 'umbrella',
    parameters: { database: 'umbrella', replication: 'database' },
  })
  direct.send(query(BACKUP))
  await direct.upTo('H')
  direct.socket.destroy()
  const commands = [
    'BASE_BACKUP',
    ' base_backup (LABEL $$x$$)',
    'START_REPLICATION 0/1000000',
    'START_REPLICATION PHYSICAL 0/1000000',
    'CREATE_REPLICATION_SLOT s PHYSICAL',
    'TIMELINE_HISTORY 1',
    "SET pgusher.tenant = 'acme'",
  ]
  for (const command of commands) {
    const { client } = await replicate(proxy, replicationLogin('umbrella', 'database'))
    client.send(query(command))
    const frames = await client.toEnd()
    t.strictSame(sqlStates(frames), ['42501'], command)
    t.equal(frames.length, 1, 'and nothing else is said')
  }
  t.strictSame(await sql(server, 'postgres', 'SELECT 1 FROM pg_replication_slots'), [])
}

async function allAllowed(t: Test, proxy: TestProxy): Promise<void> {
  for (const mode of ['true', 'database']) {
    const { client } = await replicate(proxy, replicationLogin('acme', mode))
    t.match(await firstValue(client, 'IDENTIFY_SYSTEM'), /^\d+$/)
    client.send(query(BACKUP))
    t.strictSame(sqlStates(await client.upTo('H')), [], mode)
    client.socket.destroy()
  }
}

async function noAttribute(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startReplicatingProxy(server, { acme: 'physical' })
  t.teardown(() => proxy.stop())
  await sql(server, 'postgres', 'ALTER ROLE acme NOREPLICATION')
  const { frames } = await replicate(proxy, replicationLogin('acme', 'database'))
  await sql(server, 'postgres', 'ALTER ROLE acme REPLICATION')
  t.strictSame(sqlStates(frames), ['42501'])
  t.match(fields(frames.at(-1))['H'], /REPLICATION/)
  const { client } = await replicate(proxy, replicationLogin('acme', 'database'))
  t.equal(await firstValue(client, 'SELECT owner FROM items'), 'acme', 'the next one is let in')
  await client.end()
}

async function settings(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startReplicatingProxy(server, { acme: 'physical' })
  t.teardown(() => proxy.stop())
  const own = { application_name: 'mine', options: '-c work_mem=1MB' }
  for (const mode of ['database', 'true']) {
    const { client, frames } = await replicate(proxy, replicationLogin('acme', mode, own))
    const told = frames.filter(({ code }) => code === 'S').map(({ body }) => body.toString())
    t.ok(told.includes('application_name\0mine\0'), 'the greeting is that of the server')
    t.equal(await firstValue(client, 'SHOW work_mem'), '1MB')
    await client.end()
  }
  const wrong = replicationLogin('acme', 'database', { work_mem: 'much' })
  const { frames } = await replicate(proxy, wrong)
  t.strictSame(sqlStates(frames), ['22023'], 'in the words of the server')
  t.match(fields(frames.at(-1))['M'], /work_mem/)
}

async function tooMany(t: Test, server: PostgresServer): Promise<void> {
  const limits = { maxReplicationPerTenant: 2 }
  const proxy = await startReplicatingProxy(
    server,
    { acme: 'database', umbrella: 'database' },
    { limits },
  )
  t.teardown(() => proxy.stop())
  const login = replicationLogin('acme', 'database')
  const [first, second] = [await replicate(proxy, login), await replicate(proxy, login)]
  const third = await replicate(proxy, login)
  t.strictSame(sqlStates(third.frames), ['53300'])
  const other = await replicate(proxy, replicationLogin('umbrella', 'database'))
  t.equal(other.frames.at(-1)?.code, 'Z', 'another tenant is not touched')
  const ordinary = await RawClient.login(proxy.port, { user: 'app.acme', password })
  t.equal(await firstValue(ordinary, 'SELECT owner FROM items'), 'acme', 'nor are other sessions')
  await first.client.end()
  const fourth = await replicate(proxy, login)
  t.equal(fourth.frames.at(-1)?.code, 'Z', 'a place that was left is free')
  await Promise.all([second, other, fourth].map(({ client }) => client.end()))
  await ordinary.end()
}
