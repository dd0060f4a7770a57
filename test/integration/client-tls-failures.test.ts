import { once } from 'node:events'
import t from 'tap'
import { codes, RawClient, sqlStates, startup } from '../support/raw-client.ts'
import { askFor, openSocket, SSL_REQUEST, tlsClient } from '../support/tls-client.ts'
import { until } from '../support/until.ts'
import { failing, LOGIN, owner, refusals, startTlsHouse } from './client-tls-fixture.ts'

const house = await startTlsHouse(t)
const { client, trusting } = house

/** Each connects in a way that must fail. */
function failingWays(port: number): readonly [string, () => Promise<unknown>][] {
  return [
    [
      'an old version',
      () => failing(port, { ...trusting, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }),
    ],
    [
      'another protocol',
      () => failing(port, { ...trusting, isDirect: true, ALPNProtocols: ['h2'] }),
    ],
    ['another protocol by request', () => failing(port, { ...trusting, ALPNProtocols: ['h2'] })],
    [
      'direct without ALPN',
      () => failing(port, { ...trusting, isDirect: true, ALPNProtocols: [] }),
    ],
    [
      'garbage',
      async () => {
        const raw = await RawClient.connect(port)
        raw.send(Buffer.from('160301000a00112233445566778899', 'hex'))
        return codes(await raw.toEnd())
      },
    ],
    [
      'garbage after the S',
      async () => {
        const socket = await openSocket(port)
        await askFor(socket, SSL_REQUEST)
        socket.end(startup({ user: 'app.globex' }))
        socket.resume()
        await once(socket, 'close')
      },
    ],
  ]
}

t.test('handshakes that fail are logged once, and harm nobody', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  const bystander = await tlsClient(proxy.port, trusting)
  await bystander.logIn(LOGIN)
  const failures = failingWays(proxy.port)
  for (const [index, [name, fail]] of failures.entries()) {
    await fail()
    await until(() => refusals(proxy).length > index)
    t.strictSame(refusals(proxy).slice(index), ['TLS_HANDSHAKE_FAILED'], name)
  }
  t.strictSame(await owner(bystander), ['globex'])
  await bystander.end()
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
  t.notMatch(proxy.log(), /INTERNAL_ERROR/)
})

t.test('a client that leaves in the middle of its handshake', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const socket = await openSocket(proxy.port)
    await askFor(socket, SSL_REQUEST)
    socket.write(Buffer.from('1603010200010001fc', 'hex'))
    socket.resume()
    socket[leave]()
    await once(socket, 'close')
  }
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
  t.strictSame(refusals(proxy), ['TLS_HANDSHAKE_FAILED', 'TLS_HANDSHAKE_FAILED'])
})

t.test('a handshake counts against the time for the login', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client }, timeouts: { startupMs: 200 } })
  const socket = await openSocket(proxy.port)
  await askFor(socket, SSL_REQUEST)
  socket.resume()
  await once(socket, 'close')
  t.strictSame(refusals(proxy), ['STARTUP_TIMEOUT'])
  const silent = await tlsClient(proxy.port, trusting)
  t.strictSame(sqlStates(await silent.toEnd()), ['57014'], 'inside TLS it can be told')
})

t.test('TLS where it is switched off', async (t) => {
  for (const settings of [{}, { tls: { client: { ...client, mode: 'disable' } } }]) {
    const proxy = await house.proxyWith(t, settings)
    const socket = await openSocket(proxy.port)
    t.equal(await askFor(socket, SSL_REQUEST), 'N')
    socket.destroy()
    await failing(proxy.port, { ...trusting, isDirect: true })
    await until(() => refusals(proxy).length > 0)
    t.strictSame(refusals(proxy), ['TLS_HANDSHAKE_FAILED'])
  }
})
