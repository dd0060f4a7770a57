import t from 'tap'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import {
  bind,
  execute,
  fields,
  parse,
  query,
  RawClient,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

// What docs/compatibility.md says is not as on Postgres, in transaction mode.
const server = await startSaas(18)
t.teardown(() => server.stop())
const proxy = await startTestProxy(saasSettings(server, { pool: { size: 2 } }))
t.teardown(() => proxy.stop())

function logIn(): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: 'app.acme', password: PASSWORD })
}

t.test('pg_prepared_statements and errors show names of the proxy', async (t) => {
  const client = await logIn()
  await client.ask(parse('mine', 'SELECT 1'), sync)
  const [name = ''] = rows(
    await client.ask(
      parse('', 'SELECT name FROM pg_prepared_statements WHERE NOT from_sql'),
      bind('', ''),
      execute(),
      sync,
    ),
  ).filter((seen) => seen !== '')
  t.match(name, /^pgusher_[0-9a-f]{12}_\d+$/)
  const taken = await client.ask(parse('mine', 'SELECT 2'), sync)
  t.strictSame(sqlStates(taken), ['42P05'])
  t.match(fields(taken.find(({ code }) => code === 'E'))['M'], `"${name}"`)
  await client.end()
})

t.test('a name that is prepared again behind a Sync of one pipeline', async (t) => {
  const client = await logIn()
  client.send(parse('twice', 'SELECT 1'), sync, parse('twice', 'SELECT 2'), sync)
  t.strictSame(sqlStates([...(await client.upTo('Z')), ...(await client.upTo('Z'))]), [])
  t.strictSame(rows(await client.ask(bind('', 'twice'), execute(), sync)), ['2'])
  await client.end()
})

t.test('the value of a sequence is known in its own transaction alone', async (t) => {
  const [client, other] = await Promise.all([logIn(), logIn()])
  await client.ask(query('CREATE SEQUENCE known_differences'))
  await client.ask(query('BEGIN'))
  await client.ask(query("SELECT nextval('known_differences')"))
  t.strictSame(rows(await client.ask(query("SELECT currval('known_differences')"))), ['1'])
  const [home] = rows(await client.ask(query('SELECT pg_backend_pid()')))
  await client.ask(query('COMMIT'))
  // Holds the connection that knows it.
  await other.ask(query('BEGIN'))
  t.strictSame(rows(await other.ask(query('SELECT pg_backend_pid()'))), [home])
  t.strictSame(sqlStates(await client.ask(query("SELECT currval('known_differences')"))), ['55000'])
  await other.ask(query('COMMIT'))
  await Promise.all([client.end(), other.end()])
})

t.test('nothing but SCRAM is offered by SASL', async (t) => {
  const client = await RawClient.connect(proxy.port)
  const [question] = await client.logIn({ user: 'app.acme', password: 'wrong' })
  t.equal(question?.code, 'R')
  t.equal(question?.body.toString('latin1', 4), 'SCRAM-SHA-256\0\0')
  await client.end()
})
