import t, { type Test } from 'tap'
import type { CertificateFiles } from '../support/certificates.ts'
import { PASSWORD, type TestProxy } from '../support/proxy.ts'
import { runPsql } from '../support/psql.ts'
import { fields, RawClient, type RawFrame } from '../support/raw-client.ts'
import { type TlsClientOptions, tlsClient } from '../support/tls-client.ts'
import { OWNER, owner, refusals, startTlsHouse } from './client-tls-fixture.ts'

const house = await startTlsHouse(t)
const { authority, client, stranger, trusting } = house
const withCa = { ...client, ca: authority.caFile }

interface Attempt {
  readonly user: string
  readonly certificate?: CertificateFiles
  readonly servername?: string
}

async function attempt(proxy: TestProxy, { user, certificate, ...rest }: Attempt) {
  const { cert, key } = certificate ?? {}
  const own: TlsClientOptions = cert === undefined || key === undefined ? {} : { cert, key }
  const raw = await tlsClient(proxy.port, { ...trusting, ...own, ...rest })
  return { raw, frames: await raw.logIn({ user, password: PASSWORD }) }
}

async function isServed(t: Test, proxy: TestProxy, of: Attempt): Promise<void> {
  const { raw, frames } = await attempt(proxy, of)
  t.equal(frames.at(-1)?.code, 'Z', `${of.user} is let in`)
  t.strictSame(await owner(raw), ['globex'])
  await raw.end()
}

/** The fields of the error that ended a login. */
async function refusal(proxy: TestProxy, of: Attempt) {
  const { raw, frames } = await attempt(proxy, of)
  raw.socket.destroy()
  const last: RawFrame | undefined = frames.at(-1)
  return fields(last?.code === 'E' ? last : undefined)
}

t.test('certificates of clients are verified', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client: withCa } })
  const valid = await authority.issue({ commonName: 'somebody' })
  await isServed(t, proxy, { user: 'app.globex', certificate: valid })
  await isServed(t, proxy, { user: 'app.globex' })
  const bad = [
    await authority.issue({ commonName: 'somebody', isExpired: true }),
    await stranger.issue({ commonName: 'somebody' }),
    stranger.own,
  ]
  for (const certificate of bad) {
    const { C: sqlState, H: hint } = await refusal(proxy, { user: 'app.globex', certificate })
    t.equal(sqlState, '28000')
    t.type(hint, 'string')
  }
  t.strictSame(refusals(proxy), Array(3).fill('CLIENT_CERTIFICATE_REFUSED'))
  t.match(proxy.log(), /CERT_HAS_EXPIRED/)
})

t.test('without an authority nobody is asked for a certificate', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client } })
  const certificate = await stranger.issue({ commonName: 'somebody' })
  await isServed(t, proxy, { user: 'app.globex', certificate })
})

t.test('the certificate names the tenant', async (t) => {
  const tag = { certificate: '{tenant}.clients.example.com' }
  const proxy = await house.proxyWith(t, { tls: { client: withCa }, tenancy: { tag } })
  const issue = (commonName: string, ...altNames: string[]) =>
    authority.issue({ commonName, altNames })
  const byName = await issue('nobody', 'DNS:other.example.com', 'DNS:Globex.clients.example.com')
  const byCommonName = await issue('globex.clients.example.com')
  const byNeither = await issue('globex.clients.example.com', 'DNS:other.example.com')
  for (const certificate of [byName, byCommonName]) {
    await isServed(t, proxy, { user: 'app', certificate })
    await isServed(t, proxy, { user: 'app.globex', certificate })
    t.equal((await refusal(proxy, { user: 'app.acme', certificate }))['C'], '28000')
    t.equal(refusals(proxy).at(-1), 'TAGS_DISAGREE')
  }
  t.equal((await refusal(proxy, { user: 'app', certificate: byNeither }))['C'], '28000')
  t.equal(refusals(proxy).at(-1), 'NO_TAG', 'a CN says nothing beside DNS names')
  const two = await issue('x', 'DNS:acme.clients.example.com', 'DNS:globex.clients.example.com')
  t.equal((await refusal(proxy, { user: 'app.globex', certificate: two }))['C'], '28000')
  t.equal(refusals(proxy).at(-1), 'TAGS_DISAGREE')
})

t.test('a whole common name is the tenant', async (t) => {
  const tag = { certificate: '{tenant}' }
  const proxy = await house.proxyWith(t, { tls: { client: withCa }, tenancy: { tag } })
  const certificate = await authority.issue({ commonName: 'globex' })
  await isServed(t, proxy, { user: 'app', certificate })
  const malformed = await authority.issue({ commonName: 'globex.evil' })
  t.equal((await refusal(proxy, { user: 'app', certificate: malformed }))['C'], '28000')
  t.equal(refusals(proxy).at(-1), 'MALFORMED_TENANT_NAME')
})

t.test('the host name names the tenant', async (t) => {
  const tag = { sni: '{tenant}.db.example.com' }
  const proxy = await house.proxyWith(t, { tls: { client }, tenancy: { tag } })
  for (const servername of ['globex.db.example.com', 'GLOBEX.DB.example.COM']) {
    await isServed(t, proxy, { user: 'app', servername })
    await isServed(t, proxy, { user: 'app.globex', servername })
    t.equal((await refusal(proxy, { user: 'app.acme', servername }))['C'], '28000')
    t.equal(refusals(proxy).at(-1), 'TAGS_DISAGREE')
  }
  await isServed(t, proxy, { user: 'app.globex', servername: 'localhost' })
  const { C: sqlState, H: hint } = await refusal(proxy, { user: 'app', servername: 'localhost' })
  t.equal(sqlState, '28000')
  t.match(hint, /host=acme\.db\.example\.com/)
  const plain = await RawClient.connect(proxy.port)
  const frames = await plain.logIn({ user: 'app', password: PASSWORD })
  t.equal(fields(frames.at(-1))['C'], '28000', 'without TLS there is no such name')
  t.equal(refusals(proxy).at(-1), 'NO_TAG')
})

for (const libpq of [15, 18] as const) {
  t.test(`psql with libpq ${libpq}: host name and certificate`, async (t) => {
    const tag = { sni: '{tenant}.db.example.com', certificate: '{tenant}' }
    const proxy = await house.proxyWith(t, {
      tls: { client: { ...withCa, mode: 'require' } },
      tenancy: { tag },
    })
    const own = await authority.issue({ commonName: 'globex' })
    const { stdout, stderr } = await runPsql({
      libpq,
      connection: {
        host: 'globex.db.example.com',
        hostaddr: '127.0.0.1',
        port: proxy.port,
        user: 'app',
        password: PASSWORD,
        dbname: 'any',
        sslmode: 'verify-full',
        sslrootcert: authority.caFile,
        sslcert: own.certFile,
        sslkey: own.keyFile,
      },
      sql: OWNER,
    })
    t.strictSame({ stdout, stderr }, { stdout: 'globex', stderr: '' })
  })
}
