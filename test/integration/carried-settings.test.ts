import t, { type Test } from 'tap'
import type { RawClient } from '../support/raw-client.ts'
import { rows } from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import {
  ask,
  backendOf,
  endAll,
  type House,
  logIn,
  onBoth,
  open,
  PROTOCOLS,
  type Protocol,
  pins,
  reports,
  run,
} from './state-fixture.ts'

/** A way to set, the setting, and its value as SHOW says it. */
const WAYS = [
  ["SET TimeZone = 'Asia/Tokyo'", 'TimeZone', 'Asia/Tokyo'],
  ["SET SESSION timezone TO 'Asia/Kathmandu'", 'TimeZone', 'Asia/Kathmandu'],
  ["SET TIME ZONE 'America/Lima'", 'TimeZone', 'America/Lima'],
  ["SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", 'TimeZone', '<-08>+08'],
  ["SELECT set_config('TimeZone', 'Europe/Oslo', false)", 'TimeZone', 'Europe/Oslo'],
  ["SELECT set_zone('Asia/Tokyo')", 'TimeZone', 'Asia/Tokyo'],
  [
    "DO $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Dubai', false); END $$",
    'TimeZone',
    'Asia/Dubai',
  ],
  ['SET datestyle = German, DMY', 'DateStyle', 'German, DMY'],
  ['SET IntervalStyle TO iso_8601', 'IntervalStyle', 'iso_8601'],
  ["SET application_name = 'it''s; \\ me'", 'application_name', "it's; \\ me"],
  ["SET NAMES 'LATIN1'", 'client_encoding', 'LATIN1'],
  ["SET client_encoding = 'WIN1252'", 'client_encoding', 'WIN1252'],
  ['SET standard_conforming_strings = off', 'standard_conforming_strings', 'off'],
  ['SET statement_timeout = 54321', 'statement_timeout', '54321ms'],
  ["SET statement_timeout TO '2min'", 'statement_timeout', '2min'],
  ['SET lock_timeout TO 4321', 'lock_timeout', '4321ms'],
  ["SELECT set_config('lock_timeout', '7s', false)", 'lock_timeout', '7s'],
  [
    "SET default_transaction_isolation = 'repeatable read'",
    'default_transaction_isolation',
    'repeatable read',
  ],
  [
    'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    'default_transaction_isolation',
    'serializable',
  ],
  ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'default_transaction_read_only', 'on'],
  ['SET bytea_output = escape', 'bytea_output', 'escape'],
  ['SET extra_float_digits = 0', 'extra_float_digits', '0'],
  ['SELECT 1; SET lock_timeout = 99; SELECT 2', 'lock_timeout', '99ms'],
] as const

/** Ways back to the value that the session began with. */
const BACK = (name: string) => [
  `RESET ${name}`,
  `SET ${name} TO DEFAULT`,
  `SET SESSION ${name} = DEFAULT`,
  'RESET ALL',
  'DISCARD ALL',
]

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first, second } of PAIRS) {
    const maker = await logIn(house, first)
    await run(
      maker,
      `CREATE FUNCTION set_zone(zone text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('TimeZone', zone, false); END $$`,
    )
    await maker.end()
    const crowd = {
      house,
      mine: first,
      others: strategy === 'database' ? [first] : [first, second],
    }
    await t.test(`${strategy}: settings follow their client`, async (t) => {
      for (const [text, name, value] of WAYS) {
        for (const protocol of text.includes('SELECT 2') ? ['simple' as const] : PROTOCOLS) {
          await follows(t, crowd, { text, name, value, protocol })
        }
      }
    })
    await t.test(`${strategy}: settings of transactions`, (t) => transactions(t, crowd))
    await t.test(`${strategy}: back to what the session began with`, (t) => backToStart(t, crowd))
    await t.test(`${strategy}: each client is told its own values`, (t) => tellsEach(t, crowd))
  }
  const wide = { house, mine: 'acme', others: ['acme'] }
  await t.test('database: search_path', (t) =>
    follows(t, wide, {
      text: 'SET search_path = pg_catalog, public',
      name: 'search_path',
      value: 'pg_catalog, public',
      protocol: 'simple',
    }),
  )
})

interface Crowd {
  readonly house: House
  readonly mine: string
  readonly others: readonly string[]
}

interface Carried {
  readonly text: string
  readonly name: string
  readonly value: string
  readonly protocol: Protocol
}

async function show(client: RawClient, name: string): Promise<string | undefined> {
  return (await run(client, `SHOW ${name}`))[0]
}

