import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { COPY_BOTH, type FakeWalsender, startFakeWalsender } from '../support/fake-walsender.ts'
import { failOnLeaks } from '../support/leaks.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { codes, fields, frame, type RawClient, sqlStates } from '../support/raw-client.ts'
import { replicate, replicationLogin } from '../support/replicating.ts'
import { until } from '../support/until.ts'

const CHANGE = frame('d', Buffer.alloc(1000, 'w'))
const CHUNK_BYTES = 64 * 1024
/** What the proxy, the kernel and the streams of two sockets may hold between them. */
const MAX_HELD_BYTES = 16 * 1024 * 1024
const FLOOD_BYTES = 4 * MAX_HELD_BYTES

interface Joined {
  readonly proxy: TestProxy
  readonly walsender: FakeWalsender
  readonly client: RawClient
  /** The server's end. */
  readonly server: Socket
}

async function join(t: Test, timeouts: Readonly<Record<string, number>> = {}): Promise<Joined> {
  failOnLeaks(t)
  const walsender = await startFakeWalsender()
  t.teardown(() => walsender.stop())
  const proxy = await startTestProxy({
    timeouts,
    tenants: [
      {
        name: 'acme',
        strategy: 'database',
        databaseUrl: walsender.url,
        replication: 'physical',
      },
    ],
  })
  t.teardown(() => proxy.stop())
  const { client } = await replicate(proxy, replicationLogin('acme', 'true'))
  return { proxy, walsender, client, server: await walsender.connection }
}

t.test('the server goes in the middle of a message', async (t) => {
  const { proxy, client, server } = await join(t)
  server.end(Buffer.concat([COPY_BOTH, CHANGE, CHANGE.subarray(0, 500)]))
  t.equal(codes(await client.toEnd()), 'Wd', 'nothing is put into it')
  t.strictSame(client.rest, CHANGE.subarray(0, 500))
  t.match(proxy.log(), '"code":"SERVER_LOST"')
})

t.test('the server goes between two messages', async (t) => {
  const { client, server } = await join(t)
  server.end(Buffer.concat([COPY_BOTH, CHANGE]))
  const frames = await client.toEnd()
  t.equal(codes(frames), 'WdE')
  t.strictSame(sqlStates(frames), ['08006'])
  t.notMatch(fields(frames.at(-1))['M'], '127.0.0.1')
})

t.test('the server sends what is no message', async (t) => {
  const { proxy, client, server } = await join(t)
  server.write(Buffer.concat([COPY_BOTH, Buffer.from('d\0\0\0\x02more')]))
  t.notMatch(codes(await client.toEnd()), 'd')
  await until(async () => (await proxy.metric('pgusher_sessions')) === 0)
})

t.test('drain waits for the end of the message that is going out', async (t) => {
  const { proxy, client, server } = await join(t)
  server.write(Buffer.concat([COPY_BOTH, CHANGE.subarray(0, 500)]))
  await until(() => client.rest.length === 500)
  const drained = proxy.drain()
  t.equal(await proxy.metric('pgusher_sessions'), 1)
  server.write(Buffer.concat([CHANGE.subarray(500), CHANGE, CHANGE.subarray(0, 10)]))
  const frames = await client.toEnd()
  t.equal(codes(frames), 'WdE', 'and for no other')
  t.strictSame(sqlStates(frames), ['57P01'])
  t.equal(await drained, true)
})

t.test('drain does not wait for ever', async (t) => {
  const { proxy, client, server } = await join(t, { drainMs: 100 })
  server.write(Buffer.concat([COPY_BOTH, CHANGE.subarray(0, 500)]))
  await until(() => client.rest.length === 500)
  t.equal(await proxy.drain(), false)
  t.equal(codes(await client.toEnd()), 'W', 'half a message, and no more')
})

t.test('the server goes while its last message is waited for', async (t) => {
  const { proxy, client, server } = await join(t)
  server.write(Buffer.concat([COPY_BOTH, CHANGE.subarray(0, 500)]))
  await until(() => client.rest.length === 500)
  const drained = proxy.drain()
  server.end()
  t.equal(codes(await client.toEnd()), 'W')
  t.equal(await drained, true)
})

t.test('a client that does not read', async (t) => {
  const { proxy, client, server } = await join(t)
  const socket = client.detach()
  socket.pause()
  const taken = await flood(server)
  t.ok(taken < MAX_HELD_BYTES, `the server is made to wait: ${taken} bytes`)
  let bytes = 0
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  socket.resume()
  await until(() => bytes >= taken)
  t.equal(bytes, taken, 'every byte came')
  socket.destroy()
  await until(async () => (await proxy.metric('pgusher_sessions')) === 0)
})

t.test('a server that does not read', async (t) => {
  const { proxy, client, server } = await join(t)
  const taken = await flood(client.socket)
  t.ok(taken < MAX_HELD_BYTES, `the client is made to wait: ${taken} bytes`)
  let bytes = 0
  server.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  server.resume()
  await until(() => bytes >= taken)
  t.equal(bytes, taken, 'every byte came')
  client.socket.destroy()
  await until(async () => (await proxy.metric('pgusher_sessions')) === 0)
})

/** Writes whole messages until the socket takes no more for a while; returns how many bytes. */
async function flood(socket: Socket): Promise<number> {
  const chunk = Buffer.concat(Array.from({ length: CHUNK_BYTES / CHANGE.length }, () => CHANGE))
  let sent = 0
  while (sent < FLOOD_BYTES) {
    sent += chunk.length
    if (!socket.write(chunk) && !(await drains(socket))) break
  }
  return sent
}

/** Whether the socket takes more within a second. */
function drains(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const drained = () => settle(true)
    const timer = setTimeout(() => settle(false), 1000)
    const settle = (hasDrained: boolean) => {
      clearTimeout(timer)
      socket.off('drain', drained)
      resolve(hasDrained)
    }
    socket.once('drain', drained)
  })
}
