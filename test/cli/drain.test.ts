import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import pg from 'pg'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { startAdminServer } from '../../src/admin/admin-server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { runDrain } from '../../src/cli/drain.ts'
import { TenantLogLevels } from '../../src/telemetry/log/tenant-log-levels.ts'
import { probePort } from '../support/postgres-cluster.ts'
import { PASSWORD, readMetric } from '../support/proxy.ts'
import { codes, query, RawClient, rows, sqlStates } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Served, serve, servedSettings, serveReady } from '../support/served-proxy.ts'
import { until } from '../support/until.ts'

const server = await startSaas(15)
t.teardown(() => server.stop())

async function drain(...args: readonly string[]) {
  let out = ''
  let errors = ''
  const exitCode = await runDrain(args, {
    env: {},
    stdin: Readable.from([]),
    stdout: {
      write(text: string) {
        out += text
      },
    },
    stderr: {
      write(text: string) {
        errors += text
      },
    },
  })
  return { exitCode, out, errors }
}

interface Started {
  readonly served: Served
  readonly adminPort: number
  readonly tokenFile: string
}

/** A proxy that writes its token to a file. */
async function start(t: Test, settings: Readonly<Record<string, unknown>> = {}): Promise<Started> {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-drain-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const adminPort = await probePort()
  const tokenFile = join(folder, 'token')
  const config = await servedSettings(saasSettings(server), {
    admin: { port: adminPort, tokenFile },
    ...settings,
  })
  return { served: await serveReady(t, config), adminPort, tokenFile }
}

function logIn({ port }: Served, tenant: string): Promise<RawClient> {
  return RawClient.login(port, { user: `app.${tenant}`, password: PASSWORD })
}

function lines({ output }: Served, event: string): Record<string, unknown>[] {
  const all = output().split('\n').filter(Boolean)
  return all.map((line) => JSON.parse(line)).filter((line) => line.event === event)
}

