import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD } from '../support/proxy.ts'
import {
  codes,
  fields,
  keyOf,
  query,
  RawClient,
  rows,
  sendCancel,
  sqlStates,
} from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import { until } from '../support/until.ts'
import {
  ask,
  backendOf,
  closed,
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

const PIN = 'LISTEN news'
const OWNER = 'SELECT owner FROM items'

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first, second } of PAIRS) {
    const other = strategy === 'database' ? first : second
    const cases = {
      backendKilled,
      backendKilledAsked,
      goneWhileAsked,
      cancelled,
      timeLimitOfAMs,
      unanswered,
    }
    for (const [name, work] of Object.entries(cases)) {
      await t.test(`${strategy}: ${name}`, (t) => work(t, house, { mine: first, other }))
    }
    await t.test(`${strategy}: a full pool`, (t) => fullPool(t, server, first))
    await t.test(`${strategy}: limits of time`, (t) => timeouts(t, server, first))
    await t.test(`${strategy}: drain`, (t) => drains(t, server, first))
  }
})

interface Tenants {
  readonly mine: string
  readonly other: string
}

async function backendKilled(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const [holder, rival] = await Promise.all([logIn(house, mine), logIn(house, other)])
  await run(holder, PIN)
  const pid = await backendOf(holder)
  rival.send(query(PID))
  await untilWaiting(house, 1)
  await sql(house.server, 'postgres', `SELECT pg_terminate_backend(${pid})`)
  const last = await holder.toEnd()
  t.strictSame(sqlStates(last), ['57P01'])
  t.equal(fields(last.at(-1))['S'], 'FATAL')
  t.not((await nextRows(rival))[0], String(pid), 'a new connection serves the next')
  t.strictSame(await run(rival, OWNER), [other])
  await rival.end()
}

/** Its own termination is the last that the backend does before it is asked. */
async function backendKilledAsked(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const [holder, rival] = await Promise.all([logIn(house, mine), logIn(house, other)])
  const lockText = `${PIN}; SELECT pg_terminate_backend(pg_backend_pid())`
  const frames = await ask(holder, lockText)
  t.strictSame(sqlStates(frames), ['57P01'])
  await holder.closed
  t.strictSame(await run(rival, OWNER), [other])
  t.strictSame(await run(rival, LEFTOVERS), [])
  await rival.end()
}

async function goneWhileAsked(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const rival = await logIn(house, other)
  const [pid, before] = [await backendOf(rival), await closed(house)]
  for (const text of [PIN, "SET lock_timeout = 77; SET work_mem = '7MB'", 'DO $$ BEGIN END $$']) {
    for (const isPolite of [true, false]) {
      const holder = await logIn(house, mine)
      // Its end comes right behind the reply that brings the question about.
      holder.send(query(text))
      await holder.upTo('Z')
      if (isPolite) await holder.end()
      else holder.socket.destroy()
      t.equal(await backendOf(rival), pid, `${text}: the connection lives`)
      t.strictSame(await run(rival, LEFTOVERS), [], `${text}: nothing left`)
    }
  }
  t.equal(await closed(house), before)
  await rival.end()
}

async function cancelled(t: Test, house: House, { mine }: Tenants): Promise<void> {
  const holder = await RawClient.connect(house.proxy.port)
  const key = keyOf(await holder.logIn({ user: `app.${mine}`, password: PASSWORD }))
  await run(holder, PIN)
  const pid = await backendOf(holder)
  for (let round = 0; round < 3; round++) {
    holder.send(query('SELECT pg_sleep(60)'))
    await until(async () => (await sleepers(house.server)) === 1)
    await sendCancel(house.proxy.port, key)
    t.strictSame(sqlStates(await holder.upTo('Z')), ['57014'])
    t.strictSame(await run(holder, LEFTOVERS), ['channel news'])
    t.equal(await backendOf(holder), pid, 'still its own connection')
  }
  await holder.end()
}

