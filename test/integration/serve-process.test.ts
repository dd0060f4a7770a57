import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { stringify } from 'yaml'
import { PASSWORD } from '../support/proxy.ts'
import { codes, query, RawClient, rows, sqlStates } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Served, serve, servedSettings, serveReady } from '../support/served-proxy.ts'
import { until } from '../support/until.ts'

const server = await startSaas(18)
t.teardown(() => server.stop())

function logIn(served: Served, tenant: string): Promise<RawClient> {
  return RawClient.login(served.port, { user: `app.${tenant}`, password: PASSWORD })
}

t.test('a bad configuration', async (t) => {
  const text =
    'listen: { port: 70000 }\nlogins: []\ntenants:\n  - { name: acme, strategy: nosuch }\n'
  const served = await serve(t, text)
  t.equal(await served.exited, 2)
  t.match(served.output(), `${served.file}:1`)
  t.match(served.output(), `${served.file}:4`)
  t.notMatch(served.output(), 'serving')
})

t.test('no configuration', async (t) => {
  const served = await serve(t, 'tenants: [')
  t.equal(await served.exited, 2)
  t.match(served.output(), served.file)
})

t.test('a port in use', async (t) => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => void taken.close())
  const { port } = taken.address() as AddressInfo
  for (const group of ['listen', 'admin']) {
    const served = await serve(t, await servedSettings(saasSettings(server), { [group]: { port } }))
    t.equal(await served.exited, 1, group)
    t.match(served.output(), String(port))
  }
})

t.test('SIGHUP', async (t) => {
  const config = await servedSettings(saasSettings(server))
  const all = config['tenants'] as { name: string }[]
  const served = await serveReady(t, {
    ...config,
    tenants: all.filter(({ name }) => name !== 'hooli'),
  })
  const running = await logIn(served, 'globex')
  await running.ask(query('BEGIN'))

  await writeFile(served.file, `${stringify(config)}\nnosuch: 1\n`)
  served.child.kill('SIGHUP')
  await until(() => served.output().includes('configuration refused'))
  t.match(served.output(), 'nosuch')
  t.strictSame(rows(await running.ask(query('SELECT owner FROM items'))), ['globex'])

  await writeFile(served.file, stringify(config))
  served.child.kill('SIGHUP')
  await until(() => served.output().includes('configuration reloaded'))
  const added = await logIn(served, 'hooli')
  t.strictSame(rows(await added.ask(query('SELECT owner FROM items'))), ['hooli'])
  t.equal(codes(await running.ask(query('COMMIT'))), 'CZ')
  served.child.kill('SIGTERM')
  t.equal(await served.exited, 0)
})

t.test('SIGTERM lets transactions finish', async (t) => {
  const served = await serveReady(t, await servedSettings(saasSettings(server)))
  const idle = await logIn(served, 'acme')
  const running = await logIn(served, 'initech')
  await running.ask(query('BEGIN'))
  served.child.kill('SIGTERM')
  t.strictSame(sqlStates(await idle.toEnd()), ['57P01'])
  t.strictSame(rows(await running.ask(query('SELECT owner FROM items'))), ['initech'])
  running.send(query('COMMIT'))
  t.equal(codes(await running.toEnd()), 'CZE')
  t.equal(await served.exited, 0)
})

t.test('a second signal ends at once', async (t) => {
  const served = await serveReady(t, await servedSettings(saasSettings(server)))
  const running = await logIn(served, 'globex')
  await running.ask(query('BEGIN'))
  served.child.kill('SIGTERM')
  await until(() => served.output().includes('"draining"'))
  served.child.kill('SIGINT')
  t.equal(await served.exited, 1)
  await running.closed
})

t.test('a drain that takes too long', async (t) => {
  const served = await serveReady(
    t,
    await servedSettings(saasSettings(server), { timeouts: { drainMs: 200 } }),
  )
  const stuck = await logIn(served, 'globex')
  await stuck.ask(query('BEGIN'))
  served.child.kill('SIGTERM')
  t.strictSame(sqlStates(await stuck.toEnd()), ['57P01'], 'the last word gets out')
  t.equal(await served.exited, 0)
})
