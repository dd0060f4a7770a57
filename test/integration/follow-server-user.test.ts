import t from 'tap'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'

import { RawClient } from '../support/raw-client.ts'
import { type Entry, lastWords, run } from './follow-fixture.ts'

t.setTimeout(200_000)

const SCHEMAS = `
  CREATE ROLE pool LOGIN PASSWORD 'pool';
  CREATE ROLE alice LOGIN PASSWORD 'wonderland';
  CREATE SCHEMA one AUTHORIZATION alice;
  CREATE SCHEMA two AUTHORIZATION alice;
`
const SEEN = `SELECT current_user || ' in ' || current_schema`

interface Place {
  readonly schema: string
  readonly serverUser: 'client' | 'route'
}

async function settingsOf(server: PostgresServer): Promise<(place: Place) => Entry> {
  const text = `SELECT rolpassword FROM pg_authid WHERE rolname = 'alice'`
  const [row] = await sql(server, 'postgres', text)
  const url = server.url('postgres', { user: 'pool', password: 'pool' })
  return ({ schema, serverUser }) => ({
    servers: { shared: { url, serverUser } },
    logins: [{ user: 'alice', password: row?.['rolpassword'], tenants: '*' }],
    tenants: [{ name: 'globex', strategy: 'schema', server: 'shared', schema }],
  })
}

function logIn(proxy: TestProxy): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: 'alice.globex', password: 'wonderland' })
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startPostgres({ major, auth: 'scram-sha-256' })
    t.teardown(() => server.stop())
    await sql(server, 'postgres', SCHEMAS)
    const at = await settingsOf(server)

    await t.test('a session follows with what its client proved', async (t) => {
      const proxy = await startTestProxy(at({ schema: 'one', serverUser: 'client' }))
      t.teardown(() => proxy.stop())
      const client = await logIn(proxy)
      t.strictSame(await run(client, SEEN), ['alice in one'])
      proxy.reload(testConfig(at({ schema: 'two', serverUser: 'client' })))
      t.strictSame(await run(client, SEEN), ['alice in two'])
      await client.end()
    })

    await t.test('what it proved is not kept where it is not needed', async (t) => {
      const proxy = await startTestProxy(at({ schema: 'one', serverUser: 'client' }))
      t.teardown(() => proxy.stop())
      const client = await logIn(proxy)
      t.strictSame(await run(client, SEEN), ['alice in one'])
      proxy.reload(testConfig(at({ schema: 'one', serverUser: 'route' })))
      await sql(server, 'postgres', 'GRANT USAGE ON SCHEMA one TO pool')
      t.strictSame(await run(client, SEEN), ['pool in one'])
      proxy.reload(testConfig(at({ schema: 'one', serverUser: 'client' })))
      t.strictSame(await lastWords(client), ['57P01'])
      t.match(proxy.log(), 'SESSION_MOVED')
    })
  })
}