async function sleepers(server: PostgresServer): Promise<number> {
  const text = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`
  return (await sql(server, 'postgres', text)).length
}

/** The client's own limit may keep the server from answering: it is pinned, and goes on. */
async function timeLimitOfAMs(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const [holder, rival] = await Promise.all([logIn(house, mine), logIn(house, other)])
  for (let round = 0; round < 20; round++) {
    await run(holder, 'SET statement_timeout = 1')
    rival.send(query(OWNER))
    // Its next word ends a pin for a question that had no answer.
    await insist(holder, 'SET statement_timeout = 0')
    t.strictSame(await nextRows(rival), [other], 'the link of the next client works')
    await run(holder, 'SET statement_timeout = 1')
    await ask(holder, `DO $$ BEGIN PERFORM set_config('work_mem', '7MB', false); END $$`)
    await ask(holder, 'CREATE TEMP TABLE IF NOT EXISTS mine ()')
    await insist(holder, 'SET statement_timeout = 0')
    t.strictSame(await run(holder, OWNER), [mine], 'it goes on')
    await run(holder, 'DISCARD ALL')
    t.strictSame(await run(rival, LEFTOVERS), [])
  }
  await ask(holder, "SET statement_timeout = 1; SET work_mem = '9MB'")
  await holder.end()
  t.strictSame(await run(rival, LEFTOVERS), [])
  await rival.end()
}

async function insist(client: RawClient, text: string): Promise<void> {
  while (sqlStates(await ask(client, text)).length > 0);
}

/** What makes every question fail: the client's own functions can't, so its time limit does. */
async function unanswered(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const [holder, rival] = await Promise.all([logIn(house, mine), logIn(house, other)])
  const before = await pins(house, 'unknown')
  let rounds = 0
  while ((await pins(house, 'unknown')) === before && rounds < 500) {
    rounds += 1
    await ask(holder, "SET work_mem = '7MB'; SET statement_timeout = 1")
    await ask(holder, 'DO $$ BEGIN END $$')
  }
  t.comment(`unanswered after ${rounds} rounds`)
  await insist(holder, 'SET statement_timeout = 0')
  t.strictSame(await run(holder, 'SHOW work_mem'), ['7MB'], 'it goes on')
  await holder.end()
  t.strictSame(await run(rival, LEFTOVERS), [])
  t.strictSame(await run(rival, OWNER), [other])
  await rival.end()
}

async function fullPool(t: Test, server: PostgresServer, tenant: string): Promise<void> {
  const waitMs = 300
  const house = await open(t, server, { pool: { size: 2 }, timeouts: { waitMs } })
  const clients = await Promise.all([1, 2, 3, 4].map(() => logIn(house, tenant)))
  const [one, two, three, four] = clients
  if (!one || !two || !three || !four) throw new Error('no client')
  await run(one, PIN)
  await run(two, PIN)
  const startMs = performance.now()
  const refused = await ask(three, 'SELECT 1')
  t.strictSame(sqlStates(refused), ['53300'])
  t.ok(performance.now() - startMs >= waitMs - 5, 'after its wait')
  t.strictSame(await run(two, LEFTOVERS), ['channel news'], 'the pinned ones go on')
  four.send(query(OWNER))
  await untilWaiting(house, 1)
  await one.end()
  t.strictSame(rows(await four.upTo('Z')), [tenant], 'served when one leaves')
  t.strictSame(await run(four, LEFTOVERS), [])
  t.equal(await pins(house, 'listen'), 2)
  await endAll(two, three, four)
}

async function timeouts(t: Test, server: PostgresServer, tenant: string): Promise<void> {
  const idle = await open(t, server, { timeouts: { idleClientMs: 300 } })
  const holder = await logIn(idle, tenant)
  await run(holder, PIN)
  t.strictSame(sqlStates(await holder.toEnd()), ['57P05'], 'an idle client, pinned or not')
  const inTransaction = await open(t, server, { timeouts: { idleInTransactionMs: 300 } })
  const patient = await logIn(inTransaction, tenant)
  await run(patient, PIN)
  await run(patient, 'BEGIN')
  t.strictSame(sqlStates(await patient.toEnd()), ['25P03'])
  const next = await logIn(inTransaction, tenant)
  t.strictSame(await run(next, LEFTOVERS), [])
  await next.end()
}

async function drains(t: Test, server: PostgresServer, tenant: string): Promise<void> {
  const house = await open(t, server, { pool: { size: 2 } })
  const [idle, busy] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
  await run(idle, PIN)
  await run(busy, PIN)
  await run(busy, 'BEGIN')
  const drained = house.proxy.drain()
  t.strictSame(sqlStates(await idle.toEnd()), ['57P01'], 'pinned, but at rest')
  t.strictSame(await run(busy, OWNER), [tenant], 'a transaction goes on')
  busy.send(query('COMMIT'))
  const last = await busy.toEnd()
  t.equal(codes(last), 'CZE')
  t.strictSame(sqlStates(last), ['57P01'])
  await drained
}
