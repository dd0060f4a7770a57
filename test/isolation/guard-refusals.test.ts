import t, { type Test } from 'tap'
import {
  ask,
  endAll,
  failures,
  type House,
  logIn,
  onBoth,
  open,
  PROTOCOLS,
  run,
} from '../integration/state-fixture.ts'
import { type PostgresServer, sql } from '../support/postgres.ts'
import {
  bind,
  codes,
  execute,
  fields,
  frame,
  int16,
  int32,
  parse,
  query,
  type RawClient,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings } from '../support/saas.ts'

const MODES = ['transaction', 'session'] as const
const OWNER = 'SELECT owner FROM items'
/** A tenant, where it is at home, and a place that is another's. */
interface Guest {
  readonly tenant: string
  readonly own: string
  readonly other: string
  readonly id: string
}

const GUESTS: Readonly<Record<'schema' | 'row', Guest>> = {
  schema: { tenant: 'globex', own: 'tenant_globex', other: 'tenant_hooli', id: '' },
  row: { tenant: 'initech', own: 'public', other: 'tenant_hooli', id: '42' },
}

function refused({ other }: Guest): Readonly<Record<string, string>> {
  return {
    [`SET search_path = ${other}`]: 'search_path',
    [`SET LOCAL search_path TO pg_catalog, "${other}"`]: 'search_path',
    [`SET SCHEMA '${other}'`]: 'search_path',
    [`SELECT set_config('search_path', '${other}', true)`]: 'search_path',
    [`SELECT pg_catalog . /* x */ "set_config"(E'search_path', '${other}', false)`]: 'search_path',
    "SET app.tenant_id = '43'": 'tenant_setting',
    "SET LOCAL App.Tenant_Id TO '43'": 'tenant_setting',
    "SELECT set_config('app.tenant_id', '43', true)": 'tenant_setting',
    'SET ROLE postgres': 'role',
    'SET LOCAL ROLE postgres': 'role',
    'SET SESSION AUTHORIZATION postgres': 'session_authorization',
    "SELECT set_config(n, 'x', false) FROM (VALUES ('search_path')) v (n)": 'unknown_setting',
    "UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'": 'unknown_setting',
    "SELECT U&\"!0073et_config\" UESCAPE E'\\041' ('role', 'x', false)": 'hidden_name',
    [`ALTER ROLE pool SET search_path = ${other}`]: 'alter_role',
    [`CREATE FUNCTION evil() RETURNS int LANGUAGE sql SET search_path = ${other} AS 'SELECT 1'`]:
      'search_path',
  }
}

function allowed({ own, id }: Guest): readonly string[] {
  return [
    "SELECT pg_catalog.set_config('search_path', '', false)",
    `SET search_path = ${own}, pg_catalog`,
    `SELECT set_config('search_path', '${own}', false)`,
    'SET search_path TO DEFAULT',
    'RESET search_path',
    'DISCARD ALL',
    'RESET ALL',
    'RESET ROLE',
    'SET ROLE NONE',
    'RESET SESSION AUTHORIZATION',
    `SET app.tenant_id = '${id}'`,
    `SELECT set_config('app.tenant_id', '${id}', false)`,
    "SET LOCAL work_mem = '7MB'",
    "SET work_mem = '7MB'",
    "SELECT set_config('my.setting', 'x', true)",
    'SELECT count(*) FROM pg_settings',
    "SELECT set_config(name, '8MB', false) FROM pg_settings WHERE name = 'work_mem'",
    'UPDATE items SET owner = owner WHERE owner IN (SELECT setting FROM pg_settings)',
  ]
}

onBoth(t, async (t, server) => {
  for (const mode of MODES) {
    const house = await open(t, server, { pool: { mode, size: 2 } })
    for (const [strategy, guest] of Object.entries(GUESTS)) {
      const where = `${strategy}, ${mode} mode`
      await t.test(`${where}: alone`, (t) => alone(t, house, guest))
      await t.test(`${where}: in transactions`, (t) => inTransactions(t, house, guest))
      await t.test(`${where}: in pipelines`, (t) => inPipelines(t, house, guest))
      await t.test(`${where}: what stays inside`, (t) => inside(t, house, guest))
    }
    await t.test(`database, ${mode} mode: all pass`, async (t) => {
      const client = await logIn(house, 'acme')
      t.strictSame(await failures(client, 'SET search_path = public; SET app.tenant_id = 1'), [])
      t.strictSame(await failures(client, 'SELECT set_config($$role$$, $$none$$, false)'), [])
      t.equal(codes(await client.ask(callOf('role', 'none'))), 'VZ')
      await client.end()
    })
    await t.test(`convenience, ${mode} mode: all pass`, (t) => convenient(t, server, mode))
  }
  await t.test('a role of the tenant', (t) => withRole(t, server))
})