async function follows(t: Test, { house, mine, others }: Crowd, carried: Carried): Promise<void> {
  const { text, name, value, protocol } = carried
  const client = await logIn(house, mine)
  const rivals = await Promise.all(others.map((tenant) => logIn(house, tenant)))
  const defaults = await Promise.all(rivals.map((rival) => show(rival, name)))
  t.notOk(defaults.includes(value), `${text}: makes a difference`)
  const before = await pins(house)
  await run(client, text, protocol)
  for (let round = 0; round < 2; round++) {
    for (const [index, rival] of rivals.entries()) {
      t.equal(await show(rival, name), defaults[index], `${text}: unseen by others`)
      t.equal(await backendOf(rival), await backendOf(client), 'on one connection')
    }
    t.equal(await show(client, name), value, `${protocol}, ${text}`)
  }
  t.equal(await pins(house), before, `${text}: no pin`)
  await endAll(client, ...rivals)
}

async function transactions(t: Test, { house, mine }: Crowd): Promise<void> {
  const [client, rival] = await Promise.all([logIn(house, mine), logIn(house, mine)])
  const set = "SET TimeZone = 'Asia/Tokyo'; SET lock_timeout = 77"
  const cases: readonly (readonly [readonly string[], boolean])[] = [
    [['BEGIN', set, 'ROLLBACK'], false],
    [['BEGIN', set, 'SELECT 1/0', 'COMMIT'], false],
    [['BEGIN', 'SAVEPOINT s', set, 'ROLLBACK TO SAVEPOINT s', 'COMMIT'], false],
    [['BEGIN', set.replaceAll('SET', 'SET LOCAL'), 'COMMIT'], false],
    [
      ["SELECT set_config('TimeZone', 'Asia/Tokyo', true), set_config('lock_timeout', '77', true)"],
      false,
    ],
    [[`${set}; SELECT 1/0`], false],
    [['BEGIN', 'SAVEPOINT s', set, 'RELEASE s', 'COMMIT'], true],
    [['BEGIN', set, 'SAVEPOINT s', 'RESET ALL', 'ROLLBACK TO s', 'COMMIT'], true],
    [['BEGIN', 'RESET ALL', 'ROLLBACK'], true],
    [['BEGIN', 'RESET TimeZone', 'RESET lock_timeout', 'SELECT 1/0', 'ROLLBACK'], true],
    [['BEGIN', 'RESET TimeZone', 'RESET lock_timeout', 'COMMIT'], false],
  ]
  const zone = await show(rival, 'TimeZone')
  for (const [texts, isKept] of cases) {
    for (const text of texts) await ask(client, text)
    const expected = isKept ? ['Asia/Tokyo', '77ms'] : [zone, '0']
    t.equal(await show(rival, 'TimeZone'), zone)
    t.equal(await show(client, 'TimeZone'), expected[0], texts.join('; '))
    t.equal(await show(rival, 'lock_timeout'), '0')
    t.equal(await show(client, 'lock_timeout'), expected[1], texts.join('; '))
  }
  await endAll(client, rival)
}

async function backToStart(t: Test, { house, mine }: Crowd): Promise<void> {
  const parameters = {
    TimeZone: 'Asia/Kathmandu',
    options: '-c statement_timeout=5000 -c work_mem=7MB',
  }
  const before = await pins(house)
  for (const [name, start, set, value] of [
    ['statement_timeout', '5s', '60000', '1min'],
    ['TimeZone', 'Asia/Kathmandu', "'Asia/Tokyo'", 'Asia/Tokyo'],
  ] as const) {
    for (const back of BACK(name)) {
      const [client, rival] = await Promise.all([
        logIn(house, mine, parameters),
        logIn(house, mine),
      ])
      await run(client, `SET ${name} = ${set}`)
      await show(rival, name)
      t.equal(await show(client, name), value)
      await run(client, back)
      t.equal(await show(client, name), start, `${back}: at once`)
      t.not(await show(rival, name), start)
      t.equal(await show(client, name), start, `${back}: and on`)
      t.equal(await show(client, 'work_mem'), '7MB', back)
      t.strictSame(await run(client, 'SELECT owner FROM items'), [mine], back)
      await endAll(client, rival)
    }
  }
  t.equal(await pins(house), before, 'no pin')
}

async function tellsEach(t: Test, { house, mine }: Crowd): Promise<void> {
  const zones = ['Asia/Tokyo', 'America/Lima']
  const clients = await Promise.all(zones.map(() => logIn(house, mine)))
  for (const [index, client] of clients.entries()) {
    const told = reports(await ask(client, `SET TimeZone = '${zones[index]}'`))
    t.strictSame(told, { TimeZone: zones[index] }, 'told once')
  }
  for (let round = 0; round < 3; round++) {
    for (const [index, client] of clients.entries()) {
      const frames = await ask(client, 'SHOW TimeZone')
      t.strictSame(rows(frames), [zones[index]])
      t.strictSame(reports(frames), {}, 'what it knows is not told again')
    }
  }
  await endAll(...clients)
}
