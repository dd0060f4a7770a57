import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD } from '../support/proxy.ts'
import { codes, query, RawClient, sqlStates } from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import { until } from '../support/until.ts'
import {
  backendOf,
  bystander,
  LONG_MS,
  lastWords,
  lives,
  logIn,
  OTHER_PASSWORD,
  openTown,
  ownerOf,
  run,
  sleepers,
  type Town,
  untilEmpty,
} from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

type Mode = 'transaction' | 'session'

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

interface Ending {
  readonly mode: Mode
  readonly first: string
  readonly second: string
  readonly code: string
  end(town: Town, tenant: string): void
}

/** Idle sessions end at once, a running transaction has its time. */
async function ends(
  t: Test,
  server: PostgresServer,
  { mode, first, second, code, end }: Ending,
): Promise<void> {
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
}

const SCENES: Readonly<
  Record<string, (t: Test, server: PostgresServer, mode: Mode) => Promise<void>>
> = {
  'the grace is over': async (t, server, mode) => {
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
  },

  'no grace': async (t, server, mode) => {
    const timeouts = { changeGraceMs: 0 }
    const town = await openTown(t, server, { pool: { mode }, timeouts })
    const busy = await logIn(town, 'initech')
    busy.send(query('SELECT pg_sleep(60)'))
    await until(async () => (await sleepers(server)) === 1)
    town.change({ initech: undefined })
    t.strictSame(await lastWords(busy), ['57P01'])
    await until(async () => (await sleepers(server)) === 0, 1_000)
  },

  'taken back within the grace': async (t, server, mode) => {
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
  },

  'a changed password': async (t, server, mode) => {
    const town = await openTown(t, server, { pool: { mode } })
    const client = await logIn(town, 'globex')
    await run(client, 'SELECT 1')
    town.change({}, OTHER_PASSWORD)
    t.strictSame(await lastWords(client), ['57P01'])
    t.match(town.proxy.log(), 'passwordChanged')
    t.strictSame(await refusal(town, 'globex', PASSWORD), ['28P01'])
    t.strictSame(await refusal(town, 'globex', 'another'), [])
  },

  'the database of a dropped tenant can be dropped': async (t, server, mode) => {
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
  },
}

for (const mode of ['transaction', 'session'] as const) {
  onBoth(t, async (t, server) => {
    for (const pair of PAIRS) {
      for (const { what, ...ending } of ENDS) {
        t.test(`${mode} mode, ${pair.strategy}: ${what}`, (t) =>
          ends(t, server, { mode, ...pair, ...ending }),
        )
      }
    }
    for (const [name, body] of Object.entries(SCENES)) {
      t.test(`${mode} mode: ${name}`, (t) => body(t, server, mode))
    }
  })
}
