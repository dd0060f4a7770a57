import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { AdminListenError } from '../../src/admin/admin-errors.ts'
import { type AdminServerOptions, startAdminServer } from '../../src/admin/admin-server.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { TenantLogLevels } from '../../src/telemetry/log/tenant-log-levels.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'

const HOST = '127.0.0.1'

function metricsOf(text: () => Promise<string>): AdminServerOptions['metrics'] {
  return { contentType: 'text/plain; version=0.0.4', text, tenantText: async () => undefined }
}

async function start(t: Test, parts: Partial<AdminServerOptions> = {}) {
  const server = await startAdminServer({
    host: HOST,
    port: 0,
    metrics: metricsOf(async () => 'up 1\n'),
    token: () => undefined,
    startup: () => ({ isReady: true, details: {} }),
    readiness: () => ({ isReady: true, details: {} }),
    status: () => ({}),
    drain: () => Promise.resolve(),
    drainProgress: () => ({ isOver: true, details: {} }),
    tenantLevels: new TenantLogLevels(new FakeClock(), { set() {}, ended() {} }),
    logger: silentLogger,
    ...parts,
  })
  t.teardown(() => server.close())
  return { server, url: (path: string) => `http://${HOST}:${server.port}${path}` }
}

async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ host: HOST, port })
  await once(socket, 'connect')
  return socket
}

t.test('/metrics is what the metrics say', async (t) => {
  const { server, url } = await start(t)
  t.equal(server.host, HOST)
  const answer = await fetch(url('/metrics'))
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4')
  t.equal(await answer.text(), 'up 1\n')
})

t.test('/livez says yes whatever the readiness', async (t) => {
  const { url } = await start(t, { readiness: () => ({ isReady: false, details: {} }) })
  const answer = await fetch(url('/livez'))
  t.equal(answer.status, 200)
  t.strictSame(await answer.json(), { status: 'alive' })
})

t.test('/readyz follows the readiness and gives its details', async (t) => {
  let isReady = true
  const { url } = await start(t, {
    readiness: () => ({ isReady, details: { draining: !isReady, sessions: 3 } }),
  })
  const ready = await fetch(url('/readyz?verbose'))
  t.equal(ready.status, 200)
  t.equal(ready.headers.get('content-type'), 'application/json')
  t.strictSame(await ready.json(), { status: 'ready', draining: false, sessions: 3 })
  isReady = false
  const unready = await fetch(url('/readyz'))
  t.equal(unready.status, 503)
  t.strictSame(await unready.json(), { status: 'notReady', draining: true, sessions: 3 })
})

t.test('/startupz says when the start is over', async (t) => {
  let isReady = false
  const { url } = await start(t, {
    startup: () => ({ isReady, details: { listening: isReady } }),
    readiness: () => ({ isReady: false, details: {} }),
  })
  const before = await fetch(url('/startupz'))
  t.equal(before.status, 503)
  t.strictSame(await before.json(), { status: 'starting', listening: false })
  isReady = true
  const after = await fetch(url('/startupz'))
  t.equal(after.status, 200)
  t.strictSame(await after.json(), { status: 'started', listening: true })
})

t.test('/status is what there is to tell', async (t) => {
  const { url } = await start(t, {
    status: () => ({ version: '1', outcome: undefined, pools: { idle: 2 } }),
  })
  const answer = await fetch(url('/status'))
  t.equal(answer.status, 200)
  t.strictSame(await answer.json(), { version: '1', pools: { idle: 2 } })
})

t.test('/drain asks for the token', async (t) => {
  let begun = 0
  const drain = async () => {
    begun += 1
  }
  const drainProgress = () => ({ isOver: begun > 0, details: { state: 'drained' } })
  const { url } = await start(t, { token: () => 'sesame', drain, drainProgress })
  const post = (authorization?: string) => {
    const headers = authorization === undefined ? {} : { Authorization: authorization }
    return fetch(url('/drain'), { method: 'POST', headers })
  }
  const wrong = [
    'Bearer Sesame',
    'Bearer sesam',
    'Bearer sesame1',
    'Bearer',
    'sesame',
    'Basic sesame',
  ]
  for (const authorization of [undefined, ...wrong]) {
    const refused = await post(authorization)
    t.equal(refused.status, 401, authorization ?? 'none')
    t.equal(refused.headers.get('www-authenticate'), 'Bearer')
    t.match(await refused.json(), { error: 'wrong or missing token', remedy: /admin\.token/ })
  }
  t.equal(begun, 0)
  const looked = await fetch(url('/drain'))
  t.equal(looked.status, 405)
  t.equal(looked.headers.get('allow'), 'POST')
  await looked.text()
  t.equal(begun, 0)
  for (const authorization of ['Bearer sesame', 'bearer  sesame ']) {
    const answer = await post(authorization)
    t.equal(answer.status, 200)
    t.strictSame(await answer.json(), { state: 'drained' })
  }
  t.equal(begun, 2)
})

t.test('/drain where no token is configured', async (t) => {
  const drain = () => {
    throw new Error('begun')
  }
  const { url } = await start(t, { drain })
  for (const headers of [{}, { Authorization: 'Bearer ' }, { Authorization: 'Bearer undefined' }]) {
    const refused = await fetch(url('/drain'), { method: 'POST', headers })
    t.equal(refused.status, 403)
    t.match(await refused.json(), { error: 'no token is configured', remedy: /admin\.tokenFile/ })
  }
})

