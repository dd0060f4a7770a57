import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { withDeadline } from '../../src/base/deadline.ts'
import type { ServerTls } from '../../src/catalog/route.ts'
import { connectServer, type Encryption } from '../../src/server/open/connect-server.ts'
import type { ServerAddress } from '../../src/server/server-errors.ts'
import { query } from '../../src/wire/frontend-messages.ts'
import { TestAuthority } from '../support/certificates.ts'
import {
  type ScriptedServer,
  type ScriptStep,
  startScriptedServer,
} from '../support/scripted-server.ts'
import { until } from '../support/until.ts'

const TIMEOUT_MS = 10_000
const SSL_REQUEST_BYTES = 8
const MANY_BYTES = 8 * 1024 * 1024
const CHUNK = Buffer.alloc(65_536, 'x')
const TLS: ServerTls = {
  mode: 'require',
  rootCertificates: undefined,
  certificate: undefined,
  key: undefined,
  channelBinding: 'prefer',
  negotiation: 'postgres',
  isNameSent: true,
}
const DIRECT: ServerTls = { ...TLS, negotiation: 'direct' }

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())

const SSL_REQUEST: ScriptStep = { expect: 'startup' }
const says = (text: string): ScriptStep => ({ send: Buffer.from(text, 'latin1') })
const LOGIN_FAILED = { code: 'SERVER_LOGIN_FAILED' }
const UNREACHABLE = { code: 'SERVER_UNREACHABLE' }

/** Each: what the server does with our request, and the error that comes of it. */
const ANSWERS = [
  { name: 'no', steps: [says('N')], error: { ...LOGIN_FAILED, isPermanent: true } },
  { name: 'bytes behind its yes', steps: [says('S\x16\x03\x01')], error: LOGIN_FAILED },
  { name: 'bytes behind its no', steps: [says('NE')], error: LOGIN_FAILED },
  {
    name: 'an error',
    steps: [says('E\0\0\0\x08SFATAL')],
    error: { ...LOGIN_FAILED, isPermanent: false },
  },
  { name: 'another protocol', steps: [says('HTTP/1.1 400')], error: LOGIN_FAILED },
  { name: 'nothing, and hangs up', steps: [{ close: 'end' }], error: UNREACHABLE },
  { name: 'a reset', steps: [{ close: 'reset' }], error: UNREACHABLE },
  { name: 'yes, and hangs up', steps: [says('S'), { close: 'end' }], error: UNREACHABLE },
] as const
for (const { name, steps, error } of ANSWERS) {
  t.test(`a server that answers ${name}`, async (t) => {
    const server = await start(t, [SSL_REQUEST, ...steps])
    await t.rejects(connect(server, TLS, 'required'), error)
    await server.clientGone
    // The code of the request, and nothing else: no startup packet, no password.
    t.strictSame(server.received, [Buffer.from('04d2162f', 'hex')])
  })
}

t.test('a handshake of garbage is permanent, and ends the connection', async (t) => {
  const server = await startTlsServer(t, {
    garbage: Buffer.from('SSH-2.0-OpenSSH_9.6 no TLS here'),
  })
  await t.rejects(connect(server, TLS, 'required'), { ...LOGIN_FAILED, isPermanent: true })
  await server.firstGone
})

t.test('where TLS is only preferred, a failed handshake ends in a plain connection', async (t) => {
  const server = await startTlsServer(t, {
    garbage: Buffer.from('SSH-2.0-OpenSSH_9.6 no TLS here'),
  })
  const socket = await connect(server, TLS, 'preferred')
  t.teardown(() => socket.destroy())
  t.notOk(socket instanceof TLSSocket)
  await server.firstGone
  t.equal(server.connections, 2)
})

t.test('where TLS is only preferred, a no leaves the connection in use', async (t) => {
  const server = await start(t, [SSL_REQUEST, says('N'), { expect: 'Q' }, says('done')])
  const socket = await connect(server, TLS, 'preferred')
  t.teardown(() => socket.destroy())
  t.notOk(socket instanceof TLSSocket)
  socket.write(query('SELECT 1'))
  t.equal(await nextText(socket), 'done')
})

t.test('no TLS is asked for where none is wanted', async (t) => {
  const server = await start(t, [{ expect: 'Q' }, says('done')])
  const socket = await connect(server, TLS, 'none')
  t.teardown(() => socket.destroy())
  socket.write(query('SELECT 1'))
  t.equal(await nextText(socket), 'done')
})

t.test('a server that does not answer is given up at the deadline', async (t) => {
  for (const steps of [[SSL_REQUEST], [SSL_REQUEST, says('S')]]) {
    const server = await start(t, steps)
    const { host, port } = server
    const outcome = withDeadline({ timeoutMs: 50 }, (signal) =>
      connectServer({ host, port, tls: TLS }, 'preferred', signal),
    )
    await t.rejects(outcome, { ...UNREACHABLE, message: /timed out after 50 ms/ })
    await server.clientGone
  }
})

