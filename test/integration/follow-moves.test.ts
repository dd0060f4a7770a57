import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import {
  bind,
  codes,
  describe,
  execute,
  parse,
  query,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { until } from '../support/until.ts'
import {
  ask,
  backendOf,
  bystander,
  type Entry,
  LONG_MS,
  lastWords,
  lives,
  logIn,
  movesOf,
  openTown,
  ownerOf,
  run,
  type Scene,
  untilEmpty,
} from './follow-fixture.ts'
import { onBoth, reports } from './state-fixture.ts'

t.setTimeout(200_000)

type Move = ReturnType<typeof movesOf>[number]

/** Where its server connection is kept: by a pin, or by the mode in `settings`. */
type Kept = Move & { readonly settings: Entry }

/** Sessions that a move of one tenant to where another one was must not touch. */
function bystandersOf(tenant: string, other: string): readonly string[] {
  return ['acme', 'hooli', 'initrode'].filter((name) => name !== tenant && name !== other)
}

/** Of a tenant that moves, in transaction mode. */
const MOVES: Readonly<
  Record<string, (t: Test, server: PostgresServer, move: Move) => Promise<void>>
> = {
  'an idle session follows with what it holds': async (t, server, { tenant, other, changes }) => {
    const town = await openTown(t, server)
    const others = await Promise.all(
      bystandersOf(tenant, other).map((name) => bystander(town, name)),
    )
    const client = await logIn(town, tenant)
    t.equal(await ownerOf(client), tenant)
    await run(client, `SET TimeZone TO 'Asia/Tokyo'; SET lock_timeout TO '7s'`)
    client.send(parse('who', 'SELECT owner, $1::text FROM items'), sync)
    t.equal(codes(await client.upTo('Z')), '1Z')
    client.send(parse('', 'SELECT owner FROM items'), sync)
    t.equal(codes(await client.upTo('Z')), '1Z')

    town.change(changes)
    client.send(bind('', ''), execute(), sync)
    t.strictSame(rows(await client.upTo('Z')), [other], 'the unnamed statement')
    client.send(bind('', 'who', ['x']), describe('P', ''), execute(), sync)
    t.strictSame(rows(await client.upTo('Z')), [`${other}|x`], 'the named one')
    t.strictSame(
      [await run(client, 'SHOW TimeZone'), await run(client, 'SHOW lock_timeout')],
      [['Asia/Tokyo'], ['7s']],
    )
    const next = await logIn(town, tenant)
    t.equal(await ownerOf(next), other)
    await Promise.all([client.end(), next.end()])
    for (const isUntouched of others) t.ok(await isUntouched())
  },

  'a running transaction ends where it began': async (t, server, { tenant, other, changes }) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: 1 } })
    const client = await logIn(town, tenant)
    await run(client, 'BEGIN')
    const pid = await backendOf(client)
    t.equal(await ownerOf(client), tenant)
    town.change(changes)
    const next = await logIn(town, tenant)
    t.equal(await ownerOf(next), other, 'new sessions are there')
    t.equal(await ownerOf(client), tenant, 'the grace does not cut a transaction that can follow')
    t.equal(await backendOf(client), pid)
    await run(client, 'COMMIT')
    t.equal(await ownerOf(client), other)
    await Promise.all([client.end(), next.end()])
  },

  'there and back again': async (t, server, { tenant, changes }) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const idle = await logIn(town, tenant)
    const busy = await logIn(town, tenant)
    await run(busy, 'BEGIN')
    const pid = await backendOf(busy)
    town.change(changes)
    town.change({})
    t.equal(await ownerOf(busy), tenant)
    t.equal(await backendOf(busy), pid)
    await run(busy, 'COMMIT')
    t.equal(await ownerOf(idle), tenant)
    t.equal(await ownerOf(busy), tenant)
    await Promise.all([idle.end(), busy.end()])
  },

  'a request that waits for a server connection': async (
    t,
    server,
    { tenant, other, changes, strategy },
  ) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, tenant)
    const waiter = await logIn(town, tenant)
    await run(holder, 'BEGIN')
    waiter.send(query('SELECT owner FROM items'))
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    town.change(changes)
    if (strategy !== 'database') await run(holder, 'COMMIT')
    t.strictSame(rows(await waiter.upTo('Z')), [other])
    await Promise.all([holder.end(), waiter.end()])
  },

  'a client that is no longer pinned follows': async (t, server, { tenant, other, changes }) => {
    const town = await openTown(t, server, { timeouts: { changeGraceMs: LONG_MS } })
    const client = await logIn(town, tenant)
    await run(client, 'CREATE TEMP TABLE mine AS SELECT 1')
    town.change(changes)
    t.equal(await ownerOf(client), tenant)
    await run(client, 'DROP TABLE mine')
    t.equal(await ownerOf(client), other)
    await client.end()
  },
}

