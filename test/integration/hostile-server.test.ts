import t from 'tap'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  codes,
  fields,
  frame,
  int16,
  int32,
  query,
  RawClient,
  sqlStates,
  text,
} from '../support/raw-client.ts'
import { type ScriptStep, startScriptedServer } from '../support/scripted-server.ts'

const READY = frame('Z', Buffer.from('I'))
const LOGIN: readonly ScriptStep[] = [
  { expect: 'startup' },
  {
    send: Buffer.concat([
      frame('R', int32(0)),
      frame('S', text('server_version'), text('18.0')),
      frame('K', int32(1), int32(2)),
      READY,
    ]),
  },
  // The link of the tenant.
  { expect: 'Q' },
  { send: Buffer.concat([frame('C', text('BEGIN')), frame('C', text('COMMIT')), READY]) },
  // What is in force under it.
  { expect: 'Q' },
  { send: Buffer.concat([frame('T', int16(0)), frame('C', text('SELECT 0')), READY]) },
]
const ROW_HEAD = frame('T', int16(1), text('a'), Buffer.alloc(18))
const ROW = frame('D', int16(1), int32(3), Buffer.from('abc'))
const DONE = frame('C', text('SELECT 1'))

/** Each: what the server does with a query, and what the client may see of it. */
const CASES: readonly {
  readonly name: string
  readonly steps: readonly ScriptStep[]
  readonly seen: string
  /** What may come before it: whole messages of the same chunk, none or all of them. */
  readonly before?: string
  /** SQLSTATE of what the proxy says for itself; none where a message was cut. */
  readonly state?: string
}[] = [
  {
    name: 'closes in the middle of a row',
    steps: [{ send: Buffer.concat([ROW_HEAD, ROW, ROW.subarray(0, 9)]) }, { close: 'end' }],
    seen: 'TD',
  },
  {
    name: 'closes in the middle of a head',
    steps: [{ send: Buffer.concat([ROW_HEAD, ROW, ROW.subarray(0, 3)]) }, { close: 'end' }],
    // The cut head was held back: what the client has ends with a whole message.
    seen: 'TDE',
    state: '08006',
  },
  {
    name: 'closes between rows',
    steps: [{ send: Buffer.concat([ROW_HEAD, ROW]) }, { close: 'end' }],
    seen: 'TDE',
    state: '08006',
  },
  { name: 'closes without a word', steps: [{ close: 'end' }], seen: 'E', state: '08006' },
  { name: 'resets without a word', steps: [{ close: 'reset' }], seen: 'E', state: '08006' },
  {
    name: 'sends garbage',
    steps: [{ send: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') }],
    seen: 'E',
    state: '08006',
  },
  {
    name: 'sends a length of nothing',
    steps: [{ send: Buffer.concat([ROW_HEAD, Buffer.from('D'), int32(3)]) }],
    before: 'T',
    seen: 'E',
    state: '08006',
  },
  {
    name: 'sends what does not belong here',
    steps: [{ send: Buffer.concat([frame('V', int32(-1)), READY]) }],
    seen: 'E',
    state: '08006',
  },
  {
    name: 'asks for a password again',
    steps: [{ send: frame('R', int32(3)) }],
    seen: 'E',
    state: '08006',
  },
  {
    name: 'is ready in an unknown way',
    steps: [{ send: Buffer.concat([ROW_HEAD, DONE, frame('Z', Buffer.from('?'))]) }],
    before: 'TC',
    seen: 'E',
    state: '08006',
  },
  {
    name: 'is ready once too often',
    steps: [{ send: Buffer.concat([ROW_HEAD, DONE, READY, READY]) }],
    before: 'TCZ',
    seen: 'E',
    state: '08006',
  },
  { name: 'is ready without an answer', steps: [{ send: READY }], seen: 'E', state: '08006' },
]

function settingsFor(port: number): Record<string, unknown> {
  return {
    pool: { size: 1, connectTimeoutMs: 500, backoffMinMs: 10, backoffMaxMs: 20 },
    timeouts: { startupMs: 5000, waitMs: 2000 },
    tenants: [
      {
        name: 'acme',
        strategy: 'database',
        databaseUrl: `postgresql://secretuser:secret@127.0.0.1:${port}/secretdb?sslmode=disable`,
      },
    ],
  }
}

let logins = 0

function logIn(proxy: TestProxy): Promise<RawClient> {
  logins += 1
  // A setting of its own makes a link necessary, and one that was not proven before.
  const parameters = { application_name: `hostile ${logins}` }
  return RawClient.login(proxy.port, { user: 'app.acme', password: PASSWORD, parameters })
}

for (const { name, steps, before = '', seen, state } of CASES) {
  t.test(`a server that ${name}`, async (t) => {
    const server = await startScriptedServer([...LOGIN, { expect: 'Q' }, ...steps])
    t.teardown(() => server.stop())
    const proxy = await startTestProxy(settingsFor(server.port))
    t.teardown(() => proxy.stop())
    for (let round = 0; round < 3; round++) {
      const client = await logIn(proxy)
      client.send(query('SELECT 1'))
      const frames = await client.toEnd()
      t.match(codes(frames), new RegExp(`^(?:${before})?${seen}$`))
      t.strictSame(sqlStates(frames), state === undefined ? [] : [state])
      const told = JSON.stringify(fields(frames.at(-1)))
      t.notMatch(told, /secret|127\.0\.0\.1/)
    }
    t.equal(await proxy.metric('pgusher_sessions'), 0)
    t.equal(await proxy.metric('pgusher_pool_servers'), 0, 'none of them is kept')
  })
}

t.test('a server that never lets anybody in', async (t) => {
  const server = await startScriptedServer([{ expect: 'startup' }])
  t.teardown(() => server.stop())
  const proxy = await startTestProxy(settingsFor(server.port))
  t.teardown(() => proxy.stop())
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: 'app.acme', password: PASSWORD })
  t.strictSame(sqlStates(frames), ['08001'])
  t.notMatch(JSON.stringify(fields(frames.at(-1))), /secret|127\.0\.0\.1/)
})

t.test('a server that refuses the login of the pool', async (t) => {
  const error = frame(
    'E',
    Buffer.from('SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for "secretuser"\0\0'),
  )
  const server = await startScriptedServer([
    { expect: 'startup' },
    { send: error },
    { close: 'end' },
  ])
  t.teardown(() => server.stop())
  const proxy = await startTestProxy(settingsFor(server.port))
  t.teardown(() => proxy.stop())
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: 'app.acme', password: PASSWORD })
  t.strictSame(sqlStates(frames), ['08001'])
  t.notMatch(JSON.stringify(fields(frames.at(-1))), /secret|127\.0\.0\.1/)
  t.match(proxy.log(), /SERVER_LOGIN_FAILED/)
})

t.test('a server that never answers, and a query timeout', async (t) => {
  const server = await startScriptedServer([...LOGIN, { expect: 'Q' }])
  t.teardown(() => server.stop())
  const settings = settingsFor(server.port)
  const proxy = await startTestProxy({
    ...settings,
    timeouts: { queryMs: 100, cancelMs: 100 },
  })
  t.teardown(() => proxy.stop())
  const client = await logIn(proxy)
  client.send(query('SELECT 1'))
  const frames = await client.toEnd()
  t.strictSame(sqlStates(frames), ['57014'])
  t.match(proxy.log(), /QUERY_TIMEOUT/)
  t.equal(await proxy.metric('pgusher_pool_servers'), 0)
})
