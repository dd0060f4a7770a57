import pg from 'pg'
import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD } from '../support/proxy.ts'
import { fields, query, rows, sendCancel, sqlStates } from '../support/raw-client.ts'
import { until } from '../support/until.ts'
import { ask, lastWords, logIn, openTown, ownerOf, run, type Scene } from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

const SET = query(`SET pgusher.tenant = 'globex'`)
const TENANTS = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'initrode']

/** In transaction mode; the pool of the shared server has one connection. */
const SCENES: Readonly<Record<string, Scene>> = {
  'while it drains': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, 'hooli')
    const client = await logIn(town, 'acme')
    await run(holder, 'BEGIN')
    client.send(SET)
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    const drained = town.proxy.drain()
    await run(holder, 'SELECT 1')
    holder.send(query('COMMIT'))
    t.strictSame(await lastWords(client), ['57P01'])
    await holder.toEnd()
    await drained
  },

  'a cancel while it waits': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, 'hooli')
    const client = await town.proxy.connect('acme')
    t.teardown(() => client.end())
    await run(holder, 'BEGIN')
    const refused = t.rejects(client.query(`SET pgusher.tenant = 'globex'`), { code: '57014' })
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    await sendCancel(town.proxy.port, keyOf(client))
    await refused
    t.same((await client.query('SELECT owner FROM items')).rows, [{ owner: 'acme' }])
    await run(holder, 'COMMIT')
    await client.query(`SET pgusher.tenant = 'globex'`)
    t.same((await client.query('SELECT owner FROM items')).rows, [{ owner: 'globex' }])
    const canceled = t.rejects(client.query('SELECT pg_sleep(60)'), { code: '57014' })
    await until(async () => (await sleeping(server)) === 1)
    await sendCancel(town.proxy.port, keyOf(client))
    await canceled
    await holder.end()
  },

  'nobody waits without end': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 }, timeouts: { waitMs: 2_000 } })
    const holder = await logIn(town, 'hooli')
    const client = await logIn(town, 'acme')
    await run(holder, 'BEGIN')
    t.strictSame(sqlStates(await client.ask(SET)), ['53300'])
    t.equal(await ownerOf(client), 'acme')
    const pinned = await logIn(town, 'acme')
    await run(pinned, 'CREATE TEMP TABLE mine AS SELECT 1')
    pinned.send(SET)
    t.strictSame(await lastWords(pinned), ['57P01'], 'there is no way back')
    t.equal(await town.proxy.metric('pgusher_tenant_switches_total', { result: 'failed' }), 2)
    await run(holder, 'COMMIT')
    await Promise.all([client.end(), holder.end()])
  },

  'the client goes while it waits': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, 'hooli')
    const client = await logIn(town, 'acme')
    await run(holder, 'BEGIN')
    client.send(SET)
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    client.socket.destroy()
    await until(async () => (await town.proxy.metric('pgusher_sessions')) === 1)
    await run(holder, 'COMMIT')
    t.equal(await ownerOf(holder), 'hooli')
    town.change({ globex: { limits: { maxClients: 1 } } })
    const next = await logIn(town, 'globex')
    t.equal(await ownerOf(next), 'globex', 'it holds no place there')
    await Promise.all([holder.end(), next.end()])
  },

  'the old tenant is dropped while it waits': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, 'hooli')
    const client = await logIn(town, 'acme')
    await run(holder, 'BEGIN')
    client.send(SET)
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    town.change({ acme: undefined })
    t.strictSame(await lastWords(client), ['57P01'])
    await run(holder, 'COMMIT')
    await holder.end()
  },

  'the new tenant is dropped while it waits': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 1 } })
    const holder = await logIn(town, 'hooli')
    const client = await logIn(town, 'acme')
    await run(holder, 'BEGIN')
    client.send(SET)
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    town.change({ globex: undefined })
    await run(holder, 'COMMIT')
    t.match(sqlStates(await client.toEnd()), ['57P01'], 'it does not stay')
    await holder.end()
  },

  'changes of the catalog reach it where it is now': async (t, server) => {
    const town = await openTown(t, server)
    const client = await logIn(town, 'acme')
    await client.ask(SET)
    town.change({ acme: undefined })
    t.equal(await ownerOf(client), 'globex', 'it has nothing to do with that one')
    town.change({ acme: undefined, hooli: undefined, globex: { schema: 'tenant_hooli' } })
    t.equal(await ownerOf(client), 'hooli')
    town.change({ globex: { status: 'suspended' } })
    t.strictSame(await lastWords(client), ['57P01'])
  },

  'places among the clients of a tenant': async (t, server) => {
    const town = await openTown(t, server)
    town.change({ acme: { limits: { maxClients: 1 } }, globex: { limits: { maxClients: 1 } } })
    const client = await logIn(town, 'acme')
    await run(client, `SET pgusher.tenant = 'acme'`)
    await client.ask(SET)
    const next = await logIn(town, 'acme')
    t.strictSame(sqlStates(await next.ask(SET)), ['53300'])
    t.strictSame(sqlStates(await ask(client, `SET pgusher.tenant = 'acme'`)), ['53300'])
    await next.end()
    await run(client, `SET pgusher.tenant = 'acme'`)
    const third = await logIn(town, 'globex')
    await Promise.all([client.end(), third.end()])
  },

  'many clients, all tenants, few connections': async (t, server) => {
    const town = await openTown(t, server, { pool: { size: 2 } })
    const clients = await Promise.all(TENANTS.map((tenant) => logIn(town, tenant)))
    await Promise.all(
      clients.map(async (client, index) => {
        for (let round = 0; round < 40; round += 1) {
          const tenant = TENANTS[(index + round * (index + 1)) % TENANTS.length] ?? 'acme'
          await run(client, `SET pgusher.tenant = '${tenant}'`)
          const found = await run(client, 'SELECT owner FROM items')
          if (found.length !== 1 || found[0] !== tenant) t.fail(`${tenant} sees ${found}`)
          if (round % 5 === 0) await run(client, `SET lock_timeout = '${index + 1}s'`)
        }
      }),
    )
    t.equal(
      await town.proxy.metric('pgusher_tenant_switches_total', { result: 'done' }),
      TENANTS.length * 40,
    )
    await Promise.all(clients.map((client) => client.end()))
    await until(async () => (await town.proxy.metric('pgusher_sessions')) === 0)
  },
}