/** Of a client that keeps its server connection. */
const KEEPERS: Readonly<
  Record<string, (t: Test, server: PostgresServer, move: Kept) => Promise<void>>
> = {
  'a client that keeps its connection': async (t, server, { tenant, other, changes, settings }) => {
    const town = await openTown(t, server, { ...settings, timeouts: { changeGraceMs: 100 } })
    const client = await logIn(town, tenant)
    await run(client, 'CREATE TEMP TABLE mine AS SELECT 1')
    const pid = await backendOf(client)
    town.change(changes)
    t.equal(await ownerOf(client), tenant, 'it has its grace')
    t.equal(await backendOf(client), pid)
    const next = await logIn(town, tenant)
    t.equal(await ownerOf(next), other)
    t.strictSame(await lastWords(client), ['57P01'], 'then it has to go')
    await next.end()
    t.match(town.proxy.log(), 'SESSION_MOVED')
  },

  'a transaction outlasts the grace': async (t, server, { tenant, changes, settings }) => {
    const town = await openTown(t, server, { ...settings, timeouts: { changeGraceMs: 1 } })
    const client = await logIn(town, tenant)
    await run(client, 'CREATE TEMP TABLE mine AS SELECT 1')
    await run(client, 'BEGIN')
    town.change(changes)
    await run(client, 'SELECT pg_sleep(0.05)')
    t.equal(await ownerOf(client), tenant)
    client.send(query('COMMIT'))
    const frames = await client.toEnd()
    t.equal(codes(frames), 'CZE', 'it is committed')
    t.strictSame(sqlStates(frames), ['57P01'])
  },

  'only limits change': async (t, server, { tenant, settings }) => {
    const town = await openTown(t, server, { ...settings, timeouts: { changeGraceMs: 0 } })
    const client = await logIn(town, tenant)
    await run(client, 'CREATE TEMP TABLE mine AS SELECT 1')
    const pid = await backendOf(client)
    town.change({ [tenant]: { timeouts: { idleClientMs: LONG_MS }, labels: { plan: 'gold' } } })
    t.equal(await backendOf(client), pid)
    t.strictSame(await run(client, 'SELECT * FROM mine'), ['1'])
    town.change({ [tenant]: { timeouts: { idleClientMs: 20 } } })
    t.strictSame(await lastWords(client), ['57P05'], 'the new limit holds for it')
  },
}

