import { randomBytes } from 'node:crypto'
import t from 'tap'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import {
  codes,
  fields,
  frame,
  int16,
  int32,
  packet,
  query,
  RawClient,
  rows,
  sqlStates,
  startup,
  text,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const FLOOD_ROUNDS = 500
const MAX_GROWTH_BYTES = 40 * 1024 * 1024
const SSL = packet(int32(80_877_103))
const GSS = packet(int32(80_877_104))
const USER = { user: 'app.globex' }
const STARTUP = startup(USER)
const PROTOCOL_3_2 = (3 << 16) | 2

const server = await startSaas(18)
t.teardown(() => server.stop())
// Logins that fail on purpose must not slow down the ones behind them.
const proxy = await startTestProxy(
  saasSettings(server, {
    pool: { size: 2 },
    limits: { loginFailures: 1_000_000 },
    timeouts: { startupMs: 5000 },
  }),
)
t.teardown(() => proxy.stop())

async function servesTheNext(): Promise<void> {
  const client = await RawClient.login(proxy.port, { ...USER, password: PASSWORD })
  t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), ['globex'])
  await client.end()
}

/** Sends bytes on a connection of their own; returns the SQLSTATEs that came before its end. */
async function reactionTo(...bytes: readonly Buffer[]): Promise<readonly (string | undefined)[]> {
  const client = await RawClient.connect(proxy.port)
  client.send(...bytes)
  const frames = await client.toEnd()
  return sqlStates(frames)
}

t.test('bad first packets', async (t) => {
  const cases: readonly [string, readonly Buffer[]][] = [
    ['a length of 0', [int32(0), Buffer.alloc(4)]],
    ['a length of 3', [int32(3), Buffer.alloc(4)]],
    ['a length of 7', [int32(7), Buffer.alloc(4)]],
    ['a length of 2^31-1', [int32(0x7fff_ffff), Buffer.alloc(64)]],
    ['a negative length', [int32(-1), Buffer.alloc(64)]],
    ['one byte too long', [int32(10_001), Buffer.alloc(64)]],
    ['protocol 2', [startup(USER, 2 << 16)]],
    ['protocol 4', [startup(USER, 4 << 16)]],
    ['no terminator', [packet(int32(3 << 16), text('user'), text('x'))]],
    ['a name without a value', [packet(int32(3 << 16), text('user'))]],
    ['bytes behind the terminator', [packet(int32(3 << 16), Buffer.alloc(8))]],
    ['HTTP', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')]],
  ]
  for (const [name, bytes] of cases) t.strictSame(await reactionTo(...bytes), ['08P01'], name)
  t.strictSame(await reactionTo(startup({})), ['28000'], 'no user')
  t.strictSame(await reactionTo(startup({ user: 'app' })), ['28000'], 'no tenant')
  await servesTheNext()
})

t.test('encryption requests', async (t) => {
  const client = await RawClient.connect(proxy.port)
  client.detach()
  const answers: string[] = []
  client.socket.on('data', (chunk: Buffer) => answers.push(chunk.toString('latin1')))
  client.send(SSL)
  await until(() => answers.join('') === 'N')
  client.send(GSS)
  await until(() => answers.join('') === 'NN')
  client.send(SSL)
  await client.closed
  t.match(answers.join(''), /08P01/, 'the same request twice')
  for (const request of [SSL, GSS]) {
    for (const more of [STARTUP, Buffer.of(0), request]) {
      const stuffed = await RawClient.connect(proxy.port)
      stuffed.detach()
      let seen = ''
      stuffed.socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1')
      })
      stuffed.send(request, more)
      await stuffed.closed
      t.match(seen, /^E.*08P01/s, 'nothing may follow a request in its packet')
    }
  }
  await servesTheNext()
})

t.test('every beginning of a login, then silence', async (t) => {
  for (let bytes = 0; bytes < STARTUP.length; bytes++) {
    const client = await RawClient.connect(proxy.port)
    client.send(STARTUP.subarray(0, bytes))
    client.socket.end()
    t.equal(codes(await client.toEnd()), '', `${bytes} bytes`)
  }
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
  await servesTheNext()
})

