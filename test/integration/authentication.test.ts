import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import { codes, RawClient, type RawFrame } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const run = promisify(execFile)
const METHODS = ['scram-sha-256', 'md5', 'password', 'trust'] as const

const server = await startSaas(18)
t.teardown(() => server.stop())

function settings(method: string): Record<string, unknown> {
  return saasSettings(server, {
    auth: { method },
    limits: { loginFailures: 1000 },
    logins: [
      { user: 'app', password: PASSWORD, tenants: '*' },
      { user: 'poor', password: PASSWORD, tenants: ['hooli'] },
    ],
  })
}

/** Ways in that must look the same from outside, and what the log says of each. */
const REFUSED = [
  { name: 'wrong password', user: 'app.globex', password: 'wrong', reason: 'wrongPassword' },
  { name: 'unknown login', user: 'who.globex', password: PASSWORD, reason: 'unknownLogin' },
  { name: 'unknown tenant', user: 'app.nobody', password: PASSWORD, reason: 'unknownTenant' },
  { name: 'missing grant', user: 'poor.globex', password: PASSWORD, reason: 'notGranted' },
] as const

async function attempt(
  proxy: TestProxy,
  login: { readonly user: string; readonly password: string },
): Promise<readonly RawFrame[]> {
  const client = await RawClient.connect(proxy.port)
  const frames = await client.logIn(login)
  client.socket.destroy()
  return frames
}

/** An error's bytes without the name that the client gave itself. */
function withoutName(frames: readonly RawFrame[], user: string): string | undefined {
  const login = user.split('.')[0] ?? user
  return frames.at(-1)?.body.toString().replaceAll(user, 'USER').replaceAll(login, 'USER')
}

for (const method of METHODS) {
  t.test(method, async (t) => {
    const proxy = await startTestProxy(settings(method))
    t.teardown(() => proxy.stop())
    await t.test('refusals look alike', (t) => looksAlike(t, proxy, method))
    await t.test('drivers come in', (t) => drivers(t, proxy, method))
  })
}

async function looksAlike(t: Test, proxy: TestProxy, method: string): Promise<void> {
  // `trust` knows no wrong password.
  const cases = REFUSED.filter(({ reason }) => method !== 'trust' || reason !== 'wrongPassword')
  const seen: { codes: string; error: string | undefined; lengths: string }[] = []
  for (const { name, user, password, reason } of cases) {
    const logged = proxy.log().length
    const frames = await attempt(proxy, { user, password })
    seen.push({
      codes: codes(frames),
      error: withoutName(frames, user),
      lengths: frames
        .slice(0, -1)
        .map(({ body }) => body.length)
        .join(),
    })
    t.match(proxy.log().slice(logged), new RegExp(`"reason":"${reason}"`), name)
  }
  t.equal(new Set(seen.map((one) => JSON.stringify(one))).size, 1, JSON.stringify(seen))
  t.match(seen[0]?.error, /C28P01/)
}

/**
 * With md5 the tenant is not named in the user: clients hash the whole of it into their answer,
 * and a stored hash is of the login alone.
 */
async function drivers(t: Test, proxy: TestProxy, method: string): Promise<void> {
  const loginFor = (tenant: string) =>
    method === 'md5'
      ? { user: 'app', options: `-c pgusher.tenant=${tenant}` }
      : { user: `app.${tenant}`, options: '' }
  for (const tenant of ['acme', 'globex', 'initech']) {
    const client = await proxy.connect(tenant, loginFor(tenant))
    t.strictSame((await client.query('SELECT owner FROM items')).rows, [{ owner: tenant }])
    await client.end()
    t.equal(await psql(proxy, loginFor(tenant), PASSWORD), tenant)
  }
  if (method === 'trust') return
  const wrong = { ...loginFor('globex'), password: 'wrong' }
  await t.rejects(proxy.connect('globex', wrong), { code: '28P01' })
  await t.rejects(psql(proxy, loginFor('globex'), 'wrong'), { code: 2 })
}

async function psql(
  proxy: TestProxy,
  { user, options }: { readonly user: string; readonly options: string },
  password: string,
): Promise<string> {
  const target = `host=127.0.0.1 port=${proxy.port} user=${user} dbname=any options='${options}'`
  const { stdout } = await run('psql', [target, '-XAtc', 'SELECT owner FROM items'], {
    env: { PATH: '/usr/bin:/bin', PGPASSWORD: password },
  })
  return stdout.trim()
}