async function alone(t: Test, house: House, guest: Guest): Promise<void> {
  const { tenant } = guest
  const client = await logIn(house, tenant)
  const before = await house.proxy.metric('pgusher_guard_refusals_total')
  let count = 0
  for (const [text, reason] of Object.entries(refused(guest))) {
    const ofReason = () => house.proxy.metric('pgusher_guard_refusals_total', { reason })
    const had = await ofReason()
    for (const protocol of PROTOCOLS) {
      const frames = await ask(client, text, protocol)
      t.equal(codes(frames), 'EZ', `${protocol}, ${text}`)
      const error = fields(frames[0])
      t.match(error, { C: '42501', S: 'ERROR', H: 'isolation.level' }, `${protocol}, ${text}`)
      t.equal(frames[1]?.body.toString(), 'I')
    }
    const named = await client.ask(parse('named', text), bind('', 'named'), execute(), sync)
    t.strictSame(sqlStates(named), ['42501'], `named, ${text}`)
    t.strictSame(sqlStates(await client.ask(bind('', 'named'), sync)), ['26000'], 'none was made')
    const behind = `INSERT INTO items VALUES (2, 'ran'); ${text}; SELECT 1`
    t.strictSame(await failures(client, behind), ['42501'], 'with others')
    t.strictSame(await run(client, OWNER, 'extended'), [tenant], 'nothing ran, and it goes on')
    t.equal(await ofReason(), had + 4, reason)
    count += 4
  }
  t.equal(await house.proxy.metric('pgusher_guard_refusals_total'), before + count)
  t.equal(linesOf(house, tenant).length, new Set(Object.values(refused(guest))).size)
  t.match(linesOf(house, tenant)[0], /"code":"GUARD_REFUSED".*"reason":"search_path"/)
  await client.end()
}

/** A FunctionCall of set_config, by its number. */
function callOf(name: string, value: string): Buffer {
  const texts = [name, value, 't'].flatMap((text) => [int32(text.length), Buffer.from(text)])
  return frame('F', int32(2078), int16(0), int16(3), ...texts, int16(0))
}

/** What the log says of refused statements of a tenant. */
function linesOf({ proxy }: House, tenant: string): readonly string[] {
  const lines = proxy.log().split('\n')
  return lines.filter((line) => line.includes('GUARD_REFUSED') && line.includes(`"${tenant}"`))
}

async function inTransactions(t: Test, house: House, guest: Guest): Promise<void> {
  const { tenant } = guest
  const client = await logIn(house, tenant)
  for (const text of Object.keys(refused(guest))) {
    for (const protocol of PROTOCOLS) {
      await run(client, 'BEGIN', protocol)
      const answer = await ask(client, text, protocol)
      t.strictSame(sqlStates(answer), ['42501'], text)
      t.equal(answer.at(-1)?.body.toString(), 'E', 'the transaction has failed')
      t.strictSame(await failures(client, 'SELECT 1', protocol), ['25P02'])
      t.equal((await ask(client, 'ROLLBACK', protocol)).at(-1)?.body.toString(), 'I')
    }
  }
  await run(client, 'BEGIN')
  await run(client, 'SAVEPOINT s')
  t.strictSame(await failures(client, 'SET LOCAL ROLE postgres'), ['42501'])
  await run(client, 'ROLLBACK TO SAVEPOINT s')
  t.strictSame(await run(client, OWNER), [tenant])
  await run(client, 'COMMIT')
  await client.end()
}

