import t, { type Test } from 'tap'
import { codes, query } from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import { KINDS, type Kind } from './pin-kinds.ts'
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

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first, second } of PAIRS) {
    for (const kind of KINDS) {
      await t.test(`${strategy}: ${kind.name} goes with its client`, async (t) => {
        const others = strategy === 'database' ? [first] : [first, second]
        for (const isPolite of [true, false]) {
          await goesWithClient(t, house, { kind, tenant: first, others, isPolite })
        }
      })
    }
    await t.test(`${strategy}: a listening client hears its channel`, (t) => hears(t, house, first))
    await t.test(`${strategy}: what nothing undoes costs the connection`, (t) =>
      indelible(t, house, first),
    )
  }
  await t.test('a library costs the connection', async (t) => {
    const root = { name: 'root', strategy: 'database', databaseUrl: server.url('acme') }
    await indelible(t, await open(t, server, { tenants: [root] }), 'root')
  })
})

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
    ...(tenant === 'root' ? [["LOAD 'plpgsql'", 'load'] as const] : []),
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
