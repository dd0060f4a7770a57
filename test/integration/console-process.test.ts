import { readFile, writeFile } from 'node:fs/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { readMetric } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Served, servedSettings, serveReady } from '../support/served-proxy.ts'
import { ADMIN, CONSOLE, refusalOf } from './console-fixture.ts'

const server = await startSaas(18)
t.teardown(() => server.stop())

async function start(t: Test): Promise<Served> {
  return serveReady(t, await servedSettings(saasSettings(server), { console: CONSOLE }))
}

async function operator(t: Test, { port }: Served): Promise<pg.Client> {
  const { user, password } = ADMIN
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'pgusher' })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end().catch(() => {}))
  return client
}

t.test('RELOAD reads the file anew, or says what is wrong with it', async (t) => {
  const served = await start(t)
  const admin = await operator(t, served)
  const size = async () => {
    const { rows } = await admin.query('SHOW CONFIG')
    return rows.find(({ key }) => key === 'pool.size')?.value
  }
  const settings = parse(await readFile(served.file, 'utf8'))
  await writeFile(served.file, stringify({ ...settings, pool: { size: 7 } }))
  t.equal(await size(), '20')
  t.equal((await admin.query('RELOAD')).command, 'RELOAD')
  t.equal(await size(), '7')
  await writeFile(served.file, stringify({ ...settings, pool: { size: 'many' } }))
  const refusal = await refusalOf(admin.query('RELOAD'))
  t.equal(refusal?.code, 'F0000')
  t.match(refusal?.hint, /pool\.size/)
  t.equal(await size(), '7', 'the one before stays in force')
  const adminPort = Number(/"admin":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(served.output())?.[1])
  const reloads = (result: string) =>
    readMetric(adminPort, 'pgusher_config_reloads_total', { result })
  t.equal(await reloads('done'), 1)
  t.equal(await reloads('refused'), 1)
})

for (const command of ['SHUTDOWN', 'SHUTDOWN WAIT_FOR_SERVERS', 'SHUTDOWN WAIT_FOR_CLIENTS']) {
  t.test(`${command} ends the process`, async (t) => {
    const served = await start(t)
    const admin = await operator(t, served)
    t.equal((await admin.query(command)).command, 'SHUTDOWN')
    t.equal(await served.exited, 0)
    t.match(served.output(), /"console login ops"/)
  })
}

t.test('SHUTDOWN IMMEDIATE does not wait for transactions', async (t) => {
  const served = await start(t)
  const admin = await operator(t, served)
  const busy = new pg.Client({
    host: '127.0.0.1',
    port: served.port,
    user: 'app.acme',
    password: 'open sesame',
    database: 'any',
  })
  busy.on('error', () => {})
  await busy.connect()
  t.teardown(() => busy.end().catch(() => {}))
  await busy.query('BEGIN')
  await admin.query('SHUTDOWN IMMEDIATE')
  t.equal(await served.exited, 1)
})
