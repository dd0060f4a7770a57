import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { dial } from '../../src/server/open/dial.ts'
import { startScriptedServer } from '../support/scripted-server.ts'

const UNREACHABLE = { code: 'SERVER_UNREACHABLE', sqlState: '08001', origin: 'server' }

t.test('leaves a TCP connection bare: no listener of ours, nothing read', async (t) => {
  const server = await startScriptedServer([{ send: Buffer.from('early') }])
  t.teardown(server.stop)
  const socket = await dial(server, { timeoutMs: 5_000 })
  t.teardown(() => socket.destroy())
  t.strictSame(listenersOf(socket), listenersOf(new Socket()))
  t.equal(socket.readableFlowing, null)
  const [chunk] = await once(socket, 'data')
  t.equal(String(chunk), 'early')
})

t.test('reaches a unix socket by its folder and port', async (t) => {
  const host = await socketFolder(t)
  const server = createServer((socket) => socket.end('hello'))
  server.listen(join(host, '.s.PGSQL.6543'))
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = await dial({ host, port: 6543 }, { timeoutMs: 5_000 })
  t.teardown(() => socket.destroy())
  const [chunk] = await once(socket, 'data')
  t.equal(String(chunk), 'hello')
})

t.test('a refused connection says where only to the log', async (t) => {
  const server = await startScriptedServer([])
  const { host, port } = server
  await server.stop()
  const error = await dial({ host, port }, { timeoutMs: 5_000 }).catch((error) => error)
  t.match(error, UNREACHABLE)
  t.match(error.message, `${host}:${port}`)
  t.match(error.cause, { code: 'ECONNREFUSED' })
  t.notMatch(error.clientMessage, host)
  t.notMatch(error.clientMessage, String(port))
})

t.test('a host with several addresses that all refuse has a reason', async (t) => {
  const server = await startScriptedServer([])
  const { port } = server
  await server.stop()
  const error = await dial({ host: 'localhost', port }, { timeoutMs: 5_000 }).catch((e) => e)
  t.match(error, UNREACHABLE)
  t.match(error.message, 'ECONNREFUSED')
})

t.test('a missing unix socket is unreachable', async (t) => {
  const outcome = dial({ host: await socketFolder(t), port: 1 }, { timeoutMs: 5_000 })
  await t.rejects(outcome, { ...UNREACHABLE, cause: { code: 'ENOENT' } })
})

t.test('gives up when the signal says so, before or meanwhile', async (t) => {
  const server = await startScriptedServer([])
  t.teardown(server.stop)
  const before = dial(server, { timeoutMs: 0, signal: AbortSignal.abort(new Error('drained')) })
  await t.rejects(before, { ...UNREACHABLE, message: /drained/ })
  const controller = new AbortController()
  const meanwhile = dial(server, { timeoutMs: 0, signal: controller.signal })
  controller.abort(new Error('drained'))
  await t.rejects(meanwhile, { ...UNREACHABLE, message: /drained/ })
})

t.test('gives up at the timeout', async (t) => {
  const server = await startScriptedServer([])
  t.teardown(server.stop)
  const outcome = dial(server, { timeoutMs: 1 })
  blockThread(20)
  await t.rejects(outcome, { ...UNREACHABLE, message: /timed out after 1 ms/ })
})

/** Lets a timer fall due before the event loop can see the socket connect. */
function blockThread(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs)
}

function listenersOf(socket: Socket): readonly (readonly [string | symbol, number])[] {
  return socket.eventNames().map((name) => [name, socket.listenerCount(name)] as const)
}

/** A short path: that of a unix socket may have 107 bytes at most. */
async function socketFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dial-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}
