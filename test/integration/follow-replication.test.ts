import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { sql } from '../support/postgres.ts'
import { codes, type RawClient, sqlStates } from '../support/raw-client.ts'
import {
  nextChange,
  replicate,
  replicationLogin,
  startReplicatingSaas,
  streamChanges,
  untilQuiet,
} from '../support/replicating.ts'
import { type Entry, LONG_MS, openTown, type Scene, type Town } from './follow-fixture.ts'

t.setTimeout(200_000)

const ALLOWED: Entry = { replication: 'physical' }

/** A client of acme that streams the changes of its database. */
async function streaming(town: Town): Promise<RawClient> {
  town.change({ acme: ALLOWED })
  const { client } = await replicate(town.proxy, replicationLogin('acme', 'database'))
  await streamChanges(client, 'follower')
  return client
}

/** SQLSTATEs of its end, which must come. */
async function end(client: RawClient): Promise<readonly (string | undefined)[]> {
  return sqlStates(await client.toEnd())
}

const SCENES: Readonly<Record<string, Scene>> = {
  'it goes on when only limits change': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: 0 } })
    const client = await streaming(town)
    town.change({ acme: { ...ALLOWED, labels: { plan: 'gold' }, timeouts: { queryMs: 1000 } } })
    await sql(server, 'acme', `INSERT INTO items VALUES (2, 'acme')`)
    t.match(await nextChange(client), 'BEGIN')
    client.socket.destroy()
    await untilQuiet(town)
  },

  'a suspended tenant': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: 50 } })
    const client = await streaming(town)
    town.change({ acme: { ...ALLOWED, status: 'suspended' } })
    t.strictSame(await end(client), ['57P01'])
    await untilQuiet(town)
  },

  'without a grace': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: 0 } })
    const client = await streaming(town)
    town.change({ acme: undefined })
    t.strictSame(await end(client), ['57P01'])
    await untilQuiet(town)
  },

  'it can not follow to another database': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: 50 } })
    const client = await streaming(town)
    const databaseUrl = server.url('umbrella', { user: 'umbrella', password: 'umbrella' })
    town.change({ umbrella: undefined, acme: { ...ALLOWED, databaseUrl } })
    t.strictSame(await end(client), ['57P01'])
    t.match(town.proxy.log(), 'SESSION_MOVED')
    await untilQuiet(town)
  },

  'taken back within the grace': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: LONG_MS } })
    const client = await streaming(town)
    town.change({ acme: undefined })
    await turn()
    town.change({ acme: ALLOWED })
    await turn()
    town.change({}, { timeouts: { changeGraceMs: 0 } })
    t.strictSame(await end(client), ['57P01'], 'the right is gone for good')
    t.match(town.proxy.log(), 'replicationNotAllowed')
    await untilQuiet(town)
  },

  'less of a right than before': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: 0 } })
    const client = await streaming(town)
    town.change({ acme: { replication: 'database' } })
    const frames = await client.toEnd()
    t.equal(codes(frames).at(-1), 'E')
    t.strictSame(sqlStates(frames), ['57P01'])
    await untilQuiet(town)
  },
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startReplicatingSaas(major)
    t.teardown(() => server.stop())
    for (const [name, body] of Object.entries(SCENES)) {
      await t.test(name, (t) => body(t, server))
    }
  })
}