for (const tls of [TLS, DIRECT]) {
  t.test(`hands over an encrypted socket as bare as a plain one: ${tls.negotiation}`, async (t) => {
    const server = await startTlsServer(t, { alpn: ['postgresql'] })
    const socket = await connect(server, tls, 'required')
    t.teardown(() => socket.destroy())
    t.ok(socket instanceof TLSSocket)
    t.not(socket.readableFlowing, true)
    for (const event of ['data', 'error', 'secureConnect']) t.equal(socket.listenerCount(event), 0)
    const peer = await server.peer
    t.equal(peer.alpnProtocol, 'postgresql')
    peer.write('early')
    t.equal(await nextText(socket), 'early')
  })
}

t.test('direct TLS needs the word that Postgres is spoken inside', async (t) => {
  const server = await startTlsServer(t, {})
  await t.rejects(connect(server, DIRECT, 'required'), { ...LOGIN_FAILED, isPermanent: true })
  await server.firstGone
})

for (const [host, isNameSent, expects] of [
  ['localhost', true, 'localhost'],
  ['localhost', false, false],
  ['127.0.0.1', true, false],
] as const) {
  t.test(`${host} is ${expects === false ? 'not sent' : 'sent'} as the name`, async (t) => {
    const { port, peer } = await startTlsServer(t, {})
    const socket = await connect({ host, port }, { ...TLS, isNameSent }, 'required')
    t.teardown(() => socket.destroy())
    t.equal(((await peer) as TLSSocket & { servername: unknown }).servername, expects)
  })
}

t.test('a paused socket stops the server, and loses nothing', async (t) => {
  const server = await startTlsServer(t, {})
  const socket = await connect(server, TLS, 'required')
  t.teardown(() => socket.destroy())
  const peer = await server.peer
  const sent = Buffer.alloc(MANY_BYTES, 'x')
  let isTaken = false
  peer.write(sent, () => {
    isTaken = true
  })
  let received = 0
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    socket.pause()
  })
  socket.resume()
  await until(() => received > 0)
  const before = received
  // A round trip the other way: whatever had been under way would be there by now.
  socket.write('ping')
  t.equal(await nextText(peer), 'ping')
  t.equal(received, before)
  t.notOk(isTaken)
  socket.removeAllListeners('data').on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  socket.resume()
  await until(() => received === MANY_BYTES)
})

t.test('what a slow server does not take is told by write and drain', async (t) => {
  const server = await startTlsServer(t, {})
  const socket = await connect(server, TLS, 'required')
  t.teardown(() => socket.destroy())
  const peer = await server.peer
  peer.pause()
  socket.cork()
  for (let left = MANY_BYTES; left > 0; left -= CHUNK.length) socket.write(CHUNK)
  t.equal(socket.write(CHUNK), false)
  socket.uncork()
  let received = 0
  peer.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  peer.resume()
  await once(socket, 'drain')
  await until(() => received === MANY_BYTES + CHUNK.length)
})

t.test('a cut connection is an error or an end, and nothing is left open', async (t) => {
  const server = await startTlsServer(t, {})
  const socket = await connect(server, TLS, 'required')
  const peer = await server.peer
  socket.on('error', () => {})
  socket.resume()
  peer.destroy()
  await once(socket, 'close')
  await server.firstGone
})

function connect(
  { host, port }: ServerAddress,
  tls: ServerTls,
  encryption: Encryption,
): Promise<Socket> {
  return withDeadline({ timeoutMs: TIMEOUT_MS }, (signal) =>
    connectServer({ host, port, tls }, encryption, signal),
  )
}

async function nextText(socket: Socket): Promise<string> {
  const arrival = once(socket, 'data')
  socket.resume()
  const [chunk] = await arrival
  return String(chunk)
}

async function start(t: Test, steps: readonly ScriptStep[]): Promise<ScriptedServer> {
  const server = await startScriptedServer(steps)
  t.teardown(server.stop)
  return server
}

interface TlsServerOptions {
  /** Answers the first bytes of the handshake. */
  readonly garbage?: Buffer
  readonly alpn?: string[]
}

/** A server that does TLS with every client, asked or not. */
async function startTlsServer(t: Test, { garbage, alpn }: TlsServerOptions) {
  const { cert, key } = await authority.issue({ commonName: 'localhost' })
  const sockets: Socket[] = []
  const peers = new EventEmitter()
  const peer = once(peers, 'secure').then(([found]) => found as TLSSocket)
  const gone = once(peers, 'gone').then(() => {})
  const context = createSecureContext({ cert, key })
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {}).on('close', () => peers.emit('gone'))
    socket.once('readable', () => {
      const first: Buffer = socket.read()
      const isAsked = first.length === SSL_REQUEST_BYTES
      if (isAsked) socket.write('S')
      else socket.unshift(first)
      if (garbage !== undefined) {
        socket.once('data', () => socket.write(garbage))
        return
      }
      const options = { isServer: true, secureContext: context }
      const secure = new TLSSocket(socket, alpn ? { ...options, ALPNProtocols: alpn } : options)
      secure.on('error', () => {}).on('secure', () => peers.emit('secure', secure))
    })
  })
  server.listen(0)
  await once(server, 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return {
    host: 'localhost',
    port,
    /** Our side of the first connection that was encrypted. */
    peer,
    /** Resolves when the first connection has ended. */
    firstGone: gone,
    get connections() {
      return sockets.length
    },
  }
}
