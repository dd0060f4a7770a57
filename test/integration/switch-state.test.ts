import t, { type Test } from 'tap'
import type { PostgresServer } from '../support/postgres.ts'
import { bind, execute, parse, sqlStates, sync } from '../support/raw-client.ts'
import { ask, logIn, openTown, ownerOf, run } from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

const MODES = ['transaction', 'session'] as const

for (const mode of MODES) {
  t.test(`${mode} mode`, async (t) => {
    onBoth(t, async (t, server) => {
      await stateOf(t, server, mode)
    })
  })
}

/** What a client leaves in a tenant, and how to look for it: it must not find anything. */
const LEFT = [
  { name: 'a setting', make: `SET lock_timeout = '7s'`, look: 'SHOW lock_timeout', finds: ['0'] },
  {
    name: 'a reported setting',
    make: `SET TimeZone = 'Asia/Tokyo'`,
    look: 'SHOW TimeZone',
    finds: ['UTC'],
  },
  {
    name: 'a setting by set_config',
    make: `SELECT set_config('my.own', 'x', false)`,
    look: `SELECT coalesce(current_setting('my.own', true), '')`,
    finds: [''],
  },
  {
    name: 'a temporary table',
    make: 'CREATE TEMP TABLE mine AS SELECT 1 AS n',
    look: `SELECT count(*) FROM pg_class WHERE relname = 'mine'`,
    finds: ['0'],
  },
  {
    name: 'a statement prepared by SQL',
    make: 'PREPARE mine AS SELECT 1',
    look: `SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'`,
    finds: ['0'],
  },
  {
    name: 'a cursor',
    make: 'DECLARE mine CURSOR WITH HOLD FOR SELECT 1',
    look: 'SELECT count(*) FROM pg_cursors',
    finds: ['0'],
  },
  {
    name: 'an advisory lock',
    make: 'SELECT pg_advisory_lock(4711)',
    look: `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711`,
    finds: ['0'],
  },
  {
    name: 'a channel',
    make: 'LISTEN mine',
    look: 'SELECT count(*) FROM pg_listening_channels()',
    finds: ['0'],
  },
]

const PAIRS = [
  ['acme', 'globex'],
  ['globex', 'hooli'],
  ['globex', 'initech'],
  ['initech', 'initrode'],
  ['initrode', 'umbrella'],
] as const

async function stateOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  for (const { name, make, look, finds } of LEFT) {
    t.test(`left behind: ${name}`, async (t) => {
      const town = await openTown(t, server, { pool: { mode, size: 1 } })
      for (const [from, to] of PAIRS) {
        const client = await logIn(town, from, { timezone: 'UTC' })
        await run(client, make)
        await run(client, `SET pgusher.tenant = '${to}'`)
        t.strictSame(await run(client, look), finds, `${from} → ${to}`)
        t.equal(await ownerOf(client), to)
        await run(client, `SET pgusher.tenant = '${from}'`)
        t.strictSame(await run(client, look), finds, 'nor on its way back')
        await client.end()
      }
    })
  }

  t.test('prepared statements are gone, settings of the login are not', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'globex', { lock_timeout: '9s', client_encoding: 'LATIN1' })
    await client.ask(parse('mine', 'SELECT owner FROM items'), sync)
    await client.ask(parse('', 'SELECT owner FROM items'), sync)
    await run(client, `SET client_encoding = 'UTF8'`)
    const frames = await ask(client, `SET pgusher.tenant = 'initech'`)
    const told = frames.filter(({ code }) => code === 'S').map(({ body }) => body.toString())
    t.equal(told.filter((report) => report === 'client_encoding\0LATIN1\0').length, 1)
    for (const statement of ['mine', '']) {
      const found = await client.ask(bind('', statement), execute(), sync)
      t.strictSame(sqlStates(found), ['26000'], statement)
    }
    t.strictSame(await run(client, 'SHOW lock_timeout'), ['9s'])
    await client.end()
  })

  t.test('the role', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'acme')
    await run(client, 'SET ROLE acme')
    await run(client, `SET pgusher.tenant = 'umbrella'`)
    await run(client, `SET pgusher.tenant = 'acme'`)
    t.strictSame(await run(client, 'SHOW role'), ['none'])
    await client.end()
  })
}
