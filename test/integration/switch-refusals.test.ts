import t, { type Test } from 'tap'
import type { PostgresServer } from '../support/postgres.ts'
import { PASSWORD } from '../support/proxy.ts'
import {
  bind,
  codes,
  describe,
  execute,
  fields,
  parse,
  query,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { ask, backendOf, logIn, openTown, ownerOf, run } from './follow-fixture.ts'
import { onBoth } from './state-fixture.ts'

t.setTimeout(200_000)

const MODES = ['transaction', 'session'] as const

for (const mode of MODES) {
  t.test(`${mode} mode`, async (t) => {
    onBoth(t, async (t, server) => {
      await refusalsOf(t, server, mode)
      await wordsOf(t, server, mode)
      await transactionsOf(t, server, mode)
      await showsOf(t, server, mode)
    })
  })
}

const LOGINS = [
  { user: 'app', password: PASSWORD, tenants: ['acme', 'globex', 'initech', 'umbrella'] },
]

async function refusalsOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  t.test('refused: it stays where it is, with what it has', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 2 }, logins: LOGINS })
    town.change({
      umbrella: { status: 'suspended' },
      initech: { limits: { maxClients: 1 } },
      globex: {},
    })
    const full = await logIn(town, 'initech')
    const client = await logIn(town, 'globex')
    await run(client, 'CREATE TEMP TABLE mine AS SELECT 5 AS n')
    const pid = await backendOf(client)
    const cases = [
      { text: `SET pgusher.tenant = 'nobody'`, state: '42501' },
      { text: `SET pgusher.tenant = 'hooli'`, state: '42501' },
      { text: `SET pgusher.tenant = 'No Name'`, state: '42501' },
      { text: `SET pgusher.tenant = 'umbrella'`, state: '57P03' },
      { text: `SET pgusher.tenant = 'initech'`, state: '53300' },
      { text: `SET LOCAL pgusher.tenant = 'acme'`, state: '0A000' },
      { text: `SELECT set_config('pgusher.tenant', 'acme', false)`, state: '0A000' },
      { text: `SET pgusher.tenant = 'acme'; SELECT 1`, state: '0A000' },
      { text: `SELECT 1; SET pgusher.tenant = 'acme'`, state: '0A000' },
    ]
    for (const { text, state } of cases) {
      const frames = await ask(client, text)
      t.strictSame(sqlStates(frames), [state], text)
      t.equal(fields(frames.find(({ code }) => code === 'E'))['S'], 'ERROR')
      t.equal(frames.at(-1)?.body.toString(), 'I')
      t.strictSame(await run(client, 'SELECT n FROM mine'), ['5'])
    }
    t.equal(await backendOf(client), pid)
    t.equal(await ownerOf(client), 'globex')
    t.equal(await town.proxy.metric('pgusher_tenant_switches_total', { result: 'refused' }), 5)
    await Promise.all([client.end(), full.end()])
  })
}

async function wordsOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  t.test('the words do not tell which tenants there are', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 }, logins: LOGINS })
    const client = await logIn(town, 'globex')
    const [unknown, ungranted] = [
      await ask(client, `SET pgusher.tenant = 'hoolo'`),
      await ask(client, `SET pgusher.tenant = 'hooli'`),
    ].map((frames) => frames.map(({ code, body }) => `${code}${body}`).join())
    t.equal(unknown?.replace('hoolo', 'hooli'), ungranted)
    t.match(town.proxy.log(), 'notGranted')
    t.match(town.proxy.log(), 'unknownTenant')
    await client.end()
  })
}

async function transactionsOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  t.test('in a transaction', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'globex')
    const set = `SET pgusher.tenant = 'hooli'`
    const requests = [
      [query(set)],
      [parse('', set), bind('', ''), execute(), sync],
      [parse('s', set), sync],
    ]
    for (const request of requests) {
      await run(client, 'BEGIN')
      t.strictSame(await run(client, 'SHOW pgusher.tenant'), ['globex'])
      const frames = await client.ask(...request)
      t.strictSame(sqlStates(frames), ['25001'])
      t.equal(frames.at(-1)?.body.toString(), 'E')
      t.strictSame(sqlStates(await client.ask(...request)), ['25001'], 'nor in a failed one')
      t.strictSame(sqlStates(await ask(client, 'SHOW pgusher.tenant')), ['25P02'])
      await run(client, 'ROLLBACK')
    }
    t.equal(await ownerOf(client), 'globex')
    await client.end()
  })
}

async function showsOf(t: Test, server: PostgresServer, mode: string): Promise<void> {
  t.test('SHOW in a pipeline and in a transaction, by both protocols', async (t) => {
    const town = await openTown(t, server, { pool: { mode, size: 1 } })
    const client = await logIn(town, 'initech')
    const show = [
      parse('s', 'SHOW pgusher.tenant'),
      describe('S', 's'),
      bind('', 's'),
      describe('P', ''),
      execute(),
      sync,
    ]
    const alone = await client.ask(...show)
    t.equal(codes(alone), '1tT2TDCZ')
    t.strictSame(rows(alone), ['initech'])
    t.match(alone[2]?.body.toString('latin1'), 'pgusher.tenant\0')
    client.send(query('BEGIN'), bind('', 's'), execute(), sync, query('SHOW PGUSHER.tenant'))
    client.send(query('COMMIT'))
    const found: string[] = []
    for (let left = 4; left > 0; left -= 1) found.push(...rows(await client.upTo('Z')))
    t.strictSame(found, ['initech', 'initech'])
    await client.end()
  })
}
