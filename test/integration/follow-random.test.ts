import t, { type Test } from 'tap'
import type { PostgresServer } from '../support/postgres.ts'
import { bind, execute, parse, type RawClient, rows, sync } from '../support/raw-client.ts'
import { until } from '../support/until.ts'
import { LONG_MS, logIn, movesOf, openTown, ownerOf, run } from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

const CLIENTS = 6
const MOVES = 12

/** Where the tenant lies, as the file says; `since` counts its moves, `deeds` what was done. */
interface Whereabouts {
  owner: string
  since: number
  deeds: number
}

type Deed = (client: RawClient) => Promise<string | undefined>

/** Each tells whose rows it saw. */
const DEEDS: readonly Deed[] = [
  ownerOf,
  async (client) => {
    client.send(bind('', 'who'), execute(), sync)
    return rows(await client.upTo('Z'))[0]
  },
  async (client) => {
    await run(client, 'BEGIN')
    const seen = [await ownerOf(client), await ownerOf(client)]
    await run(client, 'COMMIT')
    if (seen[0] !== seen[1]) throw new Error(`moved within a transaction: ${seen}`)
    return seen[0]
  },
  async (client) => {
    // The server is asked what is left of it, and the next request comes meanwhile.
    await run(client, `SELECT set_config('lock_timeout', '7s', false)`)
    return ownerOf(client)
  },
]

async function live(client: RawClient, place: Whereabouts): Promise<readonly string[]> {
  client.send(parse('who', 'SELECT owner FROM items'), sync)
  await client.upTo('Z')
  const wrong: string[] = []
  for (let deeds = 0; place.since < MOVES; deeds += 1) {
    const { owner, since } = place
    const deed = DEEDS[deeds % DEEDS.length] as Deed
    const seen = await deed(client)
    place.deeds += 1
    if (place.since === since && seen !== owner) wrong.push(`${seen} in place of ${owner}`)
  }
  return wrong
}

async function moveAbout(
  t: Test,
  server: PostgresServer,
  { tenant, other, changes }: ReturnType<typeof movesOf>[number],
): Promise<void> {
  const timeouts = { changeGraceMs: LONG_MS }
  const town = await openTown(t, server, { pool: { size: 3 }, timeouts })
  const place = { owner: tenant as string, since: 0, deeds: 0 }
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => logIn(town, tenant)))
  const lives = clients.map((client) => live(client, place))
  while (place.since < MOVES) {
    const enough = place.deeds + CLIENTS * 2 + (place.since % CLIENTS)
    await until(() => place.deeds >= enough)
    const isAway = place.owner === other
    town.change(isAway ? {} : changes)
    place.owner = isAway ? tenant : other
    place.since += 1
  }
  t.strictSame((await Promise.all(lives)).flat(), [])
  for (const client of clients) t.equal(await ownerOf(client), place.owner)
  await Promise.all(clients.map((client) => client.end()))
}

onBoth(t, async (t, server) => {
  for (const move of movesOf(server)) {
    t.test(`${move.strategy}: to and fro under load`, (t) => moveAbout(t, server, move))
  }
})
