import t, { type Test } from 'tap'
import { type CertificateFiles, TestAuthority } from '../support/certificates.ts'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const own = await authority.issue({ commonName: 'localhost', altNames: ['IP:127.0.0.1'] })
const alice = await authority.issue({ commonName: 'alice' })
const byName = await authority.issue({ commonName: 'A. Liddell', altNames: ['DNS:alice'] })
const bob = await authority.issue({ commonName: 'bob' })

const ROLES = `
  CREATE ROLE alice LOGIN PASSWORD 'wonderland';
  CREATE ROLE bob LOGIN PASSWORD 'builder';
`

/** The server sees the clients' own users. */
function settings(server: PostgresServer, auth: unknown, access: Record<string, unknown> = {}) {
  const base = saasSettings(server)
  const shared = (base['servers'] as { shared: Record<string, unknown> }).shared
  return {
    ...base,
    servers: { shared: { ...shared, serverUser: 'client', ...access } },
    logins: [{ user: '*', tenants: ['globex'] }],
    tls: { client: { cert: own.certFile, key: own.keyFile, ca: authority.caFile } },
    auth,
  }
}

interface Way {
  readonly user: string
  readonly certificate?: CertificateFiles
  readonly password?: string
  readonly enableChannelBinding?: boolean
}

async function seenAs(proxy: TestProxy, { user, certificate, ...way }: Way): Promise<unknown> {
  const { cert, key } = certificate ?? {}
  const ssl = { ca: authority.own.cert, cert, key }
  const client = await proxy.connect('globex', { user: `${user}.globex`, ssl, ...way })
  const { rows } = await client.query('SELECT session_user AS name')
  await client.end()
  return rows[0].name
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major, { hba: ['host all alice 127.0.0.1/32 trust'] })
    t.teardown(() => server.stop())
    await sql(server, 'postgres', ROLES)
    await t.test('the login is in the certificate', (t) => byCertificate(t, server))
    await t.test('SCRAM that is bound to the connection', (t) => bound(t, server))
  })
}

async function byCertificate(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await startTestProxy(settings(server, { method: 'cert' }))
  t.teardown(() => proxy.stop())
  t.equal(await seenAs(proxy, { user: 'alice', certificate: alice }), 'alice')
  t.equal(await seenAs(proxy, { user: 'alice', certificate: byName }), 'alice')
  await t.rejects(seenAs(proxy, { user: 'alice', certificate: bob }), { code: '28P01' })
  t.match(proxy.log(), /"reason":"wrongCertificate"/)
  await t.rejects(seenAs(proxy, { user: 'alice' }), { code: '28000', hint: /sslcert/ })
  await t.rejects(proxy.connect('globex', { user: 'alice.globex' }), { code: '28000' })
  const asked = seenAs(proxy, { user: 'bob', certificate: bob })
  await t.rejects(asked, { code: '08001' }, 'the server asks for what nobody has proved')
}

async function bound(t: Test, server: PostgresServer): Promise<void> {
  const access = { authQuery: { url: server.url('postgres') } }
  const proxy = await startTestProxy(settings(server, { channelBinding: 'require' }, access))
  t.teardown(() => proxy.stop())
  const way = { user: 'bob', password: 'builder', enableChannelBinding: true }
  t.equal(await seenAs(proxy, way), 'bob', 'the keys of a bound proof open the server too')
  await t.rejects(seenAs(proxy, { ...way, password: 'wrong' }), { code: '28P01' })
  await t.rejects(seenAs(proxy, { ...way, enableChannelBinding: false }), /SCRAM-SHA-256/)
  const plain = proxy.connect('globex', { user: 'bob.globex', password: 'builder' })
  await t.rejects(plain, { code: '28000', hint: /sslmode/ })
}
