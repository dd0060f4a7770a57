import t, { type Test } from 'tap'
import {
  bind,
  codes,
  execute,
  fields,
  parse,
  query,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { PAIRS, saasSettings } from '../support/saas.ts'
import {
  ask,
  endAll,
  failures,
  type House,
  LEFTOVERS,
  logIn,
  onBoth,
  open,
  PROTOCOLS,
  pins,
  run,
} from './state-fixture.ts'

const REFUSED = [
  "SET work_mem = '7MB'",
  "SELECT set_config('my.secret', 'x', false)",
  "SELECT set_config(n, 'x', false) FROM (VALUES ('my.secret')) v (n)",
  'LISTEN news',
  'PREPARE mine AS SELECT 1',
  'CREATE TEMP TABLE mine ()',
  'SELECT 1 AS a INTO TEMP mine',
  'DECLARE mine CURSOR WITH HOLD FOR SELECT 1',
  'SELECT pg_advisory_lock(1)',
  'SELECT 1 WHERE pg_try_advisory_lock(1)',
  "LOAD 'plpgsql'",
  'SELECT setseed(0.5)',
  'SET ROLE NONE',
]

/** Not to be refused: nothing is left, or it is carried. */
const FREE = [
  "SET TimeZone = 'Asia/Tokyo'",
  "SELECT set_config('statement_timeout', '60s', false)",
  "SET LOCAL work_mem = '7MB'",
  "SELECT set_config('work_mem', '7MB', true)",
  'SELECT pg_advisory_xact_lock(1)',
  'UNLISTEN *',
  'RESET work_mem',
  'RESET ALL',
  'DISCARD ALL',
  "SELECT 'LISTEN news; SET work_mem = 1'",
]

const HIDDEN = [
  'DO $$ BEGIN LISTEN news; END $$',
  "DO $$ BEGIN PERFORM set_config('work_mem', '7MB', false); END $$",
  "DO $$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE mine ()'; END $$",
  'DO $$ BEGIN PERFORM pg_advisory_lock(1); END $$',
  'CALL prepares()',
  "SELECT query_to_xml('SELECT pg_advisory' || '_lock(1)', true, true, '')",
]

onBoth(t, async (t, server) => {
  const isolation = { level: 'convenience' }
  const everywhere = await open(t, server, { pool: { size: 1, pins: 'refuse' }, isolation })
  const { tenants, ...rest } = saasSettings(server)
  const records = (tenants as Record<string, unknown>[]).map((record) => ({
    ...record,
    ...(PAIRS.some(({ first }) => first === record['name']) ? { pool: { pins: 'refuse' } } : {}),
  }))
  const byTenant = await open(t, server, {
    ...rest,
    tenants: records,
    pool: { size: 1 },
    isolation,
  })
  for (const { strategy, first, second } of PAIRS) {
    const maker = await logIn(everywhere, first)
    await run(
      maker,
      'CREATE PROCEDURE prepares() LANGUAGE plpgsql AS $$ BEGIN PREPARE mine AS SELECT 1; END $$',
    )
    await maker.end()
    for (const [where, house] of Object.entries({ everywhere, byTenant })) {
      await t.test(`${strategy}, ${where}: refused`, (t) => refuses(t, house, first))
    }
    await t.test(`${strategy}: in transactions`, (t) => inTransactions(t, everywhere, first))
    await t.test(`${strategy}: in pipelines`, (t) => inPipelines(t, everywhere, first))
    await t.test(`${strategy}: state that hides is undone`, (t) => undone(t, everywhere, first))
    await t.test(`${strategy}: other tenants may pin`, async (t) => {
      const client = await logIn(byTenant, second)
      await run(client, 'LISTEN news')
      t.strictSame(await run(client, LEFTOVERS), ['channel news'])
      await client.end()
    })
  }
})

async function refuses(t: Test, house: House, tenant: string): Promise<void> {
  const client = await logIn(house, tenant)
  const before = await pins(house)
  for (const text of REFUSED) {
    for (const protocol of PROTOCOLS) {
      const frames = await ask(client, text, protocol)
      t.equal(codes(frames), 'EZ', `${protocol}, ${text}`)
      const error = fields(frames[0])
      t.equal(error['C'], '0A000', `${protocol}, ${text}`)
      t.equal(error['S'], 'ERROR')
      t.equal(frames[1]?.body.toString(), 'I')
    }
    const named = await client.ask(parse('named', text), bind('', 'named'), execute(), sync)
    t.strictSame(sqlStates(named), ['0A000'], `named, ${text}`)
    t.strictSame(await run(client, 'SELECT owner FROM items', 'extended'), [tenant], 'it goes on')
  }
  t.strictSame(await failures(client, 'SELECT 1; LISTEN news; SELECT 2'), ['0A000'])
  for (const text of FREE) {
    for (const protocol of PROTOCOLS) t.strictSame(await failures(client, text, protocol), [], text)
  }
  await run(client, "SET TimeZone = 'Asia/Tokyo'")
  const rival = await logIn(house, tenant)
  t.strictSame(await run(rival, LEFTOVERS), [])
  t.not((await run(rival, 'SHOW TimeZone'))[0], 'Asia/Tokyo')
  t.strictSame(await run(client, 'SHOW TimeZone'), ['Asia/Tokyo'], 'carried')
  t.equal(await pins(house), before, 'nobody was pinned')
  await endAll(client, rival)
}

async function inTransactions(t: Test, house: House, tenant: string): Promise<void> {
  const client = await logIn(house, tenant)
  for (const text of REFUSED) {
    for (const protocol of PROTOCOLS) {
      await run(client, 'BEGIN', protocol)
      const refused = await ask(client, text, protocol)
      t.strictSame(sqlStates(refused), ['0A000'], text)
      t.equal(refused.at(-1)?.body.toString(), 'E', 'the transaction has failed')
      t.strictSame(await failures(client, 'SELECT 1', protocol), ['25P02'])
      t.equal((await ask(client, 'ROLLBACK', protocol)).at(-1)?.body.toString(), 'I')
    }
  }
  await run(client, 'BEGIN')
  await run(client, 'SAVEPOINT s')
  t.strictSame(await failures(client, 'LISTEN news'), ['0A000'])
  await run(client, 'ROLLBACK TO SAVEPOINT s')
  t.strictSame(await run(client, 'SELECT owner FROM items'), [tenant])
  await run(client, 'COMMIT')
  t.strictSame(await run(client, LEFTOVERS), [])
  await client.end()
}

async function inPipelines(t: Test, house: House, tenant: string): Promise<void> {
  const client = await logIn(house, tenant)
  const select = [parse('', 'SELECT owner FROM items'), bind('', ''), execute()]
  const listen = [parse('', 'LISTEN news'), bind('', ''), execute()]
  client.send(...select, ...listen, ...select, sync, ...select, sync)
  const first = await client.upTo('Z')
  t.equal(codes(first), '12DCEZ', 'the rest up to Sync is skipped')
  t.strictSame(sqlStates(first), ['0A000'])
  const second = await client.upTo('Z')
  t.equal(codes(second), '12DCZ')
  t.strictSame(rows(second), [tenant])
  client.send(
    query('LISTEN news'),
    query('SELECT owner FROM items'),
    query('PREPARE x AS SELECT 1'),
  )
  t.strictSame(sqlStates(await client.upTo('Z')), ['0A000'])
  t.strictSame(rows(await client.upTo('Z')), [tenant])
  t.strictSame(sqlStates(await client.upTo('Z')), ['0A000'])
  t.strictSame(await run(client, LEFTOVERS), [])
  await client.end()
}

async function undone(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  for (const text of HIDDEN) {
    for (const protocol of PROTOCOLS) {
      await run(client, text, protocol)
      t.strictSame(await run(rival, LEFTOVERS), [], `${text}: unseen by others`)
      t.strictSame(await run(client, LEFTOVERS), [], `${text}: undone`)
    }
  }
  await endAll(client, rival)
}
