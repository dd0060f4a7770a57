import t, { type Test } from 'tap'
import { TestAuthority } from '../support/certificates.ts'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const authority = await TestAuthority.create()
const stranger = await TestAuthority.create('somebody else')
t.teardown(() => Promise.all([authority.remove(), stranger.remove()]))
const own = await authority.issue({ commonName: 'server', altNames: ['IP:127.0.0.1'] })

const ROLES = `
  CREATE ROLE asker LOGIN SUPERUSER PASSWORD 'asks';
  CREATE ROLE hashed LOGIN SUPERUSER PASSWORD 'asks';
  CREATE ROLE alice LOGIN PASSWORD 'wonderland';
`

/** Only those that ask are held to TLS. */
const HBA = [
  'hostnossl all asker all reject',
  'hostssl all hashed all password',
  'hostnossl all hashed all reject',
]

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major, {
      settings: { ssl: 'on' },
      hba: HBA,
      files: { 'server.crt': own.cert, 'server.key': own.key },
    })
    t.teardown(() => server.stop())
    await sql(server, 'postgres', ROLES)
    await t.test('asks over TLS', (t) => overTls(t, server))
    await t.test('asks nobody whom it can not trust', (t) => untrusted(t, server))
  })
}

function settings(server: PostgresServer, user: string, parameters: string) {
  const base = saasSettings(server)
  const shared = (base['servers'] as { shared: Record<string, unknown> }).shared
  const url = `${server.url('postgres', { user, password: 'asks' })}?${parameters}`
  return {
    ...base,
    servers: { shared: { ...shared, authQuery: { url, timeoutMs: 5000 } } },
    logins: [{ user: '*', tenants: '*' }],
  }
}

async function logIn(proxy: TestProxy): Promise<void> {
  const client = await proxy.connect('globex', { user: 'alice.globex', password: 'wonderland' })
  await client.end()
}

async function overTls(t: Test, server: PostgresServer): Promise<void> {
  const trusted = `sslrootcert=${authority.caFile}`
  const ways = [
    '',
    'sslmode=require',
    `sslmode=verify-full&${trusted}`,
    `sslmode=verify-full&${trusted}&channel_binding=require`,
  ]
  for (const parameters of ways) {
    const proxy = await startTestProxy(settings(server, 'asker', parameters))
    await logIn(proxy)
    const text = `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
      WHERE application_name = 'pgusher authQuery'`
    t.strictSame(await sql(server, 'postgres', text), [{ ssl: true }], parameters)
    await proxy.drain()
  }
}

async function untrusted(t: Test, server: PostgresServer): Promise<void> {
  const trusted = `sslrootcert=${authority.caFile}`
  const ways = [
    { user: 'asker', parameters: 'sslmode=disable', detail: /pg_hba/ },
    {
      user: 'asker',
      parameters: `sslmode=verify-full&sslrootcert=${stranger.caFile}`,
      detail: /certificate/,
    },
    {
      user: 'hashed',
      parameters: `sslmode=verify-full&${trusted}&channel_binding=require`,
      detail: /channel binding/,
    },
  ]
  for (const { user, parameters, detail } of ways) {
    const proxy = await startTestProxy(settings(server, user, parameters))
    t.teardown(() => proxy.stop())
    await t.rejects(logIn(proxy), { code: '57P03' })
    t.match(proxy.log(), detail)
    t.notMatch(proxy.log(), /asks/)
  }
}