t.test('a login byte by byte', async (t) => {
  const client = await RawClient.connect(proxy.port)
  for (const byte of STARTUP.subarray(0, -1)) {
    client.socket.write(Buffer.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  client.socket.write(STARTUP.subarray(-1))
  const asked = await client.next()
  t.equal(asked?.code, 'R')
  client.socket.destroy()
})

t.test('messages out of turn', async (t) => {
  t.strictSame(await reactionTo(STARTUP, query('SELECT 1')), ['08P01'], 'a query for a password')
  t.strictSame(await reactionTo(STARTUP, frame('p')), ['08P01'], 'an empty answer')
  t.strictSame(await reactionTo(STARTUP, Buffer.from('p'), int32(3)), ['08P01'])
  t.strictSame(await reactionTo(STARTUP, Buffer.from('p'), int32(-5)), ['08P01'])
  t.strictSame(await reactionTo(STARTUP, Buffer.from('p'), int32(100_000_000)), ['08P01'], 'huge')
  const sasl = (mechanism: string, length: number, data: string) =>
    frame('p', text(mechanism), int32(length), Buffer.from(data))
  t.strictSame(await reactionTo(STARTUP, sasl('SCRAM-SHA-256-PLUS', 4, 'p=x,')), ['08P01'])
  t.strictSame(await reactionTo(STARTUP, sasl('SCRAM-SHA-256', 100, 'n,,n=,r=x')), ['08P01'])
  t.strictSame(await reactionTo(STARTUP, sasl('SCRAM-SHA-256', -1, '')), ['08P01'])
  t.strictSame(await reactionTo(STARTUP, sasl('SCRAM-SHA-256', 4, 'junk')), ['08P01'])
  const twice = sasl('SCRAM-SHA-256', 14, 'n,,n=,r=abcdef')
  t.match(
    (await reactionTo(STARTUP, twice, frame('p', Buffer.from('c=biws'))))[0],
    /^(08P01|28P01)$/,
  )
  await servesTheNext()
})

t.test('newer protocols and unknown options', async (t) => {
  const cases: readonly [string, Buffer, number, readonly string[]][] = [
    ['3.9999', startup(USER, (3 << 16) | 9999), PROTOCOL_3_2, []],
    ['an option', startup({ ...USER, '_pq_.fancy': '1' }), 3 << 16, ['_pq_.fancy']],
  ]
  for (const [name, bytes, version, options] of cases) {
    const client = await RawClient.connect(proxy.port)
    client.send(bytes)
    const told = await client.next()
    t.equal(told?.code, 'v', name)
    t.equal(told?.body.readInt32BE(), version)
    t.equal(told?.body.readInt32BE(4), options.length)
    t.same(told?.body.subarray(8).toString().split('\0').slice(0, -1), options)
    t.equal((await client.next())?.code, 'R', 'and the login goes on')
    client.socket.destroy()
  }
})

t.test('bad messages after the login', async (t) => {
  const bad: readonly [string, Buffer][] = [
    ['an unknown type', frame('!')],
    ['a password', frame('p', text('x'))],
    ['a server message', frame('Z', Buffer.from('I'))],
    ['a length of 0', Buffer.concat([Buffer.from('Q'), int32(0)])],
    ['a negative length', Buffer.concat([Buffer.from('Q'), int32(-1), Buffer.alloc(20)])],
    ['a length of 3 in a pipeline', Buffer.concat([query('SELECT 1'), Buffer.from('S'), int32(3)])],
    ['a name without an end', Buffer.concat([frame('B', Buffer.from('no end')), frame('S')])],
    ['a Parse without an end', Buffer.concat([frame('P', Buffer.from('no end')), frame('S')])],
    ['an empty Bind', Buffer.concat([frame('B'), frame('S')])],
    ['an empty Close', Buffer.concat([frame('C'), frame('S')])],
    ['an empty Describe', Buffer.concat([frame('D'), frame('S')])],
  ]
  for (const [name, bytes] of bad) {
    for (const isInTransaction of [false, true]) {
      const client = await RawClient.login(proxy.port, { ...USER, password: PASSWORD })
      if (isInTransaction) await client.ask(query('BEGIN'))
      client.send(bytes)
      const frames = await client.toEnd()
      t.strictSame(sqlStates(frames).at(-1), '08P01', name)
      t.equal(fields(frames.at(-1))['S'], 'FATAL')
    }
  }
  const client = await RawClient.login(proxy.port, { ...USER, password: PASSWORD })
  client.send(frame('F', int32(1)))
  t.strictSame(sqlStates(await client.upTo('Z')), ['42883'], 'the server refuses what it can')
  await client.end()
  const huge = await RawClient.login(proxy.port, { ...USER, password: PASSWORD })
  huge.send(Buffer.from('Q'), int32(0x7fff_ffff), Buffer.alloc(100_000, 0x20))
  t.strictSame(sqlStates(await huge.toEnd()), ['08P01'])
  await servesTheNext()
})

t.test('a flood of nonsense', async (t) => {
  const shapes: readonly (() => Buffer)[] = [
    () => randomBytes(1 + Math.floor(Math.random() * 3000)),
    () => Buffer.concat([STARTUP, randomBytes(500)]),
    () => packet(int32(3 << 16), randomBytes(200)),
    () => Buffer.concat([int32(9999), int32(3 << 16), randomBytes(2000)]),
    () => Buffer.concat([STARTUP, Buffer.from('p'), int32(60_000), randomBytes(1000)]),
    () => Buffer.concat([STARTUP, frame('p', int16(1), randomBytes(50))]),
  ]
  const once = async (round: number) => {
    const client = await RawClient.connect(proxy.port)
    client.send((shapes[round % shapes.length] ?? shapes[0])?.() ?? Buffer.alloc(0))
    // Half of them wait for what the proxy does, the others leave at once.
    if (round % 2 === 0) client.socket.end()
    else client.socket.resetAndDestroy()
    await client.toEnd()
  }
  for (let round = 0; round < 50; round++) await once(round)
  const before = process.memoryUsage().rss
  for (let round = 0; round < FLOOD_ROUNDS; round++) await once(round)
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
  const growth = process.memoryUsage().rss - before
  t.ok(growth < MAX_GROWTH_BYTES, `memory grew by ${growth} bytes`)
  await servesTheNext()
  t.notMatch(proxy.log(), /INTERNAL_ERROR/)
})
