import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import { runPsql } from '../support/psql.ts'
import { int32, keyOf, packet, query, RawClient, rows, sqlStates } from '../support/raw-client.ts'
import { saasSettings } from '../support/saas.ts'
import { serve, servedSettings, serveReady } from '../support/served-proxy.ts'
import { askFor, SSL_REQUEST } from '../support/tls-client.ts'
import { until } from '../support/until.ts'
import { LOGIN, OWNER, owner, refusals, startTlsHouse } from './client-tls-fixture.ts'

const house = await startTlsHouse(t)
const { client, server } = house
const folder = await mkdtemp(join(tmpdir(), 'pgusher-socket-'))
t.teardown(() => rm(folder, { recursive: true }))

async function open(port: number): Promise<Socket> {
  const socket = connect(join(folder, `.s.PGSQL.${port}`))
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function isThere(port: number): Promise<boolean> {
  return stat(join(folder, `.s.PGSQL.${port}`)).then(
    () => true,
    () => false,
  )
}

t.test('clients come by the socket and by TCP', async (t) => {
  const proxy = await startTestProxy(
    saasSettings(server, { listen: { socketDir: folder, socketMode: '0770' } }),
  )
  const { mode } = await stat(join(folder, `.s.PGSQL.${proxy.port}`))
  t.equal(mode & 0o7777, 0o770)
  const raw = RawClient.over(await open(proxy.port))
  const key = keyOf(await raw.logIn(LOGIN))
  t.strictSame(await owner(raw), ['globex'])
  const tcp = await RawClient.login(proxy.port, LOGIN)
  t.strictSame(await owner(tcp), ['globex'])

  raw.send(query('SELECT pg_sleep(60)'))
  await until(async () => (await proxy.metric('pgusher_pool_servers', { state: 'active' })) === 1)
  const canceler = RawClient.over(await open(proxy.port))
  canceler.send(packet(int32(80_877_102), int32(key.processId), key.secret))
  t.strictSame(await canceler.toEnd(), [])
  t.strictSame(sqlStates(await raw.upTo('Z')), ['57014'])

  const { stdout, stderr } = await runPsql({
    libpq: 15,
    connection: { host: folder, port: proxy.port, dbname: 'any', ...LOGIN },
    sql: OWNER,
  })
  t.strictSame({ stdout, stderr }, { stdout: 'globex', stderr: '' })
  await Promise.all([raw.end(), tcp.end()])
  await proxy.drain()
  t.equal(await isThere(proxy.port), false, 'it is removed at the end')
})

t.test('a socket is local: trust works, TLS is neither offered nor required', async (t) => {
  const proxy = await house.proxyWith(t, {
    listen: { socketDir: folder },
    tls: { client: { ...client, mode: 'require' } },
    auth: { method: 'trust' },
  })
  const socket = await open(proxy.port)
  t.equal(await askFor(socket, SSL_REQUEST), 'N')
  const raw = RawClient.over(socket)
  t.equal((await raw.logIn(LOGIN)).at(-1)?.code, 'Z')
  t.strictSame(rows(await raw.ask(query(OWNER))), ['globex'])
  await raw.end()
  const direct = await open(proxy.port)
  direct.resume()
  direct.write(Buffer.from('1603010200010001fc', 'hex'))
  await once(direct, 'close')
  t.strictSame(refusals(proxy), ['TLS_HANDSHAKE_FAILED'])
})

t.test('a socket that was left behind is replaced, one in use is not', async (t) => {
  const listen = { socketDir: folder }
  const settings = await servedSettings(saasSettings(server))
  const own = { ...settings, listen: { ...(settings['listen'] as object), ...listen } }
  const killed = await serveReady(t, own as typeof settings)
  killed.child.kill('SIGKILL')
  await killed.exited
  t.equal(await isThere(killed.port), true)

  const proxy = await serveReady(t, own as typeof settings)
  const raw = RawClient.over(await open(proxy.port))
  await raw.logIn({ user: 'app.globex', password: PASSWORD })
  t.strictSame(await owner(raw), ['globex'])
  await raw.end()

  const host = { ...(own.listen as object), host: '127.0.0.2' }
  const second = await serve(t, { ...own, ...(await freeAdmin()), listen: host })
  t.equal(await second.exited, 1)
  t.match(second.output(), /LISTEN_FAILED/)
  const after = RawClient.over(await open(proxy.port))
  t.equal((await after.logIn(LOGIN)).at(-1)?.code, 'Z', 'the first one still has it')
  await after.end()
})

async function freeAdmin(): Promise<{ readonly admin: unknown }> {
  const { admin } = await servedSettings({})
  return { admin }
}

t.test('what is no socket is left alone', async (t) => {
  const settings = await servedSettings(saasSettings(server))
  const { port } = settings['listen'] as { port: number }
  const path = join(folder, `.s.PGSQL.${port}`)
  await writeFile(path, 'dear')
  const served = await serve(t, { ...settings, listen: { port, socketDir: folder } })
  t.equal(await served.exited, 1)
  t.match(served.output(), /LISTEN_FAILED/)
  t.equal((await stat(path)).size, 4)
})
