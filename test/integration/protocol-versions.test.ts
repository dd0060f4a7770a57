import t from 'tap'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import { runPsql } from '../support/psql.ts'
import {
  codes,
  keyOf,
  query,
  RawClient,
  type RawFrame,
  rows,
  sendCancel,
  sqlStates,
  startup,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const server = await startSaas(18)
const oracle = await startPostgres({ major: 18 })
const local = [{ user: 'app', tenants: '*' }]
const proxy = await startTestProxy(
  saasSettings(server, { auth: { method: 'trust' }, logins: local }),
)
const strict = await startTestProxy(saasSettings(server))
t.teardown(async () => {
  await Promise.all([proxy.stop(), strict.stop()])
  await Promise.all([server.stop(), oracle.stop()])
})

/** What a server says of the protocol: its answer, if any, and how long its cancel key is. */
async function agreed(port: number, packet: Buffer) {
  const client = await RawClient.connect(port)
  const frames = await client.ask(packet)
  const answer = frames.find(({ code }) => code === 'v')
  const secretBytes = keyOf(frames).secret.length
  const order = codes(frames).replaceAll(/S+/g, 'S').replace('SK', 'K').replace('KS', 'K')
  await client.end()
  return { answer: answer?.body.toString('hex'), secretBytes, order }
}

const OPTIONS = { '_pq_.second': 'b', '_pq_.first': 'a' }
const VERSIONS = [0, 1, 2, 3, 9999]
for (const minor of VERSIONS) {
  for (const options of [{}, OPTIONS]) {
    const name = `3.${minor} with ${Object.keys(options).length} unknown options`
    t.test(`${name}: as Postgres 18 answers`, async (t) => {
      const version = (3 << 16) | minor
      const database = { database: 'postgres' }
      const expects = await agreed(
        oracle.port,
        startup({ user: oracle.superuser, ...database, ...options }, version),
      )
      const found = await agreed(
        proxy.port,
        startup({ user: 'app.globex', ...database, ...options }, version),
      )
      t.strictSame(found, expects)
      t.equal(found.secretBytes, minor >= 2 ? 32 : 4)
    })
  }
}

t.test('another major version is refused', async (t) => {
  for (const version of [2 << 16, 4 << 16]) {
    const client = await RawClient.connect(proxy.port)
    client.send(startup({ user: 'app.globex' }, version))
    t.strictSame(sqlStates(await client.toEnd()), ['08P01'])
  }
})

t.test('the startup packet comes one byte at a time', async (t) => {
  const client = await RawClient.connect(proxy.port)
  const bytes = startup({ user: 'app', tenant: 'globex' }, (3 << 16) | 2)
  for (const byte of bytes) {
    await new Promise((resolve) => client.socket.write(Buffer.of(byte), resolve))
    await new Promise(setImmediate)
  }
  const frames = await client.upTo('Z')
  t.equal(frames.at(-1)?.code, 'Z')
  t.strictSame(rows(await client.ask(query('SELECT owner FROM items'))), ['globex'])
  await client.end()
})

async function sleeping(on: PostgresServer): Promise<RawFrame[]> {
  const watcher = await RawClient.login(on.port, {
    user: on.superuser,
    password: on.superPassword,
    parameters: { database: 'postgres' },
  })
  const frames = await watcher.ask(
    query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`),
  )
  await watcher.end()
  return frames.filter(({ code }) => code === 'D')
}

t.test('a long key cancels, and no part of it does', async (t) => {
  const client = await RawClient.connect(proxy.port)
  const key = keyOf(await client.ask(startup({ user: 'app.globex' }, (3 << 16) | 2)))
  client.send(query('SELECT pg_sleep(60)'))
  await until(async () => (await sleeping(server)).length === 1)
  const { processId, secret } = key
  const flipped = Buffer.from(secret)
  flipped[31] = (flipped[31] ?? 0) ^ 1
  for (const wrong of [secret.subarray(0, 4), secret.subarray(0, 31), flipped]) {
    await sendCancel(proxy.port, { processId, secret: wrong })
  }
  await sendCancel(proxy.port, { processId: processId + 1, secret })
  t.equal((await sleeping(server)).length, 1)
  await sendCancel(proxy.port, key)
  t.strictSame(sqlStates(await client.upTo('Z')), ['57014'])
  await client.end()
})

for (const version of ['3.0', '3.2']) {
  t.test(`libpq 18 speaks ${version}`, async (t) => {
    const { stdout, stderr, exitCode } = await runPsql({
      libpq: 18,
      connection: {
        host: '127.0.0.1',
        port: strict.port,
        user: 'app.globex',
        password: PASSWORD,
        dbname: 'any',
        min_protocol_version: version,
        max_protocol_version: version,
      },
      sql: 'SELECT owner FROM items',
    })
    t.equal(stderr, '')
    t.equal(stdout, 'globex')
    t.equal(exitCode, 0)
  })
}

t.test('libpq 18 gets the newest version when it asks for a newer one', async (t) => {
  const { stdout, stderr } = await runPsql({
    libpq: 18,
    connection: {
      host: '127.0.0.1',
      port: strict.port,
      user: 'app.globex',
      password: PASSWORD,
      dbname: 'any',
      min_protocol_version: '3.2',
      max_protocol_version: 'latest',
    },
    sql: 'SELECT owner FROM items',
  })
  t.equal(stderr, '')
  t.equal(stdout, 'globex')
})