onBoth(t, async (t, server) => {
  for (const [name, scene] of Object.entries(SCENES)) t.test(name, (t) => scene(t, server))
  for (const mode of ['transaction', 'session']) await pools(t, server, mode)
  t.test('tenants of different modes', (t) => modes(t, server))
})

async function sleeping(server: PostgresServer): Promise<number> {
  const text = `SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'`
  return (await sql(server, 'postgres', text)).length
}

function keyOf(client: pg.Client): { readonly processId: number; readonly secret: Buffer } {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  const secret = Buffer.alloc(4)
  secret.writeInt32BE(secretKey)
  return { processId: processID, secret }
}

/** One pool of the application, one connection in it, every tenant in turn. */
async function pools(t: Test, server: PostgresServer, mode: string): Promise<void> {
  t.test(`a pool of node-postgres serves every tenant, in ${mode} mode`, async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const pool = new pg.Pool({
      host: '127.0.0.1',
      port: town.proxy.port,
      user: 'app.acme',
      password: PASSWORD,
      max: 1,
    })
    for (let round = 0; round < 3; round += 1) {
      for (const tenant of TENANTS) {
        const client = await pool.connect()
        await client.query(`SET pgusher.tenant = ${client.escapeLiteral(tenant)}`)
        const found = await client.query('SELECT owner, $1::int AS n FROM items', [round])
        t.strictSame(found.rows, [{ owner: tenant, n: round }])
        const shown = await client.query('SHOW pgusher.tenant')
        t.strictSame(shown.rows, [{ 'pgusher.tenant': tenant }])
        t.equal(shown.command, 'SHOW')
        client.release()
      }
    }
    await pool.end()
    t.equal(await town.proxy.metric('pgusher_sessions_opened_total'), 1)
  })
}

async function modes(t: Test, server: PostgresServer): Promise<void> {
  const town = await openTown(t, server)
  town.change({ globex: { pool: { mode: 'session' } } })
  const client = await logIn(town, 'acme')
  await client.ask(SET)
  t.strictSame(
    await run(client, 'SET lock_timeout TO 7; SELECT pg_backend_pid()'),
    await pid(client),
  )
  await run(client, 'CREATE TEMP TABLE mine AS SELECT 1')
  t.equal(await town.proxy.metric('pgusher_pins_total'), 0, 'it keeps its connection anyway')
  await run(client, `SET pgusher.tenant = 'initech'`)
  t.strictSame(await run(client, `SELECT to_regclass('mine') IS NULL`), ['t'])
  t.equal(await ownerOf(client), 'initech')
  const wrong = await ask(client, `SET pgusher.tenant = 'nobody'`)
  t.equal(fields(wrong[0])['C'], '42501')
  await client.end()
}

async function pid(client: Parameters<typeof run>[0]): Promise<readonly string[]> {
  return rows(await ask(client, 'SELECT pg_backend_pid()'))
}