t.test('waits until the drain is over, and the process lives on until SIGTERM', async (t) => {
  const { served, adminPort, tokenFile } = await start(t)
  t.equal((await stat(tokenFile)).mode & 0o777, 0o600)
  const running = await logIn(served, 'initech')
  await running.ask(query('BEGIN'))
  let isOver = false
  const drained = drain('--config', served.file).finally(() => {
    isOver = true
  })
  await until(() => lines(served, 'draining').length === 1)
  t.strictSame(rows(await running.ask(query('SELECT owner FROM items'))), ['initech'])
  t.equal(isOver, false)
  running.send(query('COMMIT'))
  t.equal(codes(await running.toEnd()), 'CZE')
  t.strictSame(await drained, { exitCode: 0, out: 'drained: complete\n', errors: '' })
  const again = await drain('--config', served.file)
  t.strictSame(again, { exitCode: 0, out: 'drained: complete\n', errors: '' }, 'and again')

  t.equal((await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status, 503)
  t.equal((await fetch(`http://127.0.0.1:${adminPort}/livez`)).status, 200)
  t.equal(await readMetric(adminPort, 'pgusher_drains_total', { outcome: 'complete' }), 1)
  t.equal(await readMetric(adminPort, 'pgusher_draining'), 1)
  served.child.kill('SIGHUP')
  await until(() => lines(served, 'configuration reloaded').length === 1)
  t.equal(served.child.exitCode, null)
  served.child.kill('SIGTERM')
  t.equal(await served.exited, 0)
  t.match(lines(served, 'draining'), [{ cause: 'POST /drain', sessions: 1 }])
  t.match(lines(served, 'drained'), [{ outcome: 'complete', sentAway: 1, forced: 0 }])
  await t.rejects(stat(tokenFile), { code: 'ENOENT' })
})

t.test('SIGTERM joins the drain that is under way', async (t) => {
  const { served } = await start(t)
  const running = await logIn(served, 'globex')
  await running.ask(query('BEGIN'))
  const drained = drain('--config', served.file)
  await until(() => lines(served, 'draining').length === 1)
  served.child.kill('SIGTERM')
  t.strictSame(rows(await running.ask(query('SELECT owner FROM items'))), ['globex'])
  running.send(query('COMMIT'))
  t.equal(codes(await running.toEnd()), 'CZE')
  t.equal(await served.exited, 0)
  t.equal((await drained).exitCode, 0, 'it is told before the end')
  t.equal(lines(served, 'draining').length, 1)
  t.equal(lines(served, 'drained').length, 1)
  t.equal(lines(served, 'ended at once').length, 0)
})

t.test('a second signal after a drain by HTTP ends at once', async (t) => {
  const { served } = await start(t)
  const running = await logIn(served, 'globex')
  await running.ask(query('BEGIN'))
  const drained = drain('--config', served.file)
  await until(() => lines(served, 'draining').length === 1)
  served.child.kill('SIGTERM')
  // Two signals of one kind that come together are one to the process.
  served.child.kill('SIGINT')
  t.equal(await served.exited, 1)
  t.equal((await drained).exitCode, 1)
  t.match(lines(served, 'drained'), [{ outcome: 'killed', forced: 1 }])
})

t.test('a drain that can not be completed', async (t) => {
  const { served } = await start(t, { timeouts: { drainMs: 100 } })
  const stuck = await logIn(served, 'globex')
  await stuck.ask(query('BEGIN'))
  const { exitCode, out } = await drain('--config', served.file)
  t.equal(exitCode, 1)
  t.equal(out, 'drained: timeout\n')
  t.strictSame(sqlStates(await stuck.toEnd()), ['57P01'])
  t.match(lines(served, 'drained'), [{ outcome: 'timeout', forced: 1 }])
})

t.test('more time than it was given', async (t) => {
  const { served } = await start(t)
  const running = await logIn(served, 'globex')
  await running.ask(query('BEGIN'))
  const { exitCode, errors } = await drain('--config', served.file, '--timeout', '0.3')
  t.equal(exitCode, 1)
  t.match(errors, /^pgusher: the admin port 127\.0\.0\.1:\d+ tells of no end within 300 ms/)
})

t.test('a token that is set, over an address that means all', async (t) => {
  const admin = { host: '0.0.0.0', port: await probePort(), token: 'open-sesame' }
  const config = await servedSettings(saasSettings(server), { admin })
  const served = await serveReady(t, config)
  const { exitCode, out } = await drain('--config', served.file)
  t.equal(out, 'drained: complete\n')
  t.equal(exitCode, 0)
})

t.test('a proxy that takes longer than it holds an answer back', async (t) => {
  let asked = 0
  const admin = await startAdminServer({
    host: '127.0.0.1',
    port: 0,
    metrics: {
      contentType: 'text/plain',
      text: async () => '',
      tenantText: async () => undefined,
    },
    token: () => 'sesame',
    startup: () => ({ isReady: true, details: {} }),
    readiness: () => ({ isReady: false, details: {} }),
    status: () => ({}),
    async drain() {
      asked += 1
    },
    drainProgress: () => ({ isOver: asked === 3, details: { outcome: 'complete' } }),
    tenantLevels: new TenantLogLevels(systemClock, { set() {}, ended() {} }),
    logger: silentLogger,
  })
  t.teardown(() => admin.close())
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-drain-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'pgusher.yaml')
  const place = { host: '127.0.0.1', port: admin.port, token: 'sesame' }
  await writeFile(file, stringify(await servedSettings(saasSettings(server), { admin: place })))
  const { exitCode, out } = await drain('--config', file)
  t.equal(out, 'drained: complete\n')
  t.equal(exitCode, 0)
  t.equal(asked, 3)
})

t.test('a proxy that does not take it', async (t) => {
  const { served, tokenFile } = await start(t)
  await writeFile(tokenFile, 'guessed')
  const { exitCode, errors } = await drain('--config', served.file)
  t.equal(exitCode, 1)
  t.match(errors, /answers 401: .*wrong or missing token/)
  t.equal(lines(served, 'draining').length, 0)
})

