import t from 'tap'
import { sql } from '../support/postgres.ts'
import { startTestProxy } from '../support/proxy.ts'
import { PAIRS, saasSettings, startSaas } from '../support/saas.ts'

const server = await startSaas(18)
t.teardown(() => server.stop())

const SEEN = 'SELECT owner FROM items'

t.test('in session mode a client that resets its session is still its tenant', async (t) => {
  const proxy = await startTestProxy(saasSettings(server, { pool: { mode: 'session' } }))
  t.teardown(() => proxy.stop())
  for (const { strategy, first } of PAIRS) {
    for (const reset of ['DISCARD ALL', 'RESET ALL', 'RESET search_path']) {
      await t.test(`${strategy}: ${reset}`, async (t) => {
        const options = '-c TimeZone=Asia/Tokyo'
        const client = await proxy.connect(first, { options })
        await client.query('CREATE TEMP TABLE kept AS SELECT 1')
        await client.query(reset)
        t.strictSame((await client.query(SEEN)).rows, [{ owner: first }])
        // Another session's table of that name may not be gone yet.
        const kept = await client.query(
          "SELECT 1 FROM pg_class WHERE relname = 'kept' AND relnamespace = pg_my_temp_schema()",
        )
        t.equal(kept.rowCount, reset === 'DISCARD ALL' ? 0 : 1, 'a temporary table stays')
        if (reset !== 'RESET ALL') {
          t.strictSame((await client.query('SHOW TimeZone')).rows, [{ TimeZone: 'Asia/Tokyo' }])
        }
        await client.end()
      })
    }
  }
})

t.test('what a session held is free as soon as it is gone', async (t) => {
  const settings = saasSettings(server, { pool: { mode: 'session', size: 2 } })
  const proxy = await startTestProxy(settings)
  t.teardown(() => proxy.stop())
  const one = await proxy.connect('globex')
  const two = await proxy.connect('globex')
  await one.query('SELECT pg_advisory_lock(1)')
  await one.query('LISTEN news')
  const locked = two.query('SELECT pg_advisory_lock(1)')
  await one.end()
  await locked
  t.pass('the lock of a connection that nobody uses hinders nobody')
  await two.end()
})

t.test('a tenant can not make the link of another one fail', async (t) => {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 1 } }))
  t.teardown(() => proxy.stop())
  const victim = await proxy.connect('hooli')
  for (const setting of [
    'statement_timeout = 1',
    'transaction_timeout = 1',
    'idle_session_timeout = 1',
    'default_transaction_isolation = serializable',
    'default_transaction_read_only = on',
    'standard_conforming_strings = off',
    "search_path = 'evil'",
    'client_encoding = SJIS',
  ]) {
    for (let round = 0; round < 10; round += 1) {
      const hostile = await proxy.connect('globex')
      await hostile.query(`SET ${setting}`).catch(() => undefined)
      if (round % 2 === 0) await hostile.query('SELECT 1').catch(() => undefined)
      await hostile.end()
      t.strictSame((await victim.query(SEEN)).rows, [{ owner: 'hooli' }], setting)
    }
  }
  await victim.end()
})

t.test('a copy that fails before it reads leaves nothing for the next tenant', async (t) => {
  const proxy = await startTestProxy(saasSettings(server, { pool: { size: 1 } }))
  t.teardown(() => proxy.stop())
  await sql(
    server,
    'saas',
    `CREATE FUNCTION tenant_globex.refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
     CREATE TRIGGER refuse BEFORE INSERT ON tenant_globex.items
       FOR EACH STATEMENT EXECUTE FUNCTION tenant_globex.refuse();`,
  )
  const one = await proxy.connect('globex')
  const two = await proxy.connect('hooli')
  for (let round = 0; round < 10; round += 1) {
    await t.rejects(one.query('COPY items FROM STDIN'), /refused/)
    t.strictSame((await two.query(SEEN)).rows, [{ owner: 'hooli' }])
  }
  await Promise.all([one.end(), two.end()])
})

t.test('a name that is taken is refused in the words of the server', async (t) => {
  const proxy = await startTestProxy(saasSettings(server))
  t.teardown(() => proxy.stop())
  const client = await proxy.connect('acme')
  await client.query({ name: 'mine', text: 'SELECT 1 AS one' })
  await client.query('DISCARD ALL')
  // node-postgres believes that the server still has it, as it would on a direct connection.
  await t.rejects(client.query({ name: 'mine', text: 'SELECT 1 AS one' }), { code: '26000' })
  await client.end()
})
