import t from 'tap'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import { query, RawClient, sqlStates } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const server = await startSaas(18)
t.teardown(() => server.stop())
const settings = saasSettings(server)
const lost = {
  name: 'lost',
  strategy: 'database',
  databaseUrl: 'postgresql://lost:hush@127.0.0.1:1/lost',
}
const proxy = await startTestProxy({
  ...settings,
  tenants: [...(settings['tenants'] as unknown[]), lost],
})
t.teardown(() => proxy.stop())

function logIn(tenant: string): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
}

async function probe(path: string) {
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}${path}`)
  return { code: response.status, text: await response.text() }
}

t.test("a tenant's database that is down leaves the proxy ready for the others", async (t) => {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn({ user: 'app.lost', password: PASSWORD })
  t.strictSame(sqlStates(frames), ['08001'])
  for (const path of ['/startupz', '/readyz', '/livez']) {
    t.equal((await probe(path)).code, 200, path)
  }
})

t.test('/status tells what goes on, and nothing that is secret', async (t) => {
  const client = await logIn('acme')
  await client.ask(query('BEGIN'))
  const { code, text } = await probe('/status')
  t.equal(code, 200)
  const { version, uptimeSeconds, ...rest } = JSON.parse(text)
  t.match(version, /^\d+\.\d+\.\d+/)
  t.ok(Number.isInteger(uptimeSeconds))
  t.match(rest, {
    state: 'serving',
    ready: true,
    clients: 1,
    sessions: 1,
    pools: { idle: 0, leased: 1, waiting: 0 },
    catalog: { kind: 'file' },
  })
  t.notMatch(text, /hush|127\.0\.0\.1|acme|sesame/)
  await client.end()
})
