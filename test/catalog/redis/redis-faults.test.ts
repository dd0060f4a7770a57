import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { until } from '../../support/until.ts'
import {
  cacheOn,
  fillQuietly,
  KEPT_MS,
  serverFor,
  TIMEOUT_MS,
  tenantEntry,
  tenantName,
  watchedCache,
} from './redis-fixture.ts'

const ACME = tenantName('acme')
const ENTRY = tenantEntry('acme', 5)
const ALL = { kind: 'all', version: undefined }
const FAILED = { code: 'CATALOG_LAYER_FAILED', layer: 'redis' }
/** Longest wait of a cache whose Redis hangs. */
const HASTE_MS = 250
/** For timers of a busy machine. */
const SLACK_MS = 400

t.test('a Redis that was killed fails at once, and comes back empty', async (t) => {
  const server = await serverFor(t)
  const watched = await cacheOn(t, server.url)
  const { cache, told, lost, up } = watched
  await fillQuietly(watched, ACME, ENTRY)
  await server.kill()
  await until(() => !cache.isUp)
  t.strictSame(told.splice(0), [ALL], 'told at the loss')
  const startedMs = performance.now()
  await t.rejects(cache.read(ACME), FAILED)
  await t.rejects(cache.fill(ACME, ENTRY, KEPT_MS), FAILED)
  await t.rejects(cache.voidName(ACME, 6), FAILED)
  await t.rejects(cache.raiseFloor(6), FAILED)
  t.ok(performance.now() - startedMs < TIMEOUT_MS, 'nobody waits')

  await server.restart()
  await until(() => cache.isUp)
  t.strictSame(told.splice(0), [ALL], 'told after it is back')
  t.equal(await cache.read(ACME), undefined)
  t.equal(await cache.fill(ACME, ENTRY, KEPT_MS), true)
  t.equal(lost.length, 1, 'one outage, however many tries')
  t.equal(up.length, 2)
})

t.test('commands that are under way when Redis is killed fail', async (t) => {
  const server = await serverFor(t)
  const { cache } = await cacheOn(t, server.url)
  server.pause()
  const reads = Array.from({ length: 50 }, () => t.rejects(cache.read(ACME), FAILED))
  await server.kill()
  await Promise.all(reads)
})

t.test('a Redis that hangs fails in time, is given up, and comes back', async (t) => {
  const server = await serverFor(t)
  const watched = await cacheOn(t, server.url, HASTE_MS)
  const { cache, told, lost } = watched
  await fillQuietly(watched, ACME, ENTRY)
  server.pause()
  const startedMs = performance.now()
  await t.rejects(cache.read(ACME), FAILED)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs > HASTE_MS - 20 && tookMs < HASTE_MS + SLACK_MS, `${tookMs} ms`)
  await until(() => !cache.isUp)
  t.ok(performance.now() - startedMs < 1000 + HASTE_MS + 2 * SLACK_MS, 'the heartbeat sees it')
  t.strictSame(told.splice(0), [ALL])
  await t.rejects(cache.read(ACME), FAILED)

  server.resume()
  await until(() => cache.isUp)
  t.strictSame(told.splice(0), [ALL])
  t.strictSame((await cache.read(ACME))?.entry, ENTRY)
  t.equal(lost.length, 1)
})

t.test('a Redis that is not there at the start is found later', async (t) => {
  const server = await serverFor(t)
  await server.kill()
  const { cache, lost } = watchedCache(t, { servers: { kind: 'single', url: server.url } })
  await t.rejects(cache.read(ACME), FAILED, 'before the first try has failed')
  await until(() => lost.length > 0)
  t.match(lost[0], /ECONNREFUSED/)
  await server.restart()
  await until(() => cache.isUp)
  t.equal(await cache.fill(ACME, ENTRY, KEPT_MS), true)
})