const SCENES: Readonly<Record<string, Scene>> = {
  'only limits change in transaction mode': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const client = await logIn(town, 'globex')
    const pid = await backendOf(client)
    town.change({ globex: { labels: { plan: 'gold' }, timeouts: { queryMs: LONG_MS } } })
    const next = await logIn(town, 'globex')
    t.equal(await backendOf(client), pid)
    t.equal(await backendOf(next), pid)
    t.equal(await town.proxy.metric('pgusher_server_closed_total'), 0)
    await Promise.all([client.end(), next.end()])
  },

  'the client hears what is another value there': async (t, server) => {
    const town = await openTown(t, server)
    const client = await logIn(town, 'acme')
    await run(client, 'SELECT 1')
    town.change({ acme: { settings: { application_name: 'moved' } } })
    const frames = await ask(client, 'SELECT 1')
    t.strictSame(reports(frames), { application_name: 'moved' })
    await client.end()
  },

  'the old pool is gone, so that its database can be dropped': async (t, server) => {
    await sql(server, 'postgres', 'CREATE DATABASE old_home OWNER acme')
    const town = await openTown(t, server)
    const url = server.url('old_home', { user: 'acme', password: 'acme' })
    town.change({ acme: { databaseUrl: url } })
    const clients = await Promise.all([1, 2, 3].map(() => logIn(town, 'acme')))
    for (const client of clients) {
      t.strictSame(await run(client, 'SELECT current_database()'), ['old_home'])
    }
    town.change({})
    await untilEmpty(town, 'old_home')
    const closed = await town.proxy.metric('pgusher_server_closed_total', { reason: 'changed' })
    t.ok(closed > 0)
    await sql(server, 'postgres', 'DROP DATABASE old_home')
    for (const client of clients) t.equal(await ownerOf(client), 'acme')
    await Promise.all(clients.map((client) => client.end()))
  },

  'a pool that no session uses is gone with the change': async (t, server) => {
    await sql(server, 'postgres', 'CREATE DATABASE old_home OWNER acme')
    const town = await openTown(t, server)
    const url = server.url('old_home', { user: 'acme', password: 'acme' })
    town.change({ acme: { databaseUrl: url } })
    const client = await logIn(town, 'acme')
    const pid = await backendOf(client)
    await client.end()
    await until(
      async () => (await town.proxy.metric('pgusher_pool_servers', { state: 'idle' })) > 0,
    )
    t.ok(await lives(town, pid), 'its connection is kept for the next one')
    town.change({})
    await untilEmpty(town, 'old_home')
    await sql(server, 'postgres', 'DROP DATABASE old_home')
  },

  'settings of the client that do not fit': async (t, server) => {
    const town = await openTown(t, server)
    const client = await logIn(town, 'globex', { search_path: 'tenant_globex' })
    t.equal(await ownerOf(client), 'globex')
    town.change({ hooli: undefined, globex: { schema: 'tenant_hooli' } })
    client.send(query('SELECT owner FROM items'))
    t.strictSame(await lastWords(client), ['57P01'])
    t.match(town.proxy.log(), 'SESSION_MOVED')
  },

  'a carried setting that would leave the tenant': async (t, server) => {
    const town = await openTown(t, server)
    const client = await logIn(town, 'acme')
    await run(client, 'SET search_path TO tenant_globex, public')
    await run(client, 'SELECT 1')
    town.change({
      acme: { strategy: 'schema', server: 'shared', schema: 'tenant_acme', databaseUrl: undefined },
    })
    client.send(query('SELECT owner FROM items'))
    t.strictSame(await lastWords(client), ['57P01'])
    t.match(town.proxy.log(), 'SESSION_MOVED')
  },

  'a place that reads texts otherwise': async (t, server) => {
    const town = await openTown(t, server)
    const client = await logIn(town, 'acme')
    t.equal(await ownerOf(client), 'acme')
    town.change({ acme: { settings: { standard_conforming_strings: 'off' } } })
    client.send(query('SELECT 1'))
    t.strictSame(await lastWords(client), ['57P01'])
  },

  'a place that cannot be reached': async (t, server) => {
    const town = await openTown(t, server)
    const asking = await logIn(town, 'acme')
    const idle = await logIn(town, 'acme')
    t.equal(await ownerOf(asking), 'acme')
    const nowhere = 'postgresql://acme:acme@127.0.0.1:1/acme'
    town.change({ acme: { databaseUrl: nowhere } })
    asking.send(query('SELECT 1'))
    t.strictSame(await lastWords(asking), ['08001'])
    town.change({})
    t.equal(await ownerOf(idle), 'acme', 'who did not ask meanwhile has lost nothing')
    await idle.end()
  },

  'a place that lets nobody in for now': async (t, server) => {
    const town = await openTown(t, server, { timeouts: { waitMs: 100 }, pool: { size: 1 } })
    const client = await logIn(town, 'acme')
    t.equal(await ownerOf(client), 'acme')
    const holder = await logIn(town, 'globex')
    await run(holder, 'BEGIN')
    town.change({
      acme: { strategy: 'row', server: 'shared', id: '99', databaseUrl: undefined },
    })
    client.send(query('SELECT 1'))
    t.strictSame(await lastWords(client), ['53300'])
    await holder.end()
  },
}

onBoth(t, async (t, server) => {
  for (const move of movesOf(server)) {
    for (const [name, body] of Object.entries(MOVES)) {
      t.test(`${move.strategy}: ${name}`, (t) => body(t, server, move))
    }
    for (const [name, body] of Object.entries(KEEPERS)) {
      t.test(`${move.strategy}: ${name}, pinned`, (t) => body(t, server, { ...move, settings: {} }))
      const pool = { mode: 'session' }
      t.test(`${move.strategy}: ${name}, session mode`, (t) =>
        body(t, server, { ...move, settings: { pool } }),
      )
    }
  }
  for (const [name, body] of Object.entries(SCENES)) t.test(name, (t) => body(t, server))
})
