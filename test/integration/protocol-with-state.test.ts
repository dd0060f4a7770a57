import t, { type Test } from 'tap'
import {
  bind,
  codes,
  describe,
  execute,
  flush,
  frame,
  int16,
  int32,
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
  ask,
  backendOf,
  endAll,
  failures,
  type House,
  LEFTOVERS,
  logIn,
  nextRows,
  onBoth,
  open,
  PID,
  pins,
  run,
  untilWaiting,
} from './state-fixture.ts'

/** Object ids of functions, the same in every Postgres. */
const INT4PL = 177
const PG_ADVISORY_LOCK = 2880

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first } of PAIRS) {
    const cases = {
      'a copy between settings': copyBetweenSettings,
      'a copy that fails behind a setting': copyFails,
      'RESET before a copy, and behind it': resetAroundCopy,
      FunctionCall: functionCalls,
      'a pipeline by Flush, over transactions': flushed,
      'portals with row limits': portals,
      'long texts that make state': longTexts,
      'requests that come while the server is asked': sentWhileAsked,
    }
    for (const [name, work] of Object.entries(cases)) {
      await t.test(`${strategy}: ${name}`, (t) => work(t, house, first))
    }
  }
})

const copyData = (line: string) => frame('d', Buffer.from(`${line}\n`))
const copyDone = frame('c')
const copyFail = (reason: string) => frame('f', Buffer.from(`${reason}\0`))

async function copyBetweenSettings(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  await run(client, 'CREATE TABLE copied (a int)')
  client.send(query("SET lock_timeout = 77; COPY copied FROM STDIN; SET TimeZone = 'Asia/Tokyo'"))
  t.equal(codes(await client.upTo('G')), 'CG')
  const done = await client.ask(copyData('1'), copyData('2'), copyDone)
  t.equal(codes(done), 'CCSZ')
  t.strictSame(await run(rival, 'SHOW lock_timeout'), ['0'])
  t.strictSame(await run(client, 'SHOW lock_timeout'), ['77ms'])
  t.strictSame(await run(client, 'SHOW TimeZone'), ['Asia/Tokyo'])
  const out = await ask(client, 'SET lock_timeout = 88; COPY copied TO STDOUT; LISTEN news')
  t.equal(codes(out), 'CHddcCCZ')
  rival.send(query(PID))
  await untilWaiting(house, 1)
  t.strictSame(await run(client, LEFTOVERS), ['channel news', 'setting lock_timeout 88'])
  await run(client, 'UNLISTEN *; DROP TABLE copied')
  t.equal((await nextRows(rival)).length, 1)
  await endAll(client, rival)
}

async function copyFails(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  await run(client, 'CREATE TABLE copied (a int)')
  client.send(query('SET lock_timeout = 77; LISTEN news; COPY copied FROM STDIN'))
  t.equal(codes(await client.upTo('G')), 'CCG')
  t.strictSame(sqlStates(await client.ask(copyFail('enough'))), ['57014'])
  t.strictSame(await run(rival, LEFTOVERS), [])
  t.strictSame(await run(client, LEFTOVERS), [], 'undone with the rest of the string')
  await run(client, 'DROP TABLE copied')
  await endAll(client, rival)
}

async function resetAroundCopy(t: Test, house: House, tenant: string): Promise<void> {
  const client = await logIn(house, tenant, { options: '-c statement_timeout=5000' })
  const rival = await logIn(house, tenant)
  await run(client, 'CREATE TABLE copied (a int)')
  for (const text of [
    'RESET statement_timeout; COPY copied FROM STDIN',
    'COPY copied FROM STDIN; RESET statement_timeout',
    'SELECT 1; COPY copied FROM STDIN; RESET ALL',
  ]) {
    await run(client, 'SET statement_timeout = 60000')
    client.send(query(text))
    await client.upTo('G')
    const done = await client.ask(copyData('1'), copyDone)
    t.strictSame(sqlStates(done), [], text)
    await run(rival, 'SELECT 1')
    t.strictSame(await run(client, 'SHOW statement_timeout'), ['5s'], text)
    t.strictSame(await run(client, 'SELECT owner FROM items'), [tenant], text)
  }
  t.strictSame(await run(client, 'SELECT count(*) FROM copied'), ['3'])
  // Within one string a shared connection rests behind RESET ALL: it sees nobody's tables.
  const inOne = await failures(client, 'RESET ALL; SELECT owner FROM items')
  t.strictSame(inOne, tenant === 'acme' ? [] : ['42P01'])
  t.strictSame(await run(client, 'SELECT owner FROM items'), [tenant])
  await run(client, 'DROP TABLE copied')
  await endAll(client, rival)
}

function call(oid: number, bytes: readonly Buffer[]): Buffer {
  const values = bytes.flatMap((value) => [int32(value.length), value])
  return frame('F', int32(oid), int16(1), int16(1), int16(bytes.length), ...values, int16(1))
}