t.test('what is not Redis, or speaks garbage, does no harm', async (t) => {
  const speakers: Readonly<Record<string, (socket: Socket) => void>> = {
    'says nothing': () => {},
    'hangs up': (socket) => void socket.destroy(),
    'speaks HTTP': (socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'speaks bytes': (socket) => void socket.write(Buffer.from([0, 255, 13, 10, 1, 2, 3, 13, 10])),
    'speaks without being asked': (socket) => void socket.write('+OK\r\n:1\r\n$-1\r\n*0\r\n'),
    'says yes to all': (socket) => answering(socket, '+OK\r\n'),
    'says 1 to all': (socket) => answering(socket, ':1\r\n'),
    'says nothing is there': (socket) => answering(socket, '$-1\r\n'),
    'answers with empty lists': (socket) => answering(socket, '*0\r\n'),
    'fails always': (socket) => answering(socket, '-ERR no\r\n'),
    'never ends its answer': (socket) => answering(socket, '$999999999\r\nx'),
  }
  for (const [name, speak] of Object.entries(speakers)) {
    await t.test(name, async (t) => {
      const { url, accepted } = await speaker(t, speak)
      const { cache, lost, told } = watchedCache(t, { servers: { kind: 'single', url } })
      await until(() => lost.length > 0)
      await until(() => accepted() > 1)
      t.equal(cache.isUp, false)
      await t.rejects(cache.read(ACME), FAILED)
      t.strictSame(told, [], 'nothing was ever known')
      t.equal(lost.length, 1)
    })
  }
})

t.test('a Redis that begins to speak garbage is left', async (t) => {
  const server = await serverFor(t)
  const relay = await relayTo(t, server.port)
  const watched = await cacheOn(t, relay.url)
  const { cache, told } = watched
  await fillQuietly(watched, ACME, ENTRY)
  for (const garbage of [
    '!bad\r\n',
    '+OK\r\n',
    '?\r\n\r\n',
    '$-1\r\n',
    '*0\r\n',
    '*3\r\n$9\r\nsubscribe\r\n$-1\r\n:1\r\n',
  ]) {
    relay.inject(garbage)
    await until(() => told.length >= 2)
    await until(() => cache.isUp)
    t.strictSame(told.splice(0), [ALL, ALL], JSON.stringify(garbage))
    t.strictSame((await cache.read(ACME))?.entry, ENTRY)
  }
})

t.test('closing ends everything, in whatever state', async (t) => {
  const server = await serverFor(t)
  const opening = watchedCache(t, { servers: { kind: 'single', url: server.url } })
  opening.cache.close()
  const watched = await cacheOn(t, server.url)
  const { cache, told } = watched
  await fillQuietly(watched, ACME, ENTRY)
  cache.close()
  t.equal(cache.isUp, false)
  await t.rejects(cache.read(ACME), FAILED)
  const hung = await cacheOn(t, server.url)
  server.pause()
  const read = hung.cache.read(ACME)
  hung.cache.close()
  await t.rejects(read, FAILED)
  server.resume()
  await until(async () => (await connections(server)) === 1)
  t.strictSame([told, opening.told, hung.told], [[], [], []], 'whoever closes knows')
})

async function connections(server: { run(...args: string[]): Promise<unknown> }): Promise<number> {
  return String(await server.run('CLIENT', 'LIST'))
    .trim()
    .split('\n').length
}

async function speaker(
  t: Test,
  speak: (socket: Socket) => void,
): Promise<{ url: string; accepted: () => number }> {
  let accepted = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    accepted += 1
    sockets.add(socket.on('error', () => {}))
    speak(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `redis://127.0.0.1:${portOf(server.address())}`, accepted: () => accepted }
}

/** One answer for each piece that arrives. */
function answering(socket: Socket, answer: string): void {
  socket.on('data', () => void socket.write(answer))
}

/** Passes bytes to a real server and back, and puts in others on demand. */
async function relayTo(
  t: Test,
  port: number,
): Promise<{ url: string; inject: (bytes: string) => void }> {
  const clients = new Set<Socket>()
  const { url } = await speaker(t, (client) => {
    const server = connect(port, '127.0.0.1').on('error', () => {})
    client.pipe(server).pipe(client)
    clients.add(client)
    client.on('close', () => {
      clients.delete(client)
      server.destroy()
    })
  })
  return {
    url,
    inject: (bytes) => {
      for (const client of clients) client.write(bytes)
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
