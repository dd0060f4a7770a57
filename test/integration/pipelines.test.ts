import t, { type Test } from 'tap'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  bind,
  close,
  codes,
  describe,
  execute,
  flush,
  frame,
  int16,
  int32,
  parse,
  query,
  RawClient,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

/** Object id of `int4pl`, the same in every Postgres. */
const INT4PL = 177

const server = await startSaas(18)
t.teardown(() => server.stop())

for (const mode of ['transaction', 'session']) {
  t.test(`${mode} mode`, async (t) => {
    const proxy = await startTestProxy(
      saasSettings(server, { pool: { mode, size: 1, maxPreparedStatements: 3 } }),
    )
    t.teardown(() => proxy.stop())
    for (const tenant of ['acme', 'globex', 'initech']) {
      const logIn = () => RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
      for (const [name, run] of Object.entries(CASES)) {
        await t.test(`${tenant}: ${name}`, async (t) => {
          const client = await logIn()
          await run(t, client, tenant)
          await provesWell(t, client, tenant)
          await client.end()
          const next = await logIn()
          await provesWell(t, next, tenant)
          await next.end()
        })
      }
      await t.test(`${tenant}: byte by byte`, (t) => byteByByte(t, proxy, tenant))
    }
  })
}

type Case = (t: Test, client: RawClient, tenant: string) => Promise<void>

async function provesWell(t: Test, client: RawClient, tenant: string): Promise<void> {
  const frames = await client.ask(query('SELECT owner FROM items'))
  t.equal(codes(frames), 'TDCZ')
  t.strictSame(rows(frames), [tenant])
}

