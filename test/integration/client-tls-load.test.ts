import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { PASSWORD, testConfig } from '../support/proxy.ts'
import { query, RawClient, sqlStates } from '../support/raw-client.ts'
import { saasSettings } from '../support/saas.ts'
import { servedSettings, serveReady } from '../support/served-proxy.ts'
import { openTls, tlsClient } from '../support/tls-client.ts'
import { until } from '../support/until.ts'
import { LOGIN, owner, startTlsHouse } from './client-tls-fixture.ts'

const MEGABYTE = 1_048_576
const SERVERS = 'pgusher_pool_servers'

const house = await startTlsHouse(t)
const { authority, client, server, trusting } = house

t.test('values of 8 MB both ways at the same time', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client }, pool: { size: 2 } })
  const ssl = { ca: authority.own.cert }
  const clients = await Promise.all(
    ['globex', 'initech', 'hooli'].map((tenant) =>
      proxy.connect(tenant, { host: 'localhost', ssl }),
    ),
  )
  const rounds = clients.map(async (pg, index) => {
    const value = String(index).repeat(8 * MEGABYTE)
    for (let round = 0; round < 3; round++) {
      const { rows } = await pg.query('SELECT $1::text AS value', [value])
      t.ok(rows[0].value === value, `client ${index}, round ${round}`)
    }
  })
  await Promise.all(rounds)
  await Promise.all(clients.map((pg) => pg.end()))
})

t.test('a client that does not read holds up nobody, and loses nothing', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  const socket = await openTls(proxy.port, trusting)
  const slow = RawClient.over(socket)
  await slow.logIn(LOGIN)
  slow.detach()
  socket.pause()
  const before = process.memoryUsage().rss
  slow.send(query(`SELECT repeat('x', 1024) FROM generate_series(1, 100 * 1024)`))
  const other = await tlsClient(proxy.port, trusting)
  await other.logIn(LOGIN)
  for (let round = 0; round < 50; round++) {
    t.strictSame(await owner(other), ['globex'])
    await new Promise(setImmediate)
  }
  const growth = process.memoryUsage().rss - before
  t.ok(growth < 60 * MEGABYTE, `100 MB wait in the server, not here: grew by ${growth} bytes`)
  let bytes = 0
  let tail = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    tail = Buffer.concat([tail, chunk]).subarray(-6)
  })
  socket.resume()
  await until(() => tail.equals(Buffer.from('5a0000000549', 'hex')))
  t.ok(bytes > 100 * MEGABYTE, `${bytes} bytes came`)
  socket.destroy()
  await other.end()
})

t.test('a client that vanishes in the middle of a query', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client }, pool: { size: 1 } })
  for (const leave of ['destroy', 'end'] as const) {
    const socket = await openTls(proxy.port, trusting)
    const raw = RawClient.over(socket)
    await raw.logIn(LOGIN)
    raw.send(query('SELECT pg_sleep(60)'))
    await until(async () => (await proxy.metric(SERVERS, { state: 'active' })) === 1)
    socket[leave]()
    await until(async () => (await proxy.metric('pgusher_client_connections')) === 0)
    t.equal(await proxy.metric('pgusher_sessions'), 0)
  }
  const next = await tlsClient(proxy.port, trusting)
  await next.logIn(LOGIN)
  t.strictSame(await owner(next), ['globex'])
  await next.end()
  t.notMatch(proxy.log(), /INTERNAL_ERROR/)
})

t.test('a reload brings a new certificate, and open sessions live on', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  const old = await tlsClient(proxy.port, trusting)
  await old.logIn(LOGIN)
  const next = await authority.issue({ commonName: 'renewed', altNames: ['DNS:localhost'] })
  const renewed = { cert: next.certFile, key: next.keyFile }
  proxy.reload(testConfig(saasSettings(server, { tls: { client: renewed } })))
  const socket = await openTls(proxy.port, trusting)
  t.equal(socket.getPeerCertificate().subject.CN, 'renewed')
  t.strictSame(await owner(old), ['globex'])
  socket.destroy()

  proxy.reload(testConfig(saasSettings(server)))
  t.strictSame(await owner(old), ['globex'], 'even when TLS is switched off')
  await t.rejects(openTls(proxy.port, trusting), /refused/)
  await old.end()
})

t.test('SIGHUP reads the files again, and keeps the old ones when they are bad', async (t) => {
  const files = {
    cert: join(authority.folder, 'live.crt'),
    key: join(authority.folder, 'live.key'),
  }
  const put = async (from: { readonly certFile: string; readonly keyFile: string }) => {
    await copyFile(from.certFile, files.cert)
    await copyFile(from.keyFile, files.key)
  }
  await put(house.pair)
  const settings = await servedSettings(saasSettings(server), { tls: { client: files } })
  const served = await serveReady(t, settings)
  const nameSeen = async () => {
    const socket = await openTls(served.port, trusting)
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return CN
  }
  const old = await tlsClient(served.port, trusting)
  await old.logIn({ user: 'app.globex', password: PASSWORD })
  t.equal(await nameSeen(), 'localhost')

  const next = await authority.issue({ commonName: 'renewed', altNames: ['DNS:localhost'] })
  await copyFile(next.certFile, files.cert)
  served.child.kill('SIGHUP')
  await until(() => served.output().includes('configuration refused'))
  t.match(served.output(), /tls\.client\.key: is not the key of tls\.client\.cert/)
  t.equal(await nameSeen(), 'localhost', 'half a renewal changes nothing')

  await copyFile(next.keyFile, files.key)
  served.child.kill('SIGHUP')
  await until(() => served.output().includes('configuration reloaded'))
  t.equal(await nameSeen(), 'renewed')
  t.strictSame(sqlStates(await old.ask(query('SELECT 1'))), [])
  await old.end()
})
