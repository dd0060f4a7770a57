import type { Test } from 'tap'
import { query, type RawClient } from '../support/raw-client.ts'
import {
  ask,
  backendOf,
  endAll,
  type House,
  LEFTOVERS,
  logIn,
  nextRows,
  PID,
  PROTOCOLS,
  run,
  untilWaiting,
} from './state-fixture.ts'

interface Made {
  readonly tenant: string
  readonly texts: readonly string[]
  /** For which the client is pinned behind them; `undefined` if it is not. */
  readonly reason: string | undefined
}

/** Runs the texts, and looks whether the client keeps its connection and what others see of it. */
export async function pinsOrNot(
  t: Test,
  house: House,
  { tenant, texts, reason }: Made,
): Promise<void> {
  const said = texts.join('; ').slice(0, 120)
  for (const protocol of PROTOCOLS) {
    if (protocol === 'extended' && texts.some((text) => text.includes('; '))) continue
    const [holder, rival] = await Promise.all([logIn(house, tenant), logIn(house, tenant)])
    const before = await pinsByReason(house)
    for (const text of texts) await ask(holder, text, protocol)
    rival.send(query(PID))
    if (reason === undefined) {
      t.equal((await nextRows(rival)).length, 1, `${protocol}, ${said}: shared`)
      t.strictSame(await run(rival, LEFTOVERS), [], `${protocol}, ${said}: nothing left`)
      t.strictSame(await pinsByReason(house), before, `${protocol}, ${said}: not counted`)
    } else await isPinned(t, house, { holder, rival, reason, said, before })
    await endAll(holder, rival)
  }
}

interface Pinned {
  readonly holder: RawClient
  readonly rival: RawClient
  readonly reason: string
  readonly said: string
  readonly before: Readonly<Record<string, number>>
}

async function isPinned(t: Test, house: House, pinned: Pinned): Promise<void> {
  const { holder, rival, reason, said, before } = pinned
  const pid = await backendOf(holder)
  await untilWaiting(house, 1)
  const expected = { ...before, [reason]: (before[reason] ?? 0) + 1 }
  t.strictSame(await pinsByReason(house), expected, `${said}: pinned for ${reason}`)
  t.not((await run(holder, LEFTOVERS)).length, 0, `${said}: it is there`)
  await holder.end()
  t.strictSame(await nextRows(rival), [String(pid)], `${said}: reset and shared again`)
  t.strictSame(await run(rival, LEFTOVERS), [], `${said}: nothing left`)
}

const REASONS = ['set', 'listen', 'prepare', 'temp', 'hold', 'advisoryLock', 'load', 'unknown']

async function pinsByReason({ proxy }: House): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`http://127.0.0.1:${proxy.adminPort}/metrics`)).text()
  const counts = REASONS.map((reason) => {
    const found = text.match(
      new RegExp(`^pgusher_pins_total\\{[^}]*reason="${reason}"[^}]*\\} (\\d+)`, 'm'),
    )
    return [reason, Number(found?.[1] ?? 0)] as const
  })
  return Object.fromEntries(counts)
}
