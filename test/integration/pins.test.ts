import t, { type Test } from 'tap'
import { codes, query, type RawClient } from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import {
  ask,
  backendOf,
  closed,
  endAll,
  type House,
  LEFTOVERS,
  logIn,
  onBoth,
  open,
  PID,
  PROTOCOLS,
  type Protocol,
  pins,
  run,
  untilWaiting,
} from './state-fixture.ts'

/** A kind of state that pins: how it is made, seen to work, and undone in each of several ways. */
interface Kind {
  readonly name: string
  readonly reason: string
  readonly make: readonly string[]
  readonly works: readonly (readonly [sql: string, rows: readonly string[]])[]
  readonly undo: readonly string[]
}

const KINDS: readonly Kind[] = [
  {
    name: 'a setting that is not carried',
    reason: 'set',
    make: ["SET work_mem = '7MB'"],
    works: [['SHOW work_mem', ['7MB']]],
    undo: ['RESET work_mem', 'SET work_mem TO DEFAULT', 'RESET ALL', 'DISCARD ALL'],
  },
  {
    name: 'a setting by set_config, deep in a query',
    reason: 'set',
    make: [
      "WITH q AS (SELECT 1) SELECT (SELECT count(*) FROM (SELECT set_config('my.secret', 'x', false)) c) FROM q",
    ],
    works: [["SELECT current_setting('my.secret')", ['x']]],
    undo: ["SELECT set_config('my.secret', '', false)", 'RESET my.secret', 'DISCARD ALL'],
  },
  {
    name: 'a channel',
    reason: 'listen',
    make: ['LISTEN news', 'LISTEN "Old News"'],
    works: [['SELECT count(*) FROM pg_listening_channels()', ['2']]],
    undo: ['UNLISTEN *', 'DISCARD ALL'],
  },
  {
    name: 'a statement that SQL prepared',
    reason: 'prepare',
    make: ['PREPARE mine (int) AS SELECT $1 + 1'],
    works: [
      ['EXECUTE mine(1)', ['2']],
      ['EXECUTE mine(41)', ['42']],
    ],
    undo: ['DEALLOCATE mine', 'DEALLOCATE PREPARE ALL', 'DISCARD ALL'],
  },
  {
    name: 'a temporary table',
    reason: 'temp',
    make: ['CREATE TEMP TABLE mine (secret text)', "INSERT INTO mine VALUES ('x')"],
    works: [['SELECT secret FROM mine', ['x']]],
    undo: ['DROP TABLE mine', 'DISCARD TEMP', 'DISCARD ALL'],
  },
  {
    name: 'a temporary table by SELECT INTO',
    reason: 'temp',
    make: ["SELECT 'x' AS secret INTO TEMPORARY mine"],
    works: [['SELECT secret FROM mine', ['x']]],
    undo: ['DROP TABLE IF EXISTS pg_temp.mine'],
  },
  {
    name: 'a cursor WITH HOLD',
    reason: 'hold',
    make: ['DECLARE mine CURSOR WITH HOLD FOR SELECT generate_series(1, 3)'],
    works: [
      ['FETCH mine', ['1']],
      ['FETCH 2 FROM mine', ['2', '3']],
    ],
    undo: ['CLOSE mine', 'CLOSE ALL', 'DISCARD ALL'],
  },
  {
    name: 'an advisory lock',
    reason: 'advisoryLock',
    make: ['SELECT pg_advisory_lock(4711)'],
    works: [
      [
        "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        ['4711'],
      ],
    ],
    undo: [
      'SELECT pg_advisory_unlock(4711)',
      'SELECT 1 FROM (SELECT pg_advisory_unlock_all()) u',
      'DISCARD ALL',
    ],
  },
  {
    name: 'an advisory lock, tried for in a condition',
    reason: 'advisoryLock',
    make: ['SELECT owner FROM items WHERE pg_try_advisory_lock_shared(1, 2)'],
    works: [[PID, []]],
    undo: ['SELECT pg_advisory_unlock_shared(1, 2)'],
  },
]

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first, second } of PAIRS) {
    for (const kind of KINDS) {
      await t.test(`${strategy}: ${kind.name} pins until it is undone`, async (t) => {
        for (const protocol of PROTOCOLS) {
          for (const undo of kind.undo)
            await pinsUntilUndone(t, house, { tenant: first, kind, protocol, undo })
        }
      })
      await t.test(`${strategy}: ${kind.name} goes with its client`, async (t) => {
        const others = strategy === 'database' ? [first] : [first, second]
        for (const isPolite of [true, false]) {
          await goesWithClient(t, house, { kind, tenant: first, others, isPolite })
        }
      })
    }
    await t.test(`${strategy}: several kinds at once`, (t) => severalKinds(t, house, first))
  }
  await t.test('a listening client hears its channel', async (t) => {
    for (const { first } of PAIRS) await hears(t, house, first)
  })
  await t.test('what nothing undoes costs the connection', async (t) => {
    for (const { first } of PAIRS) await indelible(t, house, first)
  })
})

