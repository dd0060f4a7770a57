import t, { type Test } from 'tap'
import { sql } from '../support/postgres.ts'
import {
  bind,
  close,
  codes,
  describe,
  execute,
  flush,
  parse,
  query,
  type RawClient,
  type RawFrame,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import {
  backendOf,
  endAll,
  failures,
  type House,
  logIn,
  onBoth,
  open,
  PROTOCOLS,
  pins,
  run,
} from './state-fixture.ts'

const MAX_HELD = 4
const HELD = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'pgusher%'"

onBoth(t, async (t, server) => {
  const small = { maxPreparedStatements: MAX_HELD, maxPreparedBytes: 2000 }
  const house = await open(t, server, { pool: { size: 1, ...small } })
  const wide = await open(t, server, { pool: { size: 2, ...small } })
  for (const { strategy, first } of PAIRS) {
    const cases = {
      'a name is each client’s own': ownNames,
      'names in use and unknown ones': takenNames,
      'DEALLOCATE and DISCARD by SQL': deallocates,
      'EXECUTE of a statement of the protocol': executes,
      'errors over several Syncs': errorsOverSyncs,
      'the unnamed statement follows its client': unnamedFollows,
      'bounds in count and bytes': bounds,
    }
    for (const [name, work] of Object.entries(cases)) {
      await t.test(`${strategy}: ${name}`, (t) => work(t, house, first))
    }
    await t.test(`${strategy}: on whichever connection`, (t) => onEveryConnection(t, wide, first))
    await t.test(`${strategy}: tables that change`, (t) => stalePlans(t, wide, first))
  }
})

function use(client: RawClient, name: string, values: readonly string[] = []) {
  return client.ask(bind('', name, values), execute(), sync)
}

async function prepare(client: RawClient, name: string, text: string): Promise<string> {
  return codes(await client.ask(parse(name, text), sync))
}

async function ownNames(t: Test, house: House, tenant: string): Promise<void> {
  const clients = await Promise.all([1, 2, 3].map(() => logIn(house, tenant)))
  for (const [index, client] of clients.entries()) {
    t.equal(await prepare(client, 'mine', `SELECT owner, ${index} FROM items`), '1Z')
  }
  for (let round = 0; round < 3; round++) {
    for (const [index, client] of clients.entries()) {
      t.strictSame(rows(await use(client, 'mine')), [`${tenant}|${index}`])
    }
  }
  await endAll(...clients)
}

async function takenNames(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  await prepare(client, 'mine', 'SELECT 1')
  await run(rival, 'SELECT 1')
  t.strictSame(sqlStates(await client.ask(parse('mine', 'SELECT 2'), sync)), ['42P05'])
  t.strictSame(rows(await use(client, 'mine')), ['1'])
  t.strictSame(sqlStates(await use(rival, 'mine')), ['26000'], 'not another client’s')
  t.strictSame(sqlStates(await rival.ask(describe('S', 'mine'), sync)), ['26000'])
  t.equal(codes(await rival.ask(close('S', 'mine'), sync)), '3Z', 'to close nothing is no error')
  t.strictSame(rows(await use(client, 'mine')), ['1'])
  t.equal(codes(await client.ask(close('S', 'mine'), sync)), '3Z')
  t.strictSame(sqlStates(await use(client, 'mine')), ['26000'])
  t.equal(await prepare(client, 'mine', 'SELECT 3'), '1Z')
  t.strictSame(rows(await use(client, 'mine')), ['3'])
  await endAll(client, rival)
}

async function deallocates(t: Test, house: House, tenant: string): Promise<void> {
  const before = await pins(house)
  for (const protocol of PROTOCOLS) {
    for (const [text, isWhole] of [
      ['DEALLOCATE "Mine"', false],
      ['DEALLOCATE PREPARE "Mine"', false],
      ['DEALLOCATE ALL', true],
      ['DISCARD ALL', true],
    ] as const) {
      const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
      await prepare(client, 'Mine', 'SELECT owner FROM items')
      await prepare(client, 'other', 'SELECT 2')
      await prepare(rival, 'Mine', 'SELECT owner FROM items')
      await run(client, text, protocol)
      t.strictSame(sqlStates(await use(client, 'Mine')), ['26000'], `${protocol}, ${text}`)
      t.strictSame(sqlStates(await use(client, 'other')), isWhole ? ['26000'] : [])
      t.strictSame(rows(await use(rival, 'Mine')), [tenant], 'another client keeps its own')
      t.equal(await prepare(client, 'Mine', 'SELECT owner FROM items'), '1Z')
      t.strictSame(rows(await use(client, 'Mine')), [tenant])
      if (!isWhole) t.strictSame(await failures(client, 'DEALLOCATE nothing', protocol), ['26000'])
      await endAll(client, rival)
    }
  }
  t.equal(await pins(house), before, 'no pin')
}

async function executes(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  await prepare(client, 'mine', 'SELECT owner, $1::int + 1 FROM items')
  for (let round = 0; round < 2; round++) {
    t.strictSame(await failures(rival, 'EXECUTE mine(1)'), ['26000'])
    t.strictSame(await run(client, 'EXECUTE mine(1)'), [`${tenant}|2`])
    t.strictSame(await run(client, 'SELECT 0; EXECUTE mine(2)'), ['0', `${tenant}|3`])
    t.strictSame(rows(await use(client, 'mine', ['41'])), [`${tenant}|42`])
  }
  await endAll(client, rival)
}

async function errorsOverSyncs(t: Test, house: House, tenant: string): Promise<void> {
  const client = await logIn(house, tenant)
  client.send(
    ...[parse('a', 'SELECT 1'), parse('bad', 'SELECT nonsense'), parse('b', 'SELECT 2'), sync],
    ...[parse('b', 'SELECT 3'), bind('', 'a'), execute(), bind('', 'bad'), execute(), sync],
    ...[bind('', 'b'), execute(), close('S', 'a'), sync],
    ...[bind('', 'a'), execute(), parse('c', 'SELECT 4'), sync],
    ...[parse('c', 'SELECT 5'), bind('', 'c'), execute(), sync],
  )
  const seen: (readonly RawFrame[])[] = []
  for (let number = 0; number < 5; number++) seen.push(await client.upTo('Z'))
  t.strictSame(seen.map(codes), ['1EZ', '12DCEZ', '2DC3Z', 'EZ', '12DCZ'])
  t.strictSame(seen.flatMap(sqlStates), ['42703', '26000', '26000'])
  t.strictSame(seen.flatMap(rows), ['1', '3', '5'])
  t.equal(await prepare(client, 'a', 'SELECT 6'), '1Z')
  t.strictSame(rows(await use(client, 'a')), ['6'])
  await client.end()
}

async function unnamedFollows(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const pid = await backendOf(client)
  for (let round = 0; round < 3; round++) {
    t.equal(await prepare(client, '', `SELECT owner, $1::int + ${round} FROM items`), '1Z')
    await rival.ask(parse('', "SELECT 'the rival’s'"), bind('', ''), execute(), sync)
    t.equal(await backendOf(rival), pid, 'used in between')
    t.strictSame(rows(await use(client, '', ['1'])), [`${tenant}|${1 + round}`])
    t.strictSame(sqlStates(await use(rival, '')), ['26000'], 'a simple query dropped the rival’s')
    t.equal(codes(await client.ask(describe('S', ''), sync)), 'tTZ')
    t.strictSame(rows(await use(client, '', ['2'])), [`${tenant}|${2 + round}`])
  }
  t.equal(codes(await client.ask(close('S', ''), sync)), '3Z')
  t.strictSame(sqlStates(await use(client, '', ['1'])), ['26000'])
  await endAll(client, rival)
}

async function bounds(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const both = [client, rival]
  const padding = ` /* ${'x'.repeat(900)} */`
  for (const [kind, held] of [
    ['', MAX_HELD],
    [padding, 2],
  ] as const) {
    const texts = Array.from(
      { length: MAX_HELD * 3 },
      (_, i) => `SELECT ${i}, owner FROM items${kind}`,
    )
    const clientOf = (index: number) => both[index % 2] ?? client
    for (const [i, text] of texts.entries()) await prepare(clientOf(i), `${i} ${kind.length}`, text)
    for (const [i] of [...texts.entries(), ...texts.entries()]) {
      t.strictSame(rows(await use(clientOf(i), `${i} ${kind.length}`)), [`${i}|${tenant}`])
    }
    t.strictSame(await run(client, HELD), [String(held)], 'the server holds no more')
  }
  await endAll(client, rival)
}

async function onEveryConnection(t: Test, house: House, tenant: string): Promise<void> {
  const [client, one, other] = await Promise.all([1, 2, 3].map(() => logIn(house, tenant)))
  if (client === undefined || one === undefined || other === undefined) throw new Error('no client')
  await prepare(client, 'mine', 'SELECT pg_backend_pid(), owner FROM items')
  const seen = new Set<string>()
  for (const holder of [one, other, one]) {
    const rest = holder === one ? other : one
    await run(holder, 'BEGIN')
    await run(rest, 'BEGIN')
    await run(rest, 'ROLLBACK')
    const [row = ''] = rows(await use(client, 'mine'))
    t.match(row, `|${tenant}`)
    seen.add(row)
    await run(rest, 'BEGIN')
    await run(holder, 'ROLLBACK')
    const [second = ''] = rows(await use(client, 'mine'))
    t.match(second, `|${tenant}`)
    seen.add(second)
    await run(rest, 'ROLLBACK')
  }
  t.equal(seen.size, 2, 'both connections served it')
  await endAll(client, one, other)
}

/** A client with the only connection of the two that is free, each in turn. */
async function onEach(house: House, tenant: string, work: () => Promise<void>): Promise<void> {
  const holders = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  for (const holder of holders) await run(holder, 'BEGIN')
  for (const holder of holders) {
    await run(holder, 'ROLLBACK')
    await work()
    await run(holder, 'BEGIN')
  }
  for (const holder of holders) await run(holder, 'ROLLBACK')
  await endAll(...holders)
}

async function stalePlans(t: Test, house: House, tenant: string): Promise<void> {
  const client = await logIn(house, tenant)
  const text = 'SELECT * FROM growing'
  await run(client, 'CREATE TABLE growing (a int); INSERT INTO growing VALUES (1)')
  await prepare(client, 'old', text)
  await onEach(house, tenant, async () => {
    t.strictSame(rows(await use(client, 'old')), ['1'])
  })
  const [schema] = await run(
    client,
    "SELECT relnamespace::regnamespace FROM pg_class WHERE relname = 'growing'",
  )
  const database = tenant === 'acme' ? 'acme' : 'saas'
  await sql(house.server, database, `ALTER TABLE ${schema}.growing ADD b int DEFAULT 2`)
  t.strictSame(sqlStates(await use(client, 'old')), ['0A000'], 'as on Postgres')
  const renewed = await client.ask(close('S', 'old'), parse('new', text), sync)
  t.equal(codes(renewed), '31Z')
  await onEach(house, tenant, async () => {
    t.strictSame(rows(await use(client, 'new')), ['1|2'], 'on every connection')
  })
  t.strictSame(sqlStates(await use(client, 'old')), ['26000'])
  client.send(parse('', text), bind('', ''), describe('P', ''), execute(), flush)
  t.equal(codes(await client.upTo('C')), '12TDC')
  await client.ask(sync)
  t.equal(codes(await client.ask(query('DROP TABLE growing'))), 'CZ')
  await client.end()
}
