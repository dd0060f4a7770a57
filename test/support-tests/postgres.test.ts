import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import {
  type PostgresOptions,
  type PostgresServer,
  sql,
  startPostgres,
} from '../support/postgres.ts'

for (const major of [15, 18] as const) {
  t.test(`Postgres ${major} answers with its version, over TCP and the socket`, async (t) => {
    const server = await start(t, { major })
    const overSocket = await sql(server, 'postgres', 'show server_version_num')
    t.match(overSocket, [{ server_version_num: new RegExp(`^${major}`) }])
    t.match(await queryUrl(server.url('postgres'), 'select 1 as one'), [{ one: 1 }])
  })
}

t.test('settings and rows survive a restart, and the log begins anew', async (t) => {
  const server = await start(t, { major: 18, settings: { work_mem: '7MB', 'app.note': "it's \\" } })
  await sql(server, 'postgres', 'create table kept as select 42 as answer')
  const { pid, port } = server
  await server.restart()
  t.equal(server.port, port)
  t.not(server.pid, pid)
  t.match(server.log(), /ready to accept connections/)
  t.strictSame(await sql(server, 'postgres', 'select answer from kept'), [{ answer: 42 }])
  const shown = await sql(
    server,
    'postgres',
    "select current_setting('work_mem') as mem, current_setting('app.note') as note",
  )
  t.strictSame(shown, [{ mem: '7MB', note: "it's \\" }])
})

t.test('a killed postmaster refuses connections and can be started again', async (t) => {
  const server = await start(t, { major: 15 })
  const client = new Client({ connectionString: server.url('postgres') })
  await client.connect()
  const lost = new Promise((resolve) => client.on('error', resolve))
  server.kill('SIGKILL')
  await lost
  await server.halt('immediate')
  await t.rejects(connected(server), { code: 'ECONNREFUSED' })
  await server.restart()
  t.strictSame(await sql(server, 'postgres', 'select 1 as one'), [{ one: 1 }])
})

for (const auth of ['scram-sha-256', 'md5', 'password'] as const) {
  t.test(`auth ${auth} lets in the right password only`, async (t) => {
    const server = await start(t, { major: 15, auth })
    await sql(server, 'postgres', "create role app login password 'right'")
    const good = server.url('postgres', { user: 'app', password: 'right' })
    t.strictSame(await queryUrl(good, 'select current_user as who'), [{ who: 'app' }])
    t.strictSame(await queryUrl(server.url('postgres'), 'select 1 as one'), [{ one: 1 }])
    const bad = server.url('postgres', { user: 'app', password: 'wrong' })
    await t.rejects(queryUrl(bad, 'select 1'), { code: '28P01' })
  })
}

t.test('own hba lines come first', async (t) => {
  const server = await start(t, { major: 18, hba: ['host all app 127.0.0.1/32 reject'] })
  await sql(server, 'postgres', 'create role app login')
  await t.rejects(queryUrl(server.url('postgres', { user: 'app' }), 'select 1'), { code: '28000' })
})

t.test('many servers start at once, each on its own port', async (t) => {
  const majors = [15, 18, 15, 18] as const
  const servers = await Promise.all(majors.map((major) => start(t, { major })))
  t.equal(new Set(servers.map((server) => server.port)).size, 4)
})

t.test('a bad setting fails with what Postgres said', async (t) => {
  const starting = startPostgres({ major: 18, settings: { work_mem: 'much' } })
  await t.rejects(starting, { name: 'PostgresStartError', message: /work_mem/ })
})

t.test('stop removes the files and may be called twice', async (t) => {
  const server = await startPostgres({ major: 18 })
  await access(server.socketDir)
  await server.stop()
  await server.stop()
  await t.rejects(access(server.socketDir), { code: 'ENOENT' })
})

t.test('the server ends when its process is killed', async (t) => {
  const module = new URL('../support/postgres.js', import.meta.url).href
  const script = `
    import { startPostgres } from ${JSON.stringify(module)}
    const { host, port } = await startPostgres({ major: 18 })
    console.log(JSON.stringify({ host, port }))
    process.kill(process.pid, 'SIGKILL')`
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    script,
  ]).catch((error) => error)
  const { host, port } = JSON.parse(stdout)
  await untilRefused({ host, port })
  t.pass('connections are refused')
})

async function start(t: Test, options: PostgresOptions): Promise<PostgresServer> {
  const server = await startPostgres(options)
  t.teardown(() => server.stop())
  return server
}

async function queryUrl(connectionString: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString })
  try {
    await client.connect()
    const { rows } = await client.query(text)
    return rows
  } finally {
    await client.end()
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

async function connected({ host, port }: Address): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port }, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}

/** Nobody tells a stranger when a server has ended: asking is all there is. */
async function untilRefused(address: Address): Promise<void> {
  for (;;) {
    try {
      await connected(address)
    } catch {
      return
    }
  }
}
