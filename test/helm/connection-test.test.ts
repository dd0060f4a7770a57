import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { TestAuthority } from '../support/certificates.ts'
import { at, CHART, renderChart, theObject } from '../support/helm.ts'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const postgres = await startSaas(18)
t.teardown(() => postgres.stop())
const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const { certFile: cert, keyFile: key } = await authority.issue({ commonName: 'pgusher' })
const plain = await startTestProxy(saasSettings(postgres))
t.teardown(() => plain.stop())
const withTls = await startTestProxy(
  saasSettings(postgres, { tls: { client: { mode: 'require', cert, key } } }),
)
t.teardown(() => withTls.stop())

const login = ['--set=tests.user=app.acme', '--set=tests.passwordSecret.name=x']

interface Outcome {
  readonly exitCode: number | null
  readonly out: string
  readonly errors: string
}

/** Runs the container of the test pod here, where `pg` is installed as it is in the image. */
async function runTestPod(
  port: number,
  password: string,
  args: readonly string[] = login,
): Promise<Outcome> {
  const pod = theObject(renderChart(CHART, ...args), 'Pod')
  const container = at(pod, 'spec.containers.0') as {
    readonly command: readonly string[]
    readonly args: readonly string[]
    readonly env: readonly { readonly name: string; readonly value?: string }[]
  }
  const given = container.env.map(({ name, value }) => [name, value ?? password])
  const env = { ...Object.fromEntries(given), PGHOST: '127.0.0.1', PGPORT: String(port) }
  const [program, ...options] = [...container.command, ...container.args]
  if (program !== 'node') throw new Error(`the image has no ${program}`)
  const child = spawn(process.execPath, options, { env })
  const texts = { out: '', errors: '' }
  child.stdout.on('data', (chunk) => {
    texts.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    texts.errors += chunk
  })
  const [exitCode] = await once(child, 'close')
  return { exitCode, ...texts }
}

t.test('a tenant comes through', async (t) => {
  const { exitCode, out, errors } = await runTestPod(plain.port, PASSWORD)
  t.equal(errors, '')
  t.match(out, /speaks Postgres, without TLS/)
  t.match(out, /^app\.acme came to tenant acme, and its server answered$/m)
  t.equal(exitCode, 0)
})

t.test('a tenant comes through with TLS', async (t) => {
  const { exitCode, out } = await runTestPod(withTls.port, PASSWORD)
  t.match(out, /speaks Postgres, with TLS/)
  t.match(out, /came to tenant acme/)
  t.equal(exitCode, 0)
})

t.test('without a user it is enough that the protocol is spoken', async (t) => {
  const { exitCode, out } = await runTestPod(plain.port, '', [])
  t.match(out, /speaks Postgres/)
  t.notMatch(out, /tenant/)
  t.equal(exitCode, 0)
})

t.test('a wrong password fails the test', async (t) => {
  const { exitCode, errors } = await runTestPod(plain.port, 'wrong')
  t.match(errors, /28P01/)
  t.not(exitCode, 0)
})

/** What may stand at an address in place of a proxy. */
const STRANGERS = [
  { name: 'says something else', answer: 'HTTP/1.1 400 Bad Request\r\n\r\n' },
  { name: 'hangs up', answer: '' },
]

for (const { name, answer } of STRANGERS) {
  t.test(`a server that ${name} fails the test`, async (t) => {
    const server = createServer((socket) => void socket.end(answer)).listen(0, '127.0.0.1')
    t.teardown(() => void server.close())
    await once(server, 'listening')
    const { exitCode, errors } = await runTestPod((server.address() as AddressInfo).port, PASSWORD)
    t.match(errors, /no Postgres at 127\.0\.0\.1/)
    t.not(exitCode, 0)
  })
}

t.test('nobody at the address fails the test', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const { exitCode, errors } = await runTestPod(port, PASSWORD)
  t.match(errors, /ECONNREFUSED/)
  t.not(exitCode, 0)
})
