import t, { type Test } from 'tap'
import type { PostgresServer } from '../support/postgres.ts'
import {
  bind,
  codes,
  describe,
  execute,
  parse,
  query,
  type RawClient,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { ask, logIn, openTown, ownerOf, run } from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

const TENANTS = ['acme', 'umbrella', 'globex', 'hooli', 'initech', 'initrode']
const MODES = ['transaction', 'session'] as const

/** Ways to ask for a tenant; each gives the codes of the answer but for changed parameters. */
const WAYS: Readonly<Record<string, (client: RawClient, tenant: string) => Promise<string>>> = {
  simple: async (client, tenant) => lettersOf(client, query(`SET pgusher.tenant = '${tenant}'`)),
  extended: async (client, tenant) => {
    const set = parse('', `SET pgusher.tenant TO "${tenant}"`)
    return lettersOf(client, set, bind('', ''), describe('P', ''), execute(), sync)
  },
  prepared: async (client, tenant) => {
    const set = parse('to', `set session PGUSHER.tenant = '${tenant}' /* now */`)
    const first = await lettersOf(client, set, describe('S', 'to'), sync)
    return first + (await lettersOf(client, bind('', 'to'), execute(), sync))
  },
}
const ANSWERS: Readonly<Record<string, string>> = {
  simple: 'CZ',
  extended: '12nCZ',
  prepared: '1tnZ2CZ',
}

async function lettersOf(client: RawClient, ...bytes: readonly Buffer[]): Promise<string> {
  return codes(await client.ask(...bytes)).replaceAll('S', '')
}

/** Every ordered pair of tenants is beside each other in it. */
function tour(): readonly string[] {
  return TENANTS.flatMap((from) => TENANTS.flatMap((to) => [from, to]))
}

for (const mode of MODES) {
  t.test(`${mode} mode`, async (t) => {
    onBoth(t, async (t, server) => {
      await toursOf(t, server, mode)
      await placesOf(t, server, mode)
      await piecesOf(t, server, mode)
    })
  })
}

async function toursOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  for (const [way, change] of Object.entries(WAYS)) {
    t.test(`from every tenant to every other: ${way}`, async (t) => {
      const town = await openTown(t, server, { pool: { mode, size: 1 } })
      const client = await logIn(town, 'acme')
      for (const tenant of tour()) {
        t.equal(await change(client, tenant), ANSWERS[way])
        t.equal(await ownerOf(client), tenant)
        t.strictSame(await run(client, 'SHOW pgusher.tenant'), [tenant])
      }
      t.equal(
        await town.proxy.metric('pgusher_tenant_switches_total', { result: 'done' }),
        tour().length,
      )
      t.equal(await town.proxy.metric('pgusher_sessions'), 1)
      await client.end()
    })
  }

  t.test('back to the tenant of the login', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'acme')
    for (const text of ['RESET pgusher.tenant', 'SET pgusher.tenant TO DEFAULT']) {
      await run(client, `SET pgusher.tenant = 'globex'`)
      const frames = await ask(client, text)
      t.match(frames.at(-2)?.body.toString(), text.split(' ')[0])
      t.equal(await ownerOf(client), 'acme')
    }
    await client.end()
  })
}

async function placesOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  t.test('a request right behind it is done in the new tenant', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'acme')
    for (const tenant of ['globex', 'initech', 'umbrella', 'acme']) {
      const set = query(`SET pgusher.tenant = '${tenant}'`)
      client.send(set, query('SELECT owner FROM items'), set, query('SHOW pgusher.tenant'))
      const found: string[] = []
      for (let left = 4; left > 0; left -= 1) found.push(...rows(await client.upTo('Z')))
      t.strictSame(found, [tenant, tenant])
    }
    await client.end()
  })

  t.test('behind a refused one it is not done at all', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'globex')
    client.send(query(`SET pgusher.tenant = 'nobody'`), query('DELETE FROM items'))
    t.strictSame(sqlStates(await client.toEnd()), ['57P01'])
    const next = await logIn(town, 'globex')
    t.equal(await ownerOf(next), 'globex')
    await next.end()
  })

  t.test('behind other requests it is refused', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'globex')
    const set = `SET pgusher.tenant = 'hooli'`
    client.send(query('SELECT pg_sleep(0.05)'), query(set), query('SELECT owner FROM items'))
    const answers = [await client.upTo('Z'), await client.upTo('Z'), await client.upTo('Z')]
    t.strictSame(answers.map(sqlStates), [[], ['0A000'], []])
    t.strictSame(rows(answers[2] ?? []), ['globex'])
    const batch = [parse('', set), bind('', ''), execute(), parse('', 'DELETE FROM items')]
    const frames = await client.ask(...batch, bind('', ''), execute(), sync)
    t.strictSame(sqlStates(frames), ['0A000'])
    t.equal(await ownerOf(client), 'globex', 'the whole batch is refused')
    await client.end()
  })
}

async function piecesOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  t.test('in pieces', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'acme')
    const set = `SET pgusher.tenant = 'globex'`
    const ways = [[query(set)], [parse('', set), bind('', ''), describe('P', ''), execute(), sync]]
    for (const way of ways) {
      const bytes = Buffer.concat(way)
      for (const cut of [1, 4, 12, bytes.length - 7, bytes.length - 1]) {
        await run(client, `SET pgusher.tenant = 'acme'`)
        client.send(bytes.subarray(0, cut))
        // By then the proxy has read what was sent before.
        await town.proxy.metric('pgusher_sessions')
        client.send(bytes.subarray(cut))
        t.match(codes(await client.upTo('Z')), /CZ$/)
        t.equal(await ownerOf(client), 'globex', `cut at ${cut}`)
      }
    }
    await client.end()
  })
}