t.test('/drain tells at once where it stands, or waits for the end', async (t) => {
  let isOver = false
  let finish = () => {}
  let asked = 0
  const over = new Promise<void>((resolve) => {
    finish = resolve
  })
  const { url } = await start(t, {
    token: () => 'sesame',
    drain() {
      asked += 1
      return over
    },
    drainProgress: () => ({ isOver, details: { state: isOver ? 'drained' : 'draining' } }),
  })
  const options = { method: 'POST', headers: { Authorization: 'Bearer sesame' } }
  const first = await fetch(url('/drain'), options)
  t.equal(first.status, 202)
  t.strictSame(await first.json(), { state: 'draining' })
  const waiting = fetch(url('/drain?wait'), options)
  await until(() => asked === 2)
  isOver = true
  finish()
  const last = await waiting
  t.equal(last.status, 200)
  t.strictSame(await last.json(), { state: 'drained' })
})

t.test('HEAD is GET without the body', async (t) => {
  const { url } = await start(t)
  const answer = await fetch(url('/metrics'), { method: 'HEAD' })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-length'), '5')
  t.equal(await answer.text(), '')
})

t.test('other paths are 404, other methods 405', async (t) => {
  const { url } = await start(t)
  for (const path of ['/', '/metrics/', '/constructor']) {
    const stranger = await fetch(url(path))
    t.equal(stranger.status, 404, path)
    t.strictSame(await stranger.json(), {
      error: 'not found',
      remedy:
        'There are /metrics, /metrics/tenants/*, /livez, /startupz, /readyz, /status, /log/tenants, /log/tenants/*, /drain.',
    })
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const refused = await fetch(url('/readyz'), { method })
    t.equal(refused.status, 405, method)
    t.equal(refused.headers.get('allow'), 'GET, HEAD')
    await refused.text()
  }
})

t.test('a fault of a source is logged, and told without its details', async (t) => {
  const logged: unknown[] = []
  const { url } = await start(t, {
    metrics: metricsOf(() => Promise.reject(new Error('boom'))),
    readiness: () => {
      throw new Error('boom')
    },
    logger: { ...silentLogger, error: (event, fields) => logged.push({ event, ...fields }) },
  })
  for (const path of ['/metrics', '/readyz']) {
    const answer = await fetch(url(path))
    t.equal(answer.status, 500)
    t.notMatch(await answer.text(), /boom/)
  }
  t.strictSame(logged, [
    { event: 'admin request failed', path: '/metrics', detail: 'Error: boom' },
    { event: 'admin request failed', path: '/readyz', detail: 'Error: boom' },
  ])
})

t.test('a connection whose request has a body is answered and closed', async (t) => {
  const { server } = await start(t)
  for (const header of ['Content-Length: 1000000', 'Transfer-Encoding: chunked']) {
    const socket = await openSocket(server.port)
    socket.write(`POST /readyz HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`)
    t.match(await text(socket), /^HTTP\/1\.1 405 .*\r\nConnection: close\r\n/s, header)
  }
})

t.test('a head that is too long is refused', async (t) => {
  const { server } = await start(t)
  const socket = await openSocket(server.port)
  socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(9000)}\r\n\r\n`)
  t.match(await text(socket), /^HTTP\/1\.1 431 /)
})

t.test('close ends idle connections at once', async (t) => {
  const { server } = await start(t)
  const socket = await openSocket(server.port)
  socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  const ended = once(socket, 'close')
  const startedMs = performance.now()
  await server.close()
  t.ok(performance.now() - startedMs < 900, 'without the grace of running requests')
  await ended
  await server.close()
  await t.rejects(fetch(`http://${HOST}:${server.port}/livez`))
})

t.test('close lets a running request end, and its connection with it', async (t) => {
  let release = (_text: string) => {}
  let asked = () => {}
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  const slow = () => {
    asked()
    return new Promise<string>((resolve) => {
      release = resolve
    })
  }
  const { server, url } = await start(t, { metrics: metricsOf(slow) })
  const answer = fetch(url('/metrics'))
  await isAsked
  const closed = server.close()
  release('late 1\n')
  t.equal((await answer).headers.get('connection'), 'close')
  t.equal(await (await answer).text(), 'late 1\n')
  await closed
})

t.test('close does not wait for a request that never comes whole', async (t) => {
  const { server } = await start(t)
  const socket = await openSocket(server.port)
  socket.on('error', () => {})
  socket.write('GET /livez HTTP/1.1\r\n')
  const ended = once(socket, 'close')
  await server.close()
  await ended
})

t.test('a port in use is an error of its own', async (t) => {
  const taken = createServer().listen({ host: HOST, port: 0 })
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const started = start(t, { port: port ?? 0 })
  await t.rejects(started, AdminListenError)
  await t.rejects(started, { code: 'ADMIN_LISTEN_FAILED', origin: 'proxy' })
})

t.test('log levels of tenants: anybody may look, the token may change', async (t) => {
  const { url } = await start(t, { token: () => 'open sesame' })
  const page = url('/log/tenants/acme?level=debug')
  const headers = { Authorization: 'Bearer open sesame' }
  t.equal((await fetch(page, { method: 'PUT' })).status, 401)
  t.strictSame(await (await fetch(url('/log/tenants'))).json(), { tenants: {} })
  const get = await fetch(page)
  t.equal(get.status, 405)
  t.equal(get.headers.get('allow'), 'PUT, DELETE')
  t.equal((await fetch(page, { method: 'POST', headers })).status, 405)
  t.equal((await fetch(url('/log/tenants/a/b'), { method: 'PUT', headers })).status, 404)
})
