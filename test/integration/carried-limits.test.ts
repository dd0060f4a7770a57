import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { query, type RawFrame, rows } from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import {
  ask,
  backendOf,
  endAll,
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

/** Say whom the connection acts for: never carried on shared servers. */
const PLACES = [
  ["SELECT set_config('search_path', '', false)", 'search_path', 'RESET search_path'],
  ['SET search_path = pg_catalog', 'search_path', 'SET search_path TO DEFAULT'],
  ["SET SCHEMA 'information_schema'", 'search_path', 'RESET ALL'],
  ["SET app.tenant_id = '99'", 'app.tenant_id', 'RESET app.tenant_id'],
  [
    "DO $$ BEGIN PERFORM set_config('app.tenant_id', '98', false); END $$",
    'app.tenant_id',
    'DISCARD ALL',
  ],
  ['SET ROLE pg_read_all_settings', 'role', 'RESET ROLE'],
] as const

onBoth(t, async (t, server) => {
  await sql(server, 'postgres', 'GRANT pg_read_all_settings TO pool')
  const house = await open(t, server)
  const trusting = await open(t, server, { isolation: { level: 'convenience' } })
  for (const { strategy, first, second } of PAIRS) {
    await t.test(`${strategy}: more than may be carried`, (t) => tooMuch(t, server, first))
    await t.test(`${strategy}: other letters`, (t) => otherLetters(t, house, first))
    if (strategy === 'database') continue
    await t.test(`${strategy}: whom it acts for is not carried`, async (t) => {
      for (const place of PLACES) {
        await placePins(t, trusting, { mine: first, other: second, place })
      }
    })
    await t.test(`${strategy}: what a function hides stays with its tenant`, (t) =>
      hiddenInFunction(t, house, first, second),
    )
  }
  await t.test('database: as pg_dump does', (t) => asPgDump(t, house))
})

async function tooMuch(t: Test, server: PostgresServer, tenant: string): Promise<void> {
  const house = await open(t, server, { limits: { maxCarriedBytes: 64 } })
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const name = 'n'.repeat(40)
  await run(client, "SET TimeZone = 'Asia/Tokyo'")
  t.strictSame(await run(rival, 'SELECT 1'), ['1'], 'still shared')
  await run(client, `SET application_name = '${name}'`)
  const pid = await backendOf(client)
  rival.send(query(PID))
  await untilWaiting(house, 1)
  t.equal(await pins(house), 1)
  t.strictSame(await run(client, 'SHOW application_name'), [name])
  await run(client, 'RESET application_name')
  t.strictSame(await nextRows(rival), [String(pid)])
  t.not((await run(rival, 'SHOW application_name'))[0], name)
  t.strictSame(await run(client, 'SHOW TimeZone'), ['Asia/Tokyo'])
  await endAll(client, rival)
}

/** Sent in LATIN1: the byte is no UTF-8. */
async function otherLetters(t: Test, house: House, tenant: string): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const expected = rows(await ask(rival, 'SHOW application_name'))
  await run(client, "SET client_encoding = 'LATIN1'")
  await run(rival, 'SELECT 1')
  const shown = async () => bodyOf(await ask(client, "SELECT 'ü', current_setting('bytea_output')"))
  const before = await shown()
  await client.ask(latin1("SET bytea_output = escape; SELECT 'ü'"))
  t.strictSame(await run(rival, "SELECT 'ü'"), ['ü'], 'another client has its own encoding')
  await client.ask(latin1("SET application_name = 'Müller'"))
  const own = await ask(client, 'SHOW application_name')
  t.match(rows(own)[0], /^M.*ller$/)
  const again = await ask(client, 'SHOW application_name')
  t.strictSame(bodyOf(again), bodyOf(own), 'stays what it was')
  t.not((await shown()).equals(before), true)
  await client.end()
  t.strictSame(rows(await ask(rival, 'SHOW application_name')), expected)
  await rival.end()
}

function latin1(text: string): Buffer {
  const body = Buffer.from(`${text}\0`, 'latin1')
  const head = Buffer.from('Q\0\0\0\0', 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

function bodyOf(frames: readonly RawFrame[]): Buffer {
  return frames.find(({ code }) => code === 'D')?.body ?? Buffer.alloc(0)
}

interface Placing {
  readonly mine: string
  readonly other: string
  readonly place: (typeof PLACES)[number]
}

async function placePins(t: Test, house: House, { mine, other, place }: Placing): Promise<void> {
  const [text, name, back] = place
  const [client, neighbour, stranger] = await Promise.all([
    logIn(house, mine),
    logIn(house, mine),
    logIn(house, other),
  ])
  const own = (await run(client, `SHOW ${name}`))[0]
  const before = await pins(house, 'set')
  await run(client, text)
  for (const rival of [neighbour, stranger]) rival.send(query('SELECT owner FROM items'))
  await untilWaiting(house, 2)
  t.not((await run(client, `SHOW ${name}`))[0], own, text)
  await untilWaiting(house, 2)
  t.equal(await pins(house, 'set'), before + 1, `${text}: pinned`)
  await run(client, back)
  t.strictSame(await nextRows(neighbour), [mine], `${back}: shared again`)
  t.strictSame(await nextRows(stranger), [other])
  t.equal((await run(client, `SHOW ${name}`))[0], own, back)
  await run(client, text)
  for (const rival of [neighbour, stranger]) rival.send(query('SELECT owner FROM items'))
  await untilWaiting(house, 2)
  await client.end()
  t.strictSame(await nextRows(neighbour), [mine], `${text}: gone with its client`)
  t.strictSame(await nextRows(stranger), [other])
  await endAll(neighbour, stranger)
}

async function asPgDump(t: Test, house: House): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, 'acme'), logIn(house, 'acme')])
  const before = await pins(house)
  await run(client, "SELECT pg_catalog.set_config('search_path', '', false)")
  t.strictSame(await run(rival, 'SELECT owner FROM items'), ['acme'])
  t.strictSame(await run(client, 'SHOW search_path'), [''])
  t.strictSame(await run(rival, 'SELECT owner FROM items'), ['acme'])
  t.strictSame(await run(client, 'SELECT owner FROM public.items'), ['acme'])
  t.equal(await pins(house), before, 'carried')
  await endAll(client, rival)
}

/** A function of the tenant's own that sets something tells nobody: only its tenant may see it. */
async function hiddenInFunction(
  t: Test,
  house: House,
  ...[mine, other]: [string, string]
): Promise<void> {
  const [client, stranger] = await Promise.all([logIn(house, mine), logIn(house, other)])
  await run(
    client,
    `CREATE OR REPLACE FUNCTION hides() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('my.secret', 'x', false), set_config('work_mem', '7MB', false), pg_advisory_lock(5); LISTEN news; CREATE TEMP TABLE IF NOT EXISTS items AS SELECT 'x' AS owner; END $$`,
  )
  const pid = await backendOf(client)
  await run(client, 'SELECT hides()')
  t.strictSame(await run(stranger, LEFTOVERS), [], 'nothing for another tenant')
  t.strictSame(await run(stranger, 'SELECT owner FROM items'), [other])
  t.equal(await backendOf(stranger), pid, 'on the same connection')
  await run(client, 'DROP FUNCTION hides()')
  await endAll(client, stranger)
}