t.test('a proxy that does not run', async (t) => {
  const { served } = await start(t)
  served.child.kill('SIGKILL')
  await served.exited
  const gone = await drain('--config', served.file)
  t.equal(gone.exitCode, 1)
  t.match(gone.errors, 'does not answer')
})

t.test('a token file that can not be written', async (t) => {
  const admin = { port: await probePort(), tokenFile: '/nonexistent/token' }
  const served = await serve(t, await servedSettings(saasSettings(server), { admin }))
  t.equal(await served.exited, 1)
  t.match(lines(served, 'start failed'), [
    { code: 'ADMIN_TOKEN_FILE_FAILED', detail: /admin\.tokenFile \/nonexistent\/token/ },
  ])
  const unread = await drain('--config', served.file)
  t.equal(unread.exitCode, 1)
  t.match(unread.errors, '/nonexistent/token')
})

t.test('a command line or configuration of no use', async (t) => {
  const served = await serveReady(t, await servedSettings(saasSettings(server)))
  for (const [args, message] of [
    [[], /--config FILE/],
    [['--config', served.file], /admin\.tokenFile/],
    [['--config', served.file, '--timeout', 'soon'], /--timeout/],
    [['--config', served.file, '--timeout', ''], /--timeout/],
    [['--config', served.file, '--timeout', '0'], /--timeout/],
    [['--config', served.file, '--nosuch'], /nosuch/],
    [['--config', '/nonexistent'], /nonexistent/],
  ] as const) {
    const { exitCode, errors } = await drain(...args)
    t.equal(exitCode, 2, args.join(' '))
    t.match(errors, message)
  }
})

t.test('beside an application that ends first', async (t) => {
  const { served } = await start(t)
  const application = new pg.Pool({
    ...{ host: '127.0.0.1', port: served.port, user: 'app.globex', password: PASSWORD },
    max: 3,
  })
  await Promise.all([1, 2, 3].map(() => application.query('SELECT owner FROM items')))
  t.equal(application.totalCount, 3)
  await application.end()
  served.child.kill('SIGTERM')
  t.equal(await served.exited, 0)
  t.match(lines(served, 'drained'), [{ outcome: 'complete', forced: 0 }])
})

t.test('beside an application that leaves its pool open', async (t) => {
  const { served } = await start(t)
  const application = new pg.Pool({
    ...{ host: '127.0.0.1', port: served.port, user: 'app.globex', password: PASSWORD },
    max: 3,
  })
  const told: (string | undefined)[] = []
  application.on('error', (error: Error & { code?: string }) => told.push(error.code))
  await Promise.all([1, 2, 3].map(() => application.query('SELECT owner FROM items')))
  served.child.kill('SIGTERM')
  t.equal(await served.exited, 0)
  await until(() => application.totalCount === 0)
  t.strictSame(told, ['57P01', '57P01', '57P01'])
  t.match(lines(served, 'drained'), [{ outcome: 'complete', sentAway: 3, forced: 0 }])
  await application.end()
})

t.test('a signal before it serves', async (t) => {
  // A catalog that accepts and says nothing: the start lasts.
  const silent = createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => void silent.close())
  const { port } = silent.address() as AddressInfo
  const postgres = {
    url: `postgresql://u:p@127.0.0.1:${port}/d?sslmode=disable`,
    timeoutMs: 60_000,
  }
  const served = await serve(
    t,
    await servedSettings(saasSettings(server), { catalog: { postgres } }),
  )
  const [asking] = (await once(silent, 'connection')) as [Socket]
  served.child.kill('SIGTERM')
  t.equal(await served.exited, 0)
  t.match(lines(served, 'ended at once'), [{ signal: 'SIGTERM' }])
  t.equal(lines(served, 'serving').length, 0)
  asking.destroy()
})