interface Undoing {
  readonly tenant: string
  readonly kind: Kind
  readonly protocol: Protocol
  readonly undo: string
}

async function pinsUntilUndone(
  t: Test,
  house: House,
  { tenant, kind, protocol, undo }: Undoing,
): Promise<void> {
  const said = `${protocol}, ${undo}`
  const [holder, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const before = await pins(house, kind.reason)
  for (const text of kind.make) await run(holder, text, protocol)
  rival.send(query(PID))
  await untilWaiting(house, 1)
  t.equal(await pins(house, kind.reason), before + 1, `${said}: counted once`)
  for (const [text, expected] of kind.works) {
    const found = await run(holder, text, protocol)
    if (expected.length > 0) t.strictSame(found, expected, `${said}: ${text}`)
  }
  const pid = await backendOf(holder)
  await run(holder, undo, protocol)
  t.strictSame(await nextRows(rival), [String(pid)], `${said}: shared again`)
  t.strictSame(await run(rival, LEFTOVERS), [], `${said}: nothing left`)
  t.equal(await backendOf(holder), pid, `${said}: the holder shares it too`)
  await endAll(holder, rival)
}

async function nextRows(client: RawClient): Promise<readonly string[]> {
  const frames = await client.upTo('Z')
  return frames.filter(({ code }) => code === 'D').map(({ body }) => body.toString('utf8', 6))
}

interface Leaving {
  readonly kind: Kind
  readonly tenant: string
  readonly others: readonly string[]
  readonly isPolite: boolean
}

async function goesWithClient(
  t: Test,
  house: House,
  { kind, tenant, others, isPolite }: Leaving,
): Promise<void> {
  const [holder, ...rivals] = await Promise.all(
    [tenant, ...others].map((name) => logIn(house, name)),
  )
  if (holder === undefined) throw new Error('nobody logged in')
  for (const text of kind.make) await run(holder, text)
  const pid = await backendOf(holder)
  for (const rival of rivals) rival.send(query(PID))
  await untilWaiting(house, rivals.length)
  if (isPolite) await holder.end()
  else holder.socket.destroy()
  for (const [index, rival] of rivals.entries()) {
    t.strictSame(await nextRows(rival), [String(pid)], 'the connection was reset and kept')
    t.strictSame(await run(rival, LEFTOVERS), [], 'nothing left')
    t.strictSame(await run(rival, 'SELECT owner FROM items'), [others[index]])
  }
  await endAll(...rivals)
}

async function severalKinds(t: Test, house: House, tenant: string): Promise<void> {
  const [holder, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  const before = await pins(house)
  await run(holder, "LISTEN a; SET work_mem = '9MB'; CREATE TEMP TABLE mine (); SELECT 1")
  const pid = await backendOf(holder)
  t.equal(await pins(house), before + 3)
  rival.send(query(PID))
  await untilWaiting(house, 1)
  for (const undo of ['UNLISTEN *', 'RESET work_mem']) {
    await run(holder, undo)
    await run(holder, 'SELECT 1')
    await untilWaiting(house, 1)
  }
  await run(holder, 'DROP TABLE mine')
  t.strictSame(await nextRows(rival), [String(pid)])
  await endAll(holder, rival)
}

async function hears(t: Test, house: House, tenant: string): Promise<void> {
  const listener = await logIn(house, tenant)
  const wide = await open(t, house.server)
  const speaker = await logIn(wide, tenant)
  await run(listener, 'LISTEN news')
  for (const word of ['one', 'two']) {
    await run(speaker, `NOTIFY news, '${word}'`)
    const frame = await listener.next()
    t.equal(frame?.code, 'A')
    t.equal(frame?.body.toString('utf8', 4), `news\0${word}\0`)
  }
  await run(listener, 'UNLISTEN news')
  await run(speaker, "NOTIFY news, 'three'")
  t.equal(codes(await ask(listener, 'SELECT 1')), 'TDCZ', 'no longer')
  await endAll(listener, speaker)
}

async function indelible(t: Test, house: House, tenant: string): Promise<void> {
  for (const [text, reason] of [
    ["LOAD 'plpgsql'", 'load'],
    ['SELECT setseed(0.5)', 'set'],
    ['SET SEED TO 0.5', 'set'],
  ] as const) {
    const [holder, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
    const [before, lost] = await Promise.all([pins(house, reason), closed(house, 'indelible')])
    await run(holder, text)
    const pid = await backendOf(holder)
    t.equal(await pins(house, reason), before + 1, text)
    rival.send(query(PID))
    await untilWaiting(house, 1)
    t.equal(await backendOf(holder), pid)
    await run(holder, 'DISCARD ALL')
    await untilWaiting(house, 1)
    await holder.end()
    t.not((await nextRows(rival))[0], String(pid), 'another connection')
    t.equal(await closed(house, 'indelible'), lost + 1)
    await rival.end()
  }
}
