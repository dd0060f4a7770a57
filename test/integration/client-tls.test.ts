import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { sql } from '../support/postgres.ts'
import {
  codes,
  fields,
  int32,
  keyOf,
  packet,
  query,
  RawClient,
  sqlStates,
  startup,
} from '../support/raw-client.ts'
import {
  askFor,
  GSS_REQUEST,
  openSocket,
  openTls,
  SSL_REQUEST,
  type TlsClientOptions,
  tlsClient,
} from '../support/tls-client.ts'
import { until } from '../support/until.ts'
import { LOGIN, owner, refusals, startTlsHouse } from './client-tls-fixture.ts'

const house = await startTlsHouse(t)
const { client, server, trusting } = house

t.test('every way into TLS', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  const ways: readonly [string, TlsClientOptions][] = [
    ['after an SSLRequest', {}],
    ['after an SSLRequest, with ALPN', { ALPNProtocols: ['postgresql'] }],
    ['directly', { isDirect: true }],
    ['directly, among other protocols', { isDirect: true, ALPNProtocols: ['h2', 'postgresql'] }],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
    ['TLS 1.3', { minVersion: 'TLSv1.3' }],
  ]
  for (const [name, options] of ways) {
    await t.test(name, async (t) => {
      const raw = await tlsClient(proxy.port, { ...trusting, ...options })
      t.equal((await raw.logIn(LOGIN)).at(-1)?.code, 'Z')
      t.strictSame(await owner(raw), ['globex'])
      await raw.end()
    })
  }
  await t.test('a refused GSS encryption before', async (t) => {
    const socket = await openSocket(proxy.port)
    t.equal(await askFor(socket, GSS_REQUEST), 'N')
    t.equal(await askFor(socket, SSL_REQUEST), 'S')
    socket.destroy()
  })
  await t.test('an SSLRequest inside direct TLS is declined, as Postgres does', async (t) => {
    const secured = await openTls(proxy.port, { ...trusting, isDirect: true })
    t.equal(await askFor(secured, SSL_REQUEST), 'N')
    const raw = RawClient.over(secured)
    t.equal((await raw.logIn(LOGIN)).at(-1)?.code, 'Z')
    await raw.end()
  })
  await t.test('no TLS at all', async (t) => {
    const raw = await RawClient.login(proxy.port, LOGIN)
    t.strictSame(await owner(raw), ['globex'])
    await raw.end()
  })
  await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
})

t.test('the certificate comes with the handshake, and no session can be resumed', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { ...trusting, minVersion: version, maxVersion: version }
    const first: TLSSocket = await openTls(proxy.port, options)
    t.equal(first.getPeerCertificate().subject.CN, 'localhost')
    const session = first.getSession()
    first.destroy()
    const second = await openTls(proxy.port, { ...options, ...(session ? { session } : {}) })
    t.equal(second.isSessionReused(), false)
    second.destroy()
  }
})

t.test('a startup packet in single bytes, inside TLS', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  const raw = await tlsClient(proxy.port, trusting)
  for (const byte of startup({ user: 'app.nobody' })) {
    await new Promise((resolve) => raw.socket.write(Buffer.of(byte), resolve))
    await new Promise(setImmediate)
  }
  t.equal((await raw.next())?.code, 'R')
  raw.socket.destroy()
})

t.test('what is not allowed on the way', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  await t.test('bytes behind an SSLRequest', async (t) => {
    const raw = await RawClient.connect(proxy.port)
    raw.send(SSL_REQUEST, startup({ user: 'app.globex' }))
    t.strictSame(sqlStates(await raw.toEnd()), ['08P01'], 'no S, but the end')
  })
  for (const [name, request] of [
    ['SSL', SSL_REQUEST],
    ['GSS', GSS_REQUEST],
  ] as const) {
    await t.test(`a request for ${name} in negotiated TLS`, async (t) => {
      const raw = await tlsClient(proxy.port, trusting)
      raw.send(request)
      t.strictSame(sqlStates(await raw.toEnd()), ['08P01'])
    })
  }
  await t.test('direct TLS behind an SSLRequest that was declined', async (t) => {
    const plain = await house.proxyWith(t, {})
    const socket = await openSocket(plain.port)
    t.equal(await askFor(socket, SSL_REQUEST), 'N')
    const raw = RawClient.over(socket)
    socket.resume()
    raw.send(Buffer.from('160301020001', 'hex'))
    t.strictSame(sqlStates(await raw.toEnd()), ['08P01'])
  })
})

t.test('TLS that is required', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client: { ...client, mode: 'require' } } })
  const refused = await RawClient.connect(proxy.port)
  const frames = await refused.logIn(LOGIN)
  t.equal(codes(frames), 'E', 'before any question for a password')
  t.equal(fields(frames[0])['C'], '28000')
  t.match(fields(frames[0])['H'], /sslmode/)
  t.strictSame(refusals(proxy), ['TLS_REQUIRED'])
  const raw = await tlsClient(proxy.port, trusting)
  await raw.logIn(LOGIN)
  t.strictSame(await owner(raw), ['globex'])
  await raw.end()
})

t.test('cancel requests, in TLS and without', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client: { ...client, mode: 'require' } } })
  const raw = await tlsClient(proxy.port, trusting)
  const key = keyOf(await raw.logIn(LOGIN))
  const request = packet(int32(80_877_102), int32(key.processId), key.secret)
  const ways: readonly (() => Promise<RawClient>)[] = [
    () => RawClient.connect(proxy.port),
    () => tlsClient(proxy.port, trusting),
    () => tlsClient(proxy.port, { ...trusting, isDirect: true }),
  ]
  for (const connect of ways) {
    raw.send(query('SELECT pg_sleep(60)'))
    await until(async () => {
      const text = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`
      return (await sql(server, 'postgres', text)).length === 1
    })
    const canceler = await connect()
    canceler.send(request)
    t.strictSame(await canceler.toEnd(), [], 'no word')
    t.strictSame(sqlStates(await raw.upTo('Z')), ['57014'])
  }
  await raw.end()
})
