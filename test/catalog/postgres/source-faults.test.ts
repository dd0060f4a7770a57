import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { failOnLeaks } from '../../support/leaks.ts'
import { startPostgres } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'
import { openSource, openSourceOf, startCatalogs, targetOf } from './catalog-fixture.ts'

const ACME = { kind: 'tenant', name: 'acme' } as const
const FAILED = { code: 'CATALOG_LAYER_FAILED', layer: 'postgres' }
const TIMEOUT_MS = 300

/** Asserts that it fails, and in its time. */
async function failsInTime(t: Test, ask: () => Promise<unknown>, timeoutMs = TIMEOUT_MS) {
  const startedMs = performance.now()
  await t.rejects(ask(), FAILED)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs < timeoutMs + 700, `${tookMs} ms`)
}

for (const { major, server, client } of await startCatalogs(t)) {
  t.test(`${major}: a server that hangs is given up, and its connections with it`, async (t) => {
    failOnLeaks(t)
    const source = openSource(t, server, { timeoutMs: TIMEOUT_MS, maxConnections: 2 })
    await source.read(ACME)
    const { rows } = await client.query(
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'pgusher-catalog'`,
    )
    const pids = [server.pid, ...rows.map(({ pid }) => Number(pid))]
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    try {
      // The kept connection, a new one, and four that wait for their turn.
      await Promise.all(Array.from({ length: 6 }, () => failsInTime(t, () => source.read(ACME))))
      await failsInTime(t, () => source.check())
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
    t.match(await source.read(ACME), { kind: 'absent' })
    await until(async () => {
      const left = await client.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'pgusher-catalog'`,
      )
      return left.rows.length === 1
    })
  })

  t.test(`${major}: a lock is not waited for longer`, async (t) => {
    const source = openSource(t, server, { timeoutMs: TIMEOUT_MS })
    await client.query('BEGIN; LOCK TABLE pgusher.tenants')
    await failsInTime(t, () => source.read(ACME))
    await client.query('ROLLBACK')
    t.match(await source.read(ACME), { kind: 'absent' })
  })

  t.test(`${major}: a kept connection that was ended is replaced`, async (t) => {
    const source = openSource(t, server)
    await source.read(ACME)
    await client.query(`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'pgusher-catalog'`)
    t.match(await source.read(ACME), { kind: 'absent' })
  })

  t.test(`${major}: no more connections than are allowed`, async (t) => {
    const source = openSource(t, server, { maxConnections: 2 })
    await Promise.all(Array.from({ length: 40 }, () => source.read(ACME)))
    const { rows } = await client.query(`
      SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE application_name = 'pgusher-catalog' AND state = 'idle'`)
    t.ok(rows[0].count >= 2)
    source.close()
    await until(async () => {
      const left = await client.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'pgusher-catalog'`,
      )
      return left.rows.length <= rows[0].count - 2
    })
  })

  t.test(`${major}: a database without the schema says how to get it`, async (t) => {
    const source = openSource(t, server, { target: targetOf(server, 'template1') })
    await t.rejects(source.read(ACME), { ...FAILED, message: /pgusher catalog init/ })
    await t.rejects(source.check(), FAILED)
  })

  t.test(`${major}: a catalog that lost its version is no catalog`, async (t) => {
    await client.query('DELETE FROM pgusher.state')
    const source = openSource(t, server)
    await t.rejects(source.read(ACME), FAILED)
    await t.rejects(source.check(), FAILED)
    await t.rejects(client.query(`INSERT INTO pgusher.logins ("user") VALUES ('app')`))
    await client.query('INSERT INTO pgusher.state (version) VALUES (1)')
  })
}

t.test('a server that is killed and started again', async (t) => {
  const server = await startPostgres({ major: 18 })
  t.teardown(() => server.stop())
  const source = openSource(t, server, {
    timeoutMs: TIMEOUT_MS,
    query: { text: 'SELECT $1::text AS name', keyRing: new KeyRing([]) },
  })
  await source.check()
  await server.halt('immediate')
  await t.rejects(source.check(), FAILED)
  await server.restart()
  await source.check()
})

t.test('an address that swallows everything is given up', async (t) => {
  failOnLeaks(t)
  const sockets: Socket[] = []
  const hole = createServer((socket) => void sockets.push(socket))
  hole.listen(0, '127.0.0.1')
  await once(hole, 'listening')
  t.teardown(() => {
    hole.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = hole.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const target = {
    host: '127.0.0.1',
    port,
    database: 'd',
    user: 'u',
    password: undefined,
    tls: undefined,
  }
  const source = openSourceOf(t, { target, timeoutMs: TIMEOUT_MS })
  await failsInTime(t, () => source.read(ACME))
  t.equal(sockets.length, 1)
})