const CASES: Readonly<Record<string, Case>> = {
  async 'a pipeline of many'(t, client, tenant) {
    const one = [bind('', 's', ['x']), execute(), sync]
    client.send(parse('s', 'SELECT owner, $1::text FROM items'), ...Array(200).fill(one).flat())
    const first = await client.upTo('Z')
    t.equal(codes(first), '12DCZ')
    for (let round = 1; round < 200; round++) {
      const frames = await client.upTo('Z')
      t.equal(codes(frames), '2DCZ')
      t.strictSame(rows(frames), [`${tenant}|x`])
    }
  },

  async 'several in one Sync'(t, client, tenant) {
    const frames = await client.ask(
      parse('', 'SELECT owner FROM items'),
      describe('S', ''),
      bind('', ''),
      describe('P', ''),
      execute(),
      parse('two', 'SELECT 2'),
      bind('p', 'two'),
      execute('p'),
      close('P', 'p'),
      close('S', 'two'),
      sync,
    )
    t.equal(codes(frames), '1tT2TDC12DC33Z')
    t.strictSame(rows(frames), [tenant, '2'])
  },

  async 'an error in the middle'(t, client) {
    client.send(
      parse('ok', 'SELECT 1'),
      bind('', 'ok'),
      execute(),
      parse('bad', 'SELECT nothing FROM nowhere'),
      bind('', 'bad'),
      execute(),
      parse('later', 'SELECT 3'),
      sync,
      bind('', 'ok'),
      execute(),
      sync,
      bind('', 'later'),
      execute(),
      sync,
    )
    const first = await client.upTo('Z')
    t.equal(codes(first), '12DCEZ')
    t.strictSame(sqlStates(first), ['42P01'])
    t.strictSame(rows(await client.upTo('Z')), ['1'], 'what stood before the error is prepared')
    t.strictSame(sqlStates(await client.upTo('Z')), ['26000'], 'what stood behind it is not')
    const again = await client.ask(parse('bad', 'SELECT 4'), bind('', 'bad'), execute(), sync)
    t.strictSame(rows(again), ['4'], 'its name is free')
  },

  async 'a Close that is skipped'(t, client) {
    t.equal(codes(await client.ask(parse('kept', 'SELECT 1'), sync)), '1Z')
    t.equal(codes(await client.ask(parse('', 'SELEC'), close('S', 'kept'), sync)), 'EZ')
    t.strictSame(rows(await client.ask(bind('', 'kept'), execute(), sync)), ['1'])
  },

  async 'a statement whose preparing was skipped, in the next batch'(t, client) {
    for (let number = 0; number < 8; number++) {
      await client.ask(parse(`n${number}`, `SELECT ${number}`), sync)
    }
    client.send(parse('', 'SELEC'), bind('', 'n0'), execute(), sync)
    client.send(bind('', 'n0'), execute(), sync)
    t.equal(codes(await client.upTo('Z')), 'EZ')
    t.strictSame(rows(await client.upTo('Z')), ['0'])
    t.strictSame(rows(await client.ask(bind('', 'n0'), execute(), sync)), ['0'])
  },

  async 'a name whose Parse was skipped, parsed in the next batch'(t, client) {
    client.send(parse('', 'SELEC'), parse('again', 'SELECT 5'), sync)
    client.send(parse('again', 'SELECT 5'), sync)
    t.equal(codes(await client.upTo('Z')), 'EZ')
    t.equal(codes(await client.upTo('Z')), '1Z')
    t.strictSame(rows(await client.ask(bind('', 'again'), execute(), sync)), ['5'])
  },

  async 'errors again and again'(t, client) {
    for (let round = 0; round < 30; round++) {
      const frames = await client.ask(
        parse(`s${round}`, `SELECT ${round}`),
        parse('broken', 'SELEC'),
        bind('', `s${round}`),
        execute(),
        sync,
      )
      t.equal(codes(frames), '1EZ')
      const after = await client.ask(bind('', `s${round}`), execute(), sync)
      t.strictSame(rows(after), [`${round}`])
    }
  },

  async 'a name taken twice'(t, client) {
    t.equal(codes(await client.ask(parse('twice', 'SELECT 1'), sync)), '1Z')
    t.strictSame(sqlStates(await client.ask(parse('twice', 'SELECT 2'), sync)), ['42P05'])
    t.strictSame(rows(await client.ask(bind('', 'twice'), execute(), sync)), ['1'])
    t.equal(codes(await client.ask(close('S', 'twice'), parse('twice', 'SELECT 3'), sync)), '31Z')
    t.strictSame(rows(await client.ask(bind('', 'twice'), execute(), sync)), ['3'])
  },

  async 'closing what is not there'(t, client) {
    t.equal(codes(await client.ask(close('S', 'nobody'), close('P', 'nobody'), sync)), '33Z')
    t.strictSame(sqlStates(await client.ask(describe('S', 'nobody'), sync)), ['26000'])
    t.strictSame(sqlStates(await client.ask(describe('P', 'nobody'), sync)), ['34000'])
    t.strictSame(sqlStates(await client.ask(bind('', 'nobody'), sync)), ['26000'])
    t.strictSame(sqlStates(await client.ask(execute('nobody'), sync)), ['34000'])
  },

  async 'Flush in place of Sync'(t, client) {
    client.send(parse('f', 'SELECT 1'), flush)
    t.equal((await client.next())?.code, '1')
    client.send(describe('S', 'f'), flush)
    t.equal(codes(await client.upTo('T')), 'tT')
    client.send(bind('', 'f'), execute(), flush)
    t.equal(codes(await client.upTo('C')), '2DC')
    client.send(close('S', 'f'), flush)
    t.equal((await client.next())?.code, '3')
    t.equal(codes(await client.ask(sync)), 'Z')
  },

  async 'a lone Flush and a lone Sync'(t, client) {
    client.send(flush, flush)
    t.equal(codes(await client.ask(sync)), 'Z')
    client.send(flush)
    t.equal(codes(await client.ask(sync)), 'Z')
    client.send(sync, sync, sync)
    for (let round = 0; round < 3; round++) t.equal(codes(await client.upTo('Z')), 'Z')
  },

  async 'portals with row limits'(t, client) {
    const begun = await client.ask(query('BEGIN'))
    t.equal(codes(begun), 'CZ')
    const first = await client.ask(
      parse('', 'SELECT n FROM generate_series(1, 10) AS n'),
      bind('cursor', ''),
      execute('cursor', 4),
      sync,
    )
    t.equal(codes(first), '12DDDDsZ')
    t.equal(codes(await client.ask(execute('cursor', 4), sync)), 'DDDDsZ')
    t.equal(codes(await client.ask(execute('cursor', 4), sync)), 'DDCZ')
    t.equal(codes(await client.ask(query('COMMIT'))), 'CZ')
  },

  async 'an empty query'(t, client) {
    t.equal(codes(await client.ask(query(''))), 'IZ')
    t.equal(codes(await client.ask(parse('', ''), bind('', ''), execute(), sync)), '12IZ')
  },

  async 'a function call'(t, client) {
    const call = (oid: number) =>
      frame(
        'F',
        ...[int32(oid), int16(1), int16(1), int16(2)],
        ...[int32(4), int32(40), int32(4), int32(2), int16(1)],
      )
    const frames = await client.ask(call(INT4PL))
    t.equal(codes(frames), 'VZ')
    t.equal(frames[0]?.body.readInt32BE(4), 42)
    t.equal(codes(await client.ask(call(1))), 'EZ')
    client.send(call(INT4PL), query('SELECT 1'), call(INT4PL))
    t.equal(codes(await client.upTo('Z')), 'VZ')
    t.equal(codes(await client.upTo('Z')), 'TDCZ')
    t.equal(codes(await client.upTo('Z')), 'VZ')
  },

  async 'simple and extended mixed'(t, client) {
    client.send(query('BEGIN'), parse('m', 'SELECT 1'), bind('', 'm'), execute(), sync)
    client.send(query('SELECT 1/0'), bind('', 'm'), execute(), sync, query('ROLLBACK'))
    t.equal(codes(await client.upTo('Z')), 'CZ')
    t.equal(codes(await client.upTo('Z')), '12DCZ')
    t.equal(codes(await client.upTo('Z')), 'EZ')
    t.strictSame(sqlStates(await client.upTo('Z')), ['25P02'])
    t.equal(codes(await client.upTo('Z')), 'CZ')
  },

  async 'a statement that is too old for the server'(t, client) {
    for (let number = 0; number < 8; number++) {
      t.equal(codes(await client.ask(parse(`n${number}`, `SELECT ${number}`), sync)), '1Z')
    }
    client.send(...[7, 0, 3, 0, 5, 1].flatMap((n) => [bind('', `n${n}`), execute()]), sync)
    t.strictSame(rows(await client.upTo('Z')), ['7', '0', '3', '0', '5', '1'])
  },
}

async function byteByByte(t: Test, proxy: TestProxy, tenant: string): Promise<void> {
  const client = await RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
  const bytes = Buffer.concat([
    parse('slow', 'SELECT owner, $1::text FROM items'),
    ...[bind('', 'slow', ['a']), describe('P', ''), execute(), sync],
    ...[query('SELECT 1'), close('S', 'slow'), sync],
  ])
  for (const byte of bytes) {
    client.socket.write(Buffer.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const first = await client.upTo('Z')
  t.equal(codes(first), '12TDCZ')
  t.strictSame(rows(first), [`${tenant}|a`])
  t.equal(codes(await client.upTo('Z')), 'TDCZ')
  t.equal(codes(await client.upTo('Z')), '3Z')
  await client.end()
}