async function functionCalls(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  for (let round = 0; round < 3; round++) {
    const frames = await client.ask(call(INT4PL, [int32(40), int32(2 + round)]))
    t.equal(withoutReports(frames), 'VZ')
    t.equal(frames.at(-2)?.body.readInt32BE(4), 42 + round)
    t.strictSame(await run(rival, 'SELECT owner FROM items'), [tenant])
  }
  const before = await pins(house, 'advisoryLock')
  const key = Buffer.alloc(8)
  key.writeInt32BE(9, 4)
  t.equal(codes(await client.ask(call(PG_ADVISORY_LOCK, [key]))), 'VZ')
  rival.send(query(LEFTOVERS))
  await untilWaiting(house, 1)
  t.strictSame(await run(client, LEFTOVERS), ['lock 9'])
  t.equal(await pins(house, 'advisoryLock'), before + 1)
  await client.end()
  t.strictSame(await nextRows(rival), [])
  await rival.end()
}

/** Postgres 18 reports the search_path, which may be written in another way than before. */
function withoutReports(frames: readonly RawFrame[]): string {
  return codes(frames).replaceAll('S', '')
}

async function flushed(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const step = (text: string) => [parse('', text), bind('', ''), execute(), flush]
  client.send(...step('BEGIN'))
  await client.upTo('C')
  client.send(...step("SELECT set_config('lock_timeout', '77', false)"))
  await client.upTo('C')
  client.send(...step('COMMIT'))
  await client.upTo('C')
  rival.send(query('SHOW lock_timeout'))
  client.send(...step('SELECT owner FROM items'))
  t.strictSame(rows(await client.upTo('C')), [tenant])
  t.equal(codes(await client.ask(sync)), 'Z')
  t.strictSame(await nextRows(rival), ['0'])
  t.strictSame(await run(client, 'SHOW lock_timeout'), ['77ms'])
  client.send(...step('LISTEN news'), ...step('SELECT nonsense'), ...step('SELECT 1'))
  t.strictSame(sqlStates(await client.upTo('E')), ['42703'])
  t.equal(codes(await client.ask(sync)), 'Z')
  t.strictSame(await run(rival, LEFTOVERS), [])
  await endAll(client, rival)
}

async function portals(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const pid = await backendOf(client)
  await run(client, 'BEGIN')
  rival.send(query(PID))
  const text = 'SELECT generate_series(1, 5), owner FROM items'
  const first = await client.ask(parse('series', text), bind('p', 'series'), execute('p', 2), sync)
  t.equal(codes(first), '12DDsZ')
  await untilWaiting(house, 1)
  t.strictSame(rows(await client.ask(execute('p', 2), sync)), [`3|${tenant}`, `4|${tenant}`])
  const last = await client.ask(describe('P', 'p'), execute('p', 0), sync)
  t.equal(codes(last), 'TDCZ')
  await run(client, 'COMMIT')
  t.strictSame(await nextRows(rival), [String(pid)])
  t.strictSame(await failuresOf(client, execute('p', 0), sync), ['34000'], 'gone with it')
  await endAll(client, rival)
}

async function failuresOf(client: RawClient, ...bytes: readonly Buffer[]) {
  const frames: readonly RawFrame[] = await client.ask(...bytes)
  return sqlStates(frames)
}

async function longTexts(t: Test, house: House, tenant: string): Promise<void> {
  const long = `/* ${'x'.repeat(100_000)} */`
  const makes: readonly [string, string][] = [
    [`${long} LISTEN news`, 'channel news'],
    [`SET lock_timeout ${long} = 77`, 'setting lock_timeout 77'],
    [`CREATE TEMP TABLE mine (a int) ${long}`, 'relation mine'],
    [`SELECT pg_advisory_lock(3), length($$${long}$$)`, 'lock 3'],
  ]
  for (const [text, left] of makes) {
    for (const way of ['simple', 'extended', 'named'] as const) {
      const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
      if (way !== 'named') await run(client, text, way)
      else await client.ask(parse('long', text), bind('', 'long'), execute(), sync)
      rival.send(query(LEFTOVERS))
      if (left.startsWith('setting')) t.strictSame(await nextRows(rival), [], `${way}, ${left}`)
      else await untilWaiting(house, 1)
      t.strictSame(await run(client, LEFTOVERS), [left], `${way}, ${left}`)
      await client.end()
      if (!left.startsWith('setting')) t.strictSame(await nextRows(rival), [], `${way}, ${left}`)
      await rival.end()
    }
  }
}

/** The question stands between the client's requests, and nothing of it is seen. */
async function sentWhileAsked(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  for (let round = 0; round < 20; round++) {
    for (const text of [
      'LISTEN news',
      'SET lock_timeout = 77',
      'UNLISTEN *',
      'DO $$ BEGIN END $$',
    ]) {
      client.send(query(text))
    }
    client.send(parse('', 'SELECT owner FROM items'), bind('', ''), execute(), sync)
    rival.send(query(LEFTOVERS))
    for (let reply = 0; reply < 4; reply++) t.equal(withoutReports(await client.upTo('Z')), 'CZ')
    const last = await client.upTo('Z')
    t.equal(codes(last), '12DCZ')
    t.strictSame(rows(last), [tenant])
    t.strictSame(await nextRows(rival), [])
    t.strictSame(await failures(client, 'RESET ALL'), [])
  }
  await endAll(client, rival)
}
