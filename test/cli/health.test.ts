import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { ExitCode } from '../../src/cli/command.ts'
import { runHealth } from '../../src/cli/health.ts'
import { probePort } from '../support/postgres-cluster.ts'

/** What answers `/readyz` there, and where. */
async function answering(t: Test, status: number): Promise<number> {
  const server = createServer(({ url }, response) => {
    response.statusCode = url === '/readyz' ? status : 404
    response.end('{"status":"so"}\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  return (server.address() as AddressInfo).port
}

async function health(t: Test, admin: Readonly<Record<string, unknown>>) {
  const file = join(t.testdir(), 'pgusher.yaml')
  writeFileSync(file, stringify({ admin, logins: [], tenants: [] }))
  const said = { out: '', err: '' }
  const exitCode = await runHealth(['--config', file], {
    env: {},
    stdin: (async function* () {})(),
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
  })
  return { exitCode, ...said }
}

t.test('a proxy that is ready', async (t) => {
  const port = await answering(t, 200)
  const { exitCode, out } = await health(t, { port })
  t.equal(exitCode, ExitCode.ok)
  t.match(out, 'status')
})

t.test('one that listens on all addresses is asked over loopback', async (t) => {
  const port = await answering(t, 200)
  t.match(await health(t, { host: '0.0.0.0', port }), { exitCode: ExitCode.ok })
})

t.test('a proxy that is not ready', async (t) => {
  const port = await answering(t, 503)
  t.match(await health(t, { port }), { exitCode: ExitCode.failure, out: /status/ })
})

t.test('nobody there', async (t) => {
  const port = await probePort()
  t.match(await health(t, { port }), { exitCode: ExitCode.failure, err: /does not answer/ })
})

t.test('a configuration that makes no sense', async (t) => {
  t.match(await health(t, { port: 'nowhere' }), { exitCode: ExitCode.usage, err: /admin\.port/ })
})
