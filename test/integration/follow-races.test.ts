import t from 'tap'
import { sql } from '../support/postgres.ts'
import { PASSWORD } from '../support/proxy.ts'
import {
  codes,
  keyOf,
  query,
  RawClient,
  rows,
  sendCancel,
  sqlStates,
} from '../support/raw-client.ts'
import { until } from '../support/until.ts'
import {
  ask,
  LONG_MS,
  lastWords,
  logIn,
  OTHER_PASSWORD,
  openTown,
  ownerOf,
  run,
  type Scene,
  sleepers,
} from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

/** A change in the middle of something. */
const RACES: Readonly<Record<string, Scene>> = {
  'with trust no password counts': async (t, server) => {
    const auth = { method: 'trust' }
    const town = await openTown(t, server, { auth })
    const client = await logIn(town, 'globex')
    town.change({}, { ...OTHER_PASSWORD, auth })
    t.equal(await ownerOf(client), 'globex')
    await client.end()
  },

  'a request that waits for a server connection is not done': async (t, server) => {
    const timeouts = { changeGraceMs: LONG_MS }
    const town = await openTown(t, server, { pool: { size: 1 }, timeouts })
    const holder = await logIn(town, 'globex')
    const waiter = await logIn(town, 'hooli')
    await run(holder, 'BEGIN')
    waiter.send(query('SELECT 1'))
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    town.change({ hooli: { status: 'suspended' } })
    t.strictSame(await lastWords(waiter), ['57P01'])
    await run(holder, 'COMMIT')
    t.equal(await ownerOf(holder), 'globex')
    await holder.end()
  },

  'a login under way when its tenant is suspended': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, 'globex')
    await run(holder, 'BEGIN')
    // It is admitted, and waits for its link to be tried.
    const late = logIn(town, 'hooli')
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    town.change({ hooli: { status: 'suspended' } })
    await run(holder, 'COMMIT')
    t.strictSame(await lastWords(await late), ['57P01'])
    await holder.end()
  },

  'a login under way when its tenant moves': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, 'initrode')
    await run(holder, 'BEGIN')
    const late = logIn(town, 'globex')
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    town.change({ hooli: undefined, globex: { schema: 'tenant_hooli' } })
    await run(holder, 'COMMIT')
    const client = await late
    t.equal(await ownerOf(client), 'hooli')
    await Promise.all([holder.end(), client.end()])
  },

  'what a client asked for while its server was asked': async (t, server) => {
    const timeouts = { changeGraceMs: LONG_MS }
    const town = await openTown(t, server, { timeouts })
    for (let round = 0; round < 20; round += 1) {
      const client = await logIn(town, 'globex')
      await run(client, 'CREATE TEMP TABLE mine AS SELECT 1')
      // The answer may come while the proxy asks what the session holds.
      town.change({ globex: { status: 'suspended' } })
      client.send(query('SELECT owner FROM items'))
      const frames = await client.toEnd()
      t.strictSame(rows(frames), [], 'is not done')
      t.strictSame(sqlStates(frames), ['57P01'])
      town.change({})
    }
  },

  'a client that does not read': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: 0 } })
    const client = await logIn(town, 'globex')
    client.socket.pause()
    client.send(query(`SELECT repeat('x', 1000000) FROM generate_series(1, 100)`))
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event = 'ClientWrite'`
    await until(async () => (await sql(server, 'postgres', waiting)).length === 1)
    town.change({ globex: undefined })
    client.socket.resume()
    const frames = await client.toEnd()
    t.match(codes(frames), /^TD*E?$/)
    t.notMatch(client.rest.toString('latin1'), '57P01', 'nothing is said within a message')
    await until(async () => (await sql(server, 'postgres', waiting)).length === 0)
  },

  'a cancel request on its way': async (t, server) => {
    const timeouts = { changeGraceMs: LONG_MS }
    const town = await openTown(t, server, { timeouts })
    const client = await RawClient.connect(town.proxy.port)
    const login = await client.logIn({ user: 'app.globex', password: PASSWORD })
    client.send(query('SELECT pg_sleep(60)'))
    await until(async () => (await sleepers(server)) === 1)
    town.change({ globex: undefined })
    await sendCancel(town.proxy.port, keyOf(login))
    t.strictSame(await lastWords(client), ['57014', '57P01'])
  },

  'what waits to move may be canceled': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const client = await RawClient.connect(town.proxy.port)
    const login = await client.logIn({ user: 'app.acme', password: PASSWORD })
    t.equal(await ownerOf(client), 'acme')
    const holder = await logIn(town, 'globex')
    await run(holder, 'BEGIN')
    const shared = { strategy: 'row', server: 'shared', id: '43', databaseUrl: undefined }
    town.change({ acme: shared, initrode: undefined })
    client.send(query('SELECT 1'))
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    await sendCancel(town.proxy.port, keyOf(login))
    t.strictSame(sqlStates(await client.upTo('Z')), ['57014'])
    await run(holder, 'COMMIT')
    t.equal(await ownerOf(client), 'initrode', 'it moves with the next request')
    await Promise.all([client.end(), holder.end()])
  },

  'drain while a session waits to move': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const client = await logIn(town, 'acme')
    t.equal(await ownerOf(client), 'acme')
    const holder = await logIn(town, 'globex')
    await run(holder, 'BEGIN')
    const shared = { strategy: 'row', server: 'shared', id: '43', databaseUrl: undefined }
    town.change({ acme: shared, initrode: undefined })
    client.send(query('SELECT owner FROM items'))
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    const drained = town.proxy.drain()
    holder.send(query('COMMIT'))
    t.strictSame(await lastWords(holder), ['57P01'])
    const frames = await client.toEnd()
    t.strictSame(rows(frames), ['initrode'], 'what it asked for before is done')
    t.strictSame(sqlStates(frames), ['57P01'])
    t.equal(await drained, true)
  },

  'a client that leaves while it waits to move': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const client = await logIn(town, 'acme')
    t.equal(await ownerOf(client), 'acme')
    const holder = await logIn(town, 'globex')
    await run(holder, 'BEGIN')
    const shared = { strategy: 'row', server: 'shared', id: '43', databaseUrl: undefined }
    town.change({ acme: shared, initrode: undefined })
    client.send(query('SELECT 1'))
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    client.socket.destroy()
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 0)
    t.equal(codes(await ask(holder, 'COMMIT')), 'CZ')
    await holder.end()
  },
}

onBoth(t, async (t, server) => {
  for (const [name, body] of Object.entries(RACES)) t.test(name, (t) => body(t, server))
})
