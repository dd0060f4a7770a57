import t, { type Test } from 'tap'
import { query } from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import { KINDS, type Kind } from './pin-kinds.ts'
import {
  backendOf,
  endAll,
  type House,
  LEFTOVERS,
  logIn,
  nextRows,
  onBoth,
  open,
  PID,
  type Protocol,
  pins,
  run,
  untilWaiting,
} from './state-fixture.ts'

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first } of PAIRS) {
    for (const kind of KINDS) {
      await t.test(`${strategy}: ${kind.name} pins until it is undone`, (t) =>
        pinsUntilUndone(t, house, { kind, tenant: first }),
      )
    }
    await t.test(`${strategy}: several kinds pin until the last is undone`, (t) =>
      severalKinds(t, house, first),
    )
  }
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
  { kind, tenant }: Pick<Undoing, 'kind' | 'tenant'>,
): Promise<void> {
  for (const undo of kind.undo) {
    await pinsUntil(t, house, { tenant, kind, protocol: 'simple', undo })
  }
  const [undo = ''] = kind.undo
  await pinsUntil(t, house, { tenant, kind, protocol: 'extended', undo })
}

async function pinsUntil(
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
  for (const [text, expected] of kind.works) {
    const found = await run(holder, text, protocol)
    if (expected.length > 0) t.strictSame(found, expected, `${said}: ${text}`)
  }
  const pid = await backendOf(holder)
  t.equal(await pins(house, kind.reason), before + 1, `${said}: counted once`)
  await untilWaiting(house, 1)
  await run(holder, undo, protocol)
  t.strictSame(await nextRows(rival), [String(pid)], `${said}: shared again`)
  t.strictSame(await run(rival, LEFTOVERS), [], `${said}: nothing left`)
  t.equal(await backendOf(holder), pid, `${said}: the holder shares it too`)
  await endAll(holder, rival)
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