async function inPipelines(t: Test, house: House, guest: Guest): Promise<void> {
  const { tenant } = guest
  const client = await logIn(house, tenant)
  const batchOf = (text: string) => [parse('', text), bind('', ''), execute()]
  const bad = `SET search_path = ${guest.other}`
  client.send(...batchOf(OWNER), ...batchOf(bad), ...batchOf(OWNER), sync, ...batchOf(OWNER), sync)
  const first = await client.upTo('Z')
  t.equal(codes(first), '12DCEZ', 'the rest up to Sync is skipped')
  t.strictSame(sqlStates(first), ['42501'])
  t.strictSame(rows(await client.upTo('Z')), [tenant])
  client.send(callOf('search_path', guest.own), query(OWNER))
  t.strictSame(sqlStates(await client.upTo('Z')), ['42501'], 'nobody reads its arguments')
  t.strictSame(rows(await client.upTo('Z')), [tenant])
  client.send(query(bad), query(OWNER), query('SET ROLE postgres'), query(OWNER))
  t.strictSame(sqlStates(await client.upTo('Z')), ['42501'])
  t.strictSame(rows(await client.upTo('Z')), [tenant])
  t.strictSame(sqlStates(await client.upTo('Z')), ['42501'])
  t.strictSame(rows(await client.upTo('Z')), [tenant])
  await client.end()
}

async function inside(t: Test, house: House, guest: Guest): Promise<void> {
  const { tenant } = guest
  const before = await house.proxy.metric('pgusher_guard_refusals_total')
  for (const text of allowed(guest)) {
    for (const protocol of PROTOCOLS) {
      const client: RawClient = await logIn(house, tenant)
      t.strictSame(await failures(client, text, protocol), [], `${protocol}, ${text}`)
      await client.end()
    }
  }
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  for (const text of ['DISCARD ALL', 'RESET ALL', 'RESET search_path']) {
    await run(client, text)
    t.strictSame(await run(client, OWNER), [tenant], text)
    t.strictSame(await run(rival, OWNER), [tenant], text)
  }
  t.equal(await house.proxy.metric('pgusher_guard_refusals_total'), before)
  await endAll(client, rival)
}

async function convenient(t: Test, server: PostgresServer, mode: string): Promise<void> {
  const isolation = { level: 'convenience' }
  const house = await open(t, server, { pool: { mode, size: 2 }, isolation })
  for (const guest of Object.values(GUESTS)) {
    const client = await logIn(house, guest.tenant)
    for (const [text, reason] of Object.entries(refused(guest))) {
      if (reason !== 'search_path' || text.startsWith('CREATE')) continue
      for (const protocol of PROTOCOLS) {
        t.strictSame(await failures(client, text, protocol), [], `${protocol}, ${text}`)
      }
    }
    await client.end()
  }
  t.equal(await house.proxy.metric('pgusher_guard_refusals_total'), 0)
}

async function withRole(t: Test, server: PostgresServer): Promise<void> {
  await sql(server, 'saas', 'CREATE ROLE "Globex"; GRANT "Globex" TO pool')
  await sql(server, 'saas', 'GRANT ALL ON SCHEMA tenant_globex TO "Globex"')
  await sql(server, 'saas', 'GRANT ALL ON tenant_globex.items TO "Globex"')
  const { tenants, ...rest } = saasSettings(server)
  const [globex] = (tenants as Record<string, unknown>[]).filter(({ name }) => name === 'globex')
  for (const mode of MODES) {
    const pool = { mode, size: 2 }
    const house = await open(t, server, { ...rest, pool, tenants: [{ ...globex, role: 'Globex' }] })
    const client = await logIn(house, 'globex')
    for (const text of [
      'RESET ROLE',
      'SET ROLE NONE',
      'SET LOCAL ROLE pool',
      'SET SESSION AUTHORIZATION DEFAULT',
      "SELECT set_config('role', 'none', true)",
    ]) {
      for (const protocol of PROTOCOLS) {
        t.strictSame(await failures(client, text, protocol), ['42501'], `${protocol}, ${text}`)
      }
    }
    for (const text of [
      'SET ROLE "Globex"',
      "SET LOCAL ROLE 'Globex'",
      'RESET ALL',
      'DISCARD ALL',
    ]) {
      t.strictSame(await failures(client, text), [], text)
      t.strictSame(await run(client, 'SELECT current_user'), ['Globex'], text)
    }
    await client.end()
  }
}
