import t, { type Test } from 'tap'
import { sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  bind,
  codes,
  execute,
  flush,
  frame,
  parse,
  query,
  RawClient,
  rows,
  sqlStates,
  sync,
  text,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const BIG_ROWS = 200_000
const BIG_TEXT = 'y'.repeat(40)
const COPY_IN = 'COPY copied (id, owner) FROM STDIN'
const DONE = frame('c')

const server = await startSaas(18)
t.teardown(() => server.stop())
// COPY FROM a client does not work on tables with row security.
const TABLE = 'CREATE TABLE copied (id int, owner text)'
await sql(server, 'acme', `${TABLE}; ALTER TABLE copied OWNER TO acme`)
await sql(server, 'saas', `SET ROLE pool; ${TABLE}; SET search_path = tenant_globex; ${TABLE}`)

for (const mode of ['transaction', 'session']) {
  t.test(`${mode} mode`, async (t) => {
    const proxy = await startTestProxy(saasSettings(server, { pool: { mode, size: 1 } }))
    t.teardown(() => proxy.stop())
    for (const tenant of ['acme', 'globex', 'initech']) {
      for (const [name, run] of Object.entries(CASES)) {
        await t.test(`${tenant}: ${name}`, (t) => between(t, proxy, { tenant, run }))
      }
    }
  })
}

type Case = (t: Test, client: RawClient, tenant: string) => Promise<void>

/** Runs a case; then the same and another client must find everything in order. */
async function between(
  t: Test,
  proxy: TestProxy,
  { tenant, run }: { readonly tenant: string; readonly run: Case },
): Promise<void> {
  const client = await RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
  await run(t, client, tenant)
  const cleaned = await client.ask(query('DELETE FROM copied'))
  t.equal(codes(cleaned), 'CZ')
  await client.end()
  const next = await RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
  t.strictSame(rows(await next.ask(query('SELECT id, owner FROM items'))), [`1|${tenant}`])
  await next.end()
}

function row(id: number, owner: string): Buffer {
  return frame('d', Buffer.from(`${id}\t${owner}\n`))
}

async function count(client: RawClient): Promise<string | undefined> {
  return rows(await client.ask(query('SELECT count(*) FROM copied')))[0]
}

const CASES: Readonly<Record<string, Case>> = {
  async 'in, simple'(t, client) {
    client.send(query(COPY_IN))
    t.equal((await client.next())?.code, 'G')
    t.equal(codes(await client.ask(row(2, 'a'), row(3, 'b'), DONE)), 'CZ')
    t.equal(await count(client), '2')
  },

  async 'in, simple, without waiting for the server'(t, client) {
    client.send(query(COPY_IN), row(2, 'a'), row(3, 'b'), DONE, query('SELECT 1'))
    t.equal(codes(await client.upTo('Z')), 'GCZ')
    t.equal(codes(await client.upTo('Z')), 'TDCZ')
    t.equal(await count(client), '2')
  },

  async 'in, extended'(t, client) {
    client.send(parse('copy', COPY_IN), bind('', 'copy'), execute(), flush)
    t.equal(codes(await client.upTo('G')), '12G')
    t.equal(codes(await client.ask(row(2, 'a'), DONE, sync)), 'CZ')
    t.equal(await count(client), '1')
  },

  async 'in, extended, with a Sync too early'(t, client) {
    client.send(parse('', COPY_IN), bind('', ''), execute(), sync)
    t.equal(codes(await client.upTo('G')), '12G')
    t.equal(codes(await client.ask(row(2, 'a'), DONE, sync)), 'CZ')
    t.equal(await count(client), '1')
  },

  async 'in, given up by the client'(t, client) {
    client.send(query(COPY_IN))
    await client.upTo('G')
    const frames = await client.ask(row(2, 'a'), frame('f', text('changed my mind')))
    t.strictSame(sqlStates(frames), ['57014'])
    t.equal(await count(client), '0')
    client.send(parse('', COPY_IN), bind('', ''), execute(), flush)
    await client.upTo('G')
    const extended = await client.ask(frame('f', text('again')), sync)
    t.strictSame(sqlStates(extended), ['57014'])
    t.equal(await count(client), '0')
  },

  async 'in, refused by the server while the client sends on'(t, client) {
    client.send(query(COPY_IN), frame('d', Buffer.from('not a number\tx\n')))
    const refused = await client.upTo('Z')
    t.equal(codes(refused), 'GEZ')
    t.strictSame(sqlStates(refused), ['22P02'])
    for (let id = 2; id < 2000; id++) client.send(row(id, 'late'))
    client.send(DONE)
    t.equal(await count(client), '0')
  },

  async 'in, extended, refused by the server while the client sends on'(t, client) {
    client.send(parse('', COPY_IN), bind('', ''), execute(), flush)
    await client.upTo('G')
    client.send(frame('d', Buffer.from('not a number\tx\n')))
    t.strictSame(sqlStates(await client.upTo('E')), ['22P02'])
    for (let id = 2; id < 2000; id++) client.send(row(id, 'late'))
    t.equal(codes(await client.ask(DONE, sync)), 'Z')
    t.equal(await count(client), '0')
  },

  async 'in, refused before it began'(t, client) {
    client.send(query('COPY nowhere FROM STDIN'), row(2, 'a'), DONE)
    const refused = await client.upTo('Z')
    t.equal(codes(refused), 'EZ')
    t.equal(await count(client), '0')
  },

  async 'in, big frames and many'(t, client) {
    client.send(query(COPY_IN))
    await client.upTo('G')
    const line = `2\t${BIG_TEXT}\n`
    const lines = Buffer.from(line.repeat(BIG_ROWS / 4))
    // One frame of megabytes, then lines that are cut by frames anywhere.
    client.send(frame('d', lines))
    for (let at = 0; at < lines.length; at += 7777) {
      client.send(frame('d', lines.subarray(at, at + 7777)))
    }
    t.equal(codes(await client.ask(DONE)), 'CZ')
    t.equal(await count(client), `${BIG_ROWS / 2}`)
  },

  async 'out, simple and extended'(t, client, tenant) {
    const simple = await client.ask(query('COPY (SELECT id, owner FROM items) TO STDOUT'))
    t.equal(codes(simple), 'HdcCZ')
    t.equal(simple[1]?.body.toString(), `1\t${tenant}\n`)
    const extended = await client.ask(
      parse('out', 'COPY (SELECT owner FROM items) TO STDOUT'),
      bind('', 'out'),
      execute(),
      sync,
    )
    t.equal(codes(extended), '12HdcCZ')
  },

  async 'out, big'(t, client) {
    const sql = `SELECT n, '${BIG_TEXT}' FROM generate_series(1, ${BIG_ROWS}) AS n`
    const frames = await client.ask(query(`COPY (${sql}) TO STDOUT`))
    const lines = frames.filter(({ code }) => code === 'd')
    t.equal(lines.length, BIG_ROWS)
    t.equal(lines.at(-1)?.body.toString(), `${BIG_ROWS}\t${BIG_TEXT}\n`)
  },

  async 'out, failing in the middle'(t, client) {
    const sql = 'SELECT 1 / (500 - n) FROM generate_series(1, 1000) AS n'
    const frames = await client.ask(query(`COPY (${sql}) TO STDOUT`))
    t.equal(codes(frames), `H${'d'.repeat(499)}EZ`)
  },

  async 'two copies in one query'(t, client) {
    client.send(query(`${COPY_IN}; COPY (SELECT 7) TO STDOUT; ${COPY_IN}; SELECT 8`))
    await client.upTo('G')
    client.send(row(2, 'a'), DONE)
    t.equal(codes(await client.upTo('G')), 'CHdcCG')
    t.equal(codes(await client.ask(row(3, 'a'), DONE)), 'CTDCZ')
    t.equal(await count(client), '2')
  },

  async 'in a transaction'(t, client) {
    await client.ask(query('BEGIN'))
    client.send(query(COPY_IN))
    await client.upTo('G')
    await client.ask(row(2, 'a'), DONE)
    t.equal(await count(client), '1')
    await client.ask(query('ROLLBACK'))
    t.equal(await count(client), '0')
  },
}

t.test('a client that leaves in the middle of a copy', async (t) => {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 1 } }))
  t.teardown(() => proxy.stop())
  for (const tenant of ['globex', 'initech', 'globex', 'initech']) {
    const login = { user: `app.${tenant}`, password: PASSWORD }
    const client = await RawClient.login(proxy.port, login)
    client.send(query(COPY_IN))
    await client.upTo('G')
    client.send(row(2, 'gone'), row(3, 'gone').subarray(0, 8))
    client.socket.resetAndDestroy()
    const next = await RawClient.login(proxy.port, login)
    t.equal(await count(next), '0')
    await next.end()
  }
})
