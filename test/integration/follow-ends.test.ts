import t from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
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
import { PAIRS } from '../support/saas.ts'
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
  openTown,
  ownerOf,
  run,
  type Town,
  untilEmpty,
} from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

const ALL = ['acme', 'umbrella', 'globex', 'hooli', 'initech', 'initrode']

/** What ends a tenant's sessions, and with which code in the log. */
const ENDS: readonly {
  readonly what: string
  readonly code: string
  end(town: Town, tenant: string): void
}[] = [
  {
    what: 'suspended',
    code: 'SESSION_SUSPENDED',
    end: (town, tenant) => town.change({ [tenant]: { status: 'suspended' } }),
  },
  {
    what: 'dropped',
    code: 'SESSION_REVOKED',
    end: (town, tenant) => town.change({ [tenant]: undefined }),
  },
  {
    what: 'the grant is taken',
    code: 'SESSION_REVOKED',
    end(town, tenant) {
      const tenants = ALL.filter((name) => name !== tenant)
      town.change({}, { logins: [{ user: 'app', password: PASSWORD, tenants }] })
    },
  },
]

const OTHER_PASSWORD: Entry = {
  logins: [{ user: 'app', password: 'another', tenants: '*' }],
}

/** Processes that sleep for the test, among those of a server. */
async function sleepers(server: PostgresServer): Promise<number> {
  const text = `SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60%' AND state = 'active' AND pid <> pg_backend_pid()`
  return (await sql(server, 'postgres', text)).length
}

for (const mode of ['transaction', 'session'] as const) {
  onBoth(t, async (t, server) => {
    for (const { strategy, first, second } of PAIRS) {
      for (const { what, code, end } of ENDS) {
        t.test(`${mode} mode, ${strategy}: ${what}`, async (t) => {
          const pool = { mode, size: 8 }
          const timeouts = { changeGraceMs: LONG_MS }
          const town = await openTown(t, server, { pool, timeouts })
          const isUntouched = await bystander(town, second)
          const fresh = await logIn(town, first)
          const idle = await logIn(town, first)
          t.equal(await ownerOf(idle), first)
          const half = await logIn(town, first)
          // In session mode the server has the beginning already: that counts as running.
          if (mode === 'transaction') half.send(query('SELECT 1').subarray(0, 7))
          const open = await logIn(town, first)
          await run(open, 'BEGIN')
          end(town, first)
          for (const client of [fresh, idle, half]) {
            t.strictSame(await lastWords(client), ['57P01'])
          }
          t.equal(await ownerOf(open), first, 'a running transaction has its grace')
          open.send(query('COMMIT'))
          const frames = await open.toEnd()
          t.equal(codes(frames), 'CZE', 'it is committed')
          t.strictSame(sqlStates(frames), ['57P01'])
          t.match(town.proxy.log(), code)
          t.ok(await isUntouched())
        })
      }
    }

    t.test(`${mode} mode: the grace is over`, async (t) => {
      const timeouts = { changeGraceMs: 50 }
      const town = await openTown(t, server, { pool: { mode }, timeouts })
      const isUntouched = await bystander(town, 'hooli')
      const open = await logIn(town, 'globex')
      await run(open, 'BEGIN')
      const pid = await backendOf(open)
      const busy = await logIn(town, 'globex')
      busy.send(query('SELECT pg_sleep(60)'))
      await until(async () => (await sleepers(server)) === 1)
      town.change({ globex: { status: 'suspended' } })
      t.strictSame(await lastWords(open), ['57P01'])
      t.strictSame(await lastWords(busy), ['57P01'])
      await until(async () => (await sleepers(server)) === 0, 1_000)
      await until(async () => !(await lives(town, pid)), 1_000)
      t.ok(await isUntouched())
    })

    t.test(`${mode} mode: no grace`, async (t) => {
      const timeouts = { changeGraceMs: 0 }
      const town = await openTown(t, server, { pool: { mode }, timeouts })
      const busy = await logIn(town, 'initech')
      busy.send(query('SELECT pg_sleep(60)'))
      await until(async () => (await sleepers(server)) === 1)
      town.change({ initech: undefined })
      t.strictSame(await lastWords(busy), ['57P01'])
      await until(async () => (await sleepers(server)) === 0, 1_000)
    })

    t.test(`${mode} mode: taken back within the grace`, async (t) => {
      const timeouts = { changeGraceMs: 50 }
      const town = await openTown(t, server, { pool: { mode }, timeouts })
      const open = await logIn(town, 'acme')
      await run(open, 'BEGIN')
      town.change({ acme: { status: 'suspended' } })
      town.change({})
      await run(open, 'SELECT pg_sleep(0.1)')
      await run(open, 'COMMIT')
      t.equal(await ownerOf(open), 'acme')
      await open.end()
    })

    t.test(`${mode} mode: a changed password`, async (t) => {
      const town = await openTown(t, server, { pool: { mode } })
      const client = await logIn(town, 'globex')
      await run(client, 'SELECT 1')
      town.change({}, OTHER_PASSWORD)
      t.strictSame(await lastWords(client), ['57P01'])
      t.match(town.proxy.log(), 'passwordChanged')
      t.strictSame(await refusal(town, 'globex', PASSWORD), ['28P01'])
      t.strictSame(await refusal(town, 'globex', 'another'), [])
    })

    t.test(`${mode} mode: the database of a dropped tenant can be dropped`, async (t) => {
      await sql(server, 'postgres', 'CREATE DATABASE leaving OWNER acme')
      const town = await openTown(t, server, { pool: { mode } })
      const databaseUrl = server.url('leaving', { user: 'acme', password: 'acme' })
      town.change({ acme: { databaseUrl } })
      const client = await logIn(town, 'acme')
      const gone = await logIn(town, 'acme')
      await run(client, 'SELECT 1')
      await run(gone, 'SELECT 1')
      await gone.end()
      town.change({ acme: undefined })
      t.strictSame(await lastWords(client), ['57P01'])
      await untilEmpty(town, 'leaving')
      await sql(server, 'postgres', 'DROP DATABASE leaving')
      await until(async () => (await town.proxy.metric('pgusher_pool_servers')) === 0)
    })
  })
}

