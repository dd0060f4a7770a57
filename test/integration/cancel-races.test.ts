import t, { type Test } from 'tap'
import { PASSWORD } from '../support/proxy.ts'
import {
  keyOf,
  query,
  RawClient,
  type RawKey,
  rows,
  sendCancel,
  sqlStates,
} from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import { endAll, type House, logIn, onBoth, open, run, untilWaiting } from './state-fixture.ts'

const ROUNDS = 100

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first, second } of PAIRS) {
    const other = strategy === 'database' ? first : second
    const tenants = { mine: first, other }
    await t.test(`${strategy}: while it waits`, (t) => whileWaiting(t, house, tenants))
    await t.test(`${strategy}: keys of others`, (t) => keysOfOthers(t, house, tenants))
    await t.test(`${strategy}: late cancels never hit the next client`, (t) =>
      lateCancels(t, house, tenants),
    )
  }
})

interface Tenants {
  readonly mine: string
  readonly other: string
}

async function keyed(house: House, tenant: string): Promise<[RawClient, RawKey]> {
  const client = await RawClient.connect(house.proxy.port)
  return [client, keyOf(await client.logIn({ user: `app.${tenant}`, password: PASSWORD }))]
}

async function whileWaiting(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const [waiter, key] = await keyed(house, mine)
  const holder = await logIn(house, other)
  await run(holder, 'BEGIN')
  for (const request of [
    'SELECT owner FROM items',
    "SET lock_timeout = 1; LISTEN news; SELECT 'x'",
  ]) {
    waiter.send(query(request))
    await untilWaiting(house, 1)
    await sendCancel(house.proxy.port, key)
    t.strictSame(sqlStates(await waiter.upTo('Z')), ['57014'], 'at once')
    await untilWaiting(house, 0)
  }
  await run(holder, 'COMMIT')
  t.strictSame(await run(waiter, 'SELECT owner FROM items'), [mine])
  t.strictSame(await run(waiter, 'SHOW lock_timeout'), ['0'], 'it was not run')
  await endAll(holder, waiter)
}

async function keysOfOthers(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const [client, key] = await keyed(house, mine)
  const [rival, rivalKey] = await keyed(house, other)
  const wrong = Buffer.from(key.secret)
  wrong[0] = (wrong[0] ?? 0) ^ 1
  const [gone, goneKey] = await keyed(house, mine)
  await gone.end()
  client.send(query('SELECT pg_sleep(0.5), 1'))
  for (const other of [
    rivalKey,
    goneKey,
    { ...key, secret: wrong },
    { ...key, processId: key.processId ^ 1 },
    { ...key, secret: Buffer.concat([key.secret, Buffer.alloc(1)]) },
  ]) {
    await sendCancel(house.proxy.port, other)
  }
  t.strictSame(rows(await client.upTo('Z')), ['|1'], 'undisturbed')
  await endAll(client, rival)
}

/** The cancel races with the end of its query, behind which the connection changes hands. */
async function lateCancels(t: Test, house: House, { mine, other }: Tenants): Promise<void> {
  const [client, key] = await keyed(house, mine)
  const rival = await logIn(house, other)
  let hits = 0
  let mistakes = 0
  // On a busy machine a cancel takes longer.
  let longestMs = 5
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 10 === 0 && hits === 0) longestMs *= 2
    client.send(query(`SELECT pg_sleep(${((round % 10) * longestMs) / 10_000})`))
    rival.send(query('SELECT pg_sleep(0.004), owner FROM items'))
    const sent = sendCancel(house.proxy.port, key)
    hits += sqlStates(await client.upTo('Z')).length
    const seen = rows(await rival.upTo('Z'))
    mistakes += seen[0] === `|${other}` ? 0 : 1
    await sent
  }
  t.ok(hits > 0 && hits < ROUNDS, `it was a race: ${hits} were hit`)
  t.equal(mistakes, 0, `of ${ROUNDS} queries of the next client`)
  await endAll(client, rival)
}