async function refusal(
  { proxy }: Town,
  tenant: string,
  password: string,
): Promise<readonly (string | undefined)[]> {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: `app.${tenant}`, password })
  client.socket.destroy()
  return sqlStates(frames)
}

onBoth(t, async (t, server) => {
  t.test('with trust no password counts', async (t) => {
    const auth = { method: 'trust' }
    const town = await openTown(t, server, { auth })
    const client = await logIn(town, 'globex')
    town.change({}, { ...OTHER_PASSWORD, auth })
    t.equal(await ownerOf(client), 'globex')
    await client.end()
  })

  t.test('a request that waits for a server connection is not done', async (t) => {
    const timeouts = { changeGraceMs: LONG_MS }
    const town = await openTown(t, server, { pool: { size: 1 }, timeouts })
    const holder = await logIn(town, 'globex')
    await run(holder, 'BEGIN')
    const waiter = await logIn(town, 'hooli')
    waiter.send(query('SELECT 1'))
    await until(async () => (await town.proxy.metric('pgusher_pool_clients_waiting')) === 1)
    town.change({ hooli: { status: 'suspended' } })
    t.strictSame(await lastWords(waiter), ['57P01'])
    await run(holder, 'COMMIT')
    t.equal(await ownerOf(holder), 'globex')
    await holder.end()
  })

  t.test('a login under way when its tenant is suspended', async (t) => {
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
  })

  t.test('a login under way when its tenant moves', async (t) => {
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
  })

  t.test('what a client asked for while its server was asked', async (t) => {
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
  })

  t.test('a cancel request on its way', async (t) => {
    const timeouts = { changeGraceMs: LONG_MS }
    const town = await openTown(t, server, { timeouts })
    const client = await RawClient.connect(town.proxy.port)
    const login = await client.logIn({ user: 'app.globex', password: PASSWORD })
    client.send(query('SELECT pg_sleep(60)'))
    await until(async () => (await sleepers(server)) === 1)
    town.change({ globex: undefined })
    await sendCancel(town.proxy.port, keyOf(login))
    t.strictSame(await lastWords(client), ['57014', '57P01'])
  })

  t.test('what waits to move may be canceled', async (t) => {
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
  })

  t.test('drain while a session waits to move', async (t) => {
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
  })

  t.test('a client that leaves while it waits to move', async (t) => {
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
  })
})
