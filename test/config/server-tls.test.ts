import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ServerTlsReader } from '../../src/catalog/documents/server-tls.ts'
import { parseServerUrl } from '../../src/catalog/documents/server-url.ts'
import type { ServerTls } from '../../src/catalog/route.ts'
import { TestAuthority } from '../support/certificates.ts'

const URL = 'postgresql://u:secret%2Fword@h/d'
const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const own = await authority.issue({ commonName: 'pool' })
const other = await authority.issue({ commonName: 'other' })
const CA = `sslrootcert=${authority.caFile}`
const PAIR = `sslcert=${own.certFile}&sslkey=${own.keyFile}`

async function file(name: string, content: string): Promise<string> {
  const path = join(authority.folder, name)
  await writeFile(path, content)
  return path
}
const empty = await file('empty.pem', '')
const torn = await file('torn.pem', authority.own.cert.replace(/[A-Z]{4}/, '????'))
const bundle = await file('bundle.pem', `# ours\n${own.cert}${authority.own.cert}`)

const STANDARD: ServerTls = {
  mode: 'prefer',
  rootCertificates: undefined,
  certificate: undefined,
  key: undefined,
  channelBinding: 'prefer',
  negotiation: 'postgres',
  isNameSent: true,
}

const GOOD: readonly { readonly query: string; readonly expects: Partial<ServerTls> }[] = [
  { query: '', expects: {} },
  { query: 'sslmode=allow', expects: { mode: 'allow' } },
  { query: 'sslmode=prefer', expects: {} },
  { query: 'sslmode=require', expects: { mode: 'require' } },
  { query: 'sslmode=verify-full', expects: { mode: 'verify-full' } },
  { query: 'sslrootcert=system', expects: { mode: 'verify-full' } },
  { query: 'sslrootcert=system&sslmode=verify-full', expects: { mode: 'verify-full' } },
  {
    query: `sslmode=verify-ca&${CA}`,
    expects: { mode: 'verify-ca', rootCertificates: authority.own.cert },
  },
  { query: CA, expects: { rootCertificates: authority.own.cert } },
  { query: PAIR, expects: { certificate: own.cert, key: own.key } },
  {
    query: `sslcert=${bundle}&sslkey=${own.keyFile}`,
    expects: { certificate: `# ours\n${own.cert}${authority.own.cert}`, key: own.key },
  },
  { query: 'channel_binding=disable', expects: { channelBinding: 'disable' } },
  { query: 'channel_binding=require', expects: { channelBinding: 'require' } },
  {
    query: 'sslmode=require&sslnegotiation=direct',
    expects: { mode: 'require', negotiation: 'direct' },
  },
  { query: 'sslsni=0', expects: { isNameSent: false } },
  {
    query: `sslrootcert=${encodeURIComponent(authority.caFile)}`,
    expects: { rootCertificates: authority.own.cert },
  },
]
for (const { query, expects } of GOOD) {
  t.test(`reads [${query}]`, async (t) => {
    const result = parseServerUrl(`${URL}?${query}`)
    t.strictSame(result.kind === 'target' && { ...result.target.tls }, { ...STANDARD, ...expects })
  })
}

const PLAIN = [`${URL}?sslmode=disable`, `${URL}?sslmode=disable&${CA}`, `${URL}?host=/run/pg`]
for (const url of [...PLAIN, `${URL}?host=/run/pg&sslmode=verify-full`]) {
  t.test(`${url} is never encrypted`, async (t) => {
    const result = parseServerUrl(url)
    t.equal(result.kind === 'target' && result.target.tls, undefined)
  })
}

/** Each: the parameter that the problem has to name. */
const BAD = [
  { query: 'sslmode=on', names: 'sslmode' },
  { query: 'sslmode=', names: 'sslmode' },
  { query: 'channel_binding=yes', names: 'channel_binding' },
  { query: 'sslnegotiation=tls', names: 'sslnegotiation' },
  { query: 'sslsni=yes', names: 'sslsni' },
  { query: 'sslnegotiation=direct', names: 'sslnegotiation' },
  { query: 'sslnegotiation=direct&sslmode=disable', names: 'sslnegotiation' },
  { query: 'sslmode=verify-ca', names: 'sslrootcert' },
  { query: 'sslmode=verify-ca&sslrootcert=system', names: 'sslrootcert' },
  { query: 'sslmode=require&sslrootcert=system', names: 'sslrootcert' },
  { query: 'sslrootcert=ca.pem', names: 'sslrootcert' },
  { query: 'sslrootcert=/no/such/file', names: 'sslrootcert' },
  { query: `sslrootcert=${empty}`, names: 'sslrootcert' },
  { query: `sslrootcert=${torn}`, names: 'sslrootcert' },
  { query: `sslcert=${own.certFile}`, names: 'sslkey' },
  { query: `sslkey=${own.keyFile}`, names: 'sslcert' },
  { query: `sslcert=${empty}&sslkey=${own.keyFile}`, names: 'sslcert' },
  { query: `sslcert=${own.certFile}&sslkey=${empty}`, names: 'sslkey' },
  { query: `sslcert=${own.certFile}&sslkey=${other.keyFile}`, names: 'sslkey' },
  { query: `sslcert=${own.certFile}&sslkey=/no/such/file`, names: 'sslkey' },
  { query: 'channel_binding=require&sslmode=disable', names: 'channel_binding' },
  { query: 'channel_binding=require&host=/run/pg', names: 'channel_binding' },
]
for (const { query, names } of BAD) {
  t.test(`refuses [${query}]`, async (t) => {
    const result = parseServerUrl(`${URL}?${query}`)
    if (result.kind !== 'problem') throw new Error('it was accepted')
    const { message, remedy } = result.finding
    t.match(message, names)
    t.notMatch(`${message} ${remedy}`, /secret/)
    t.not(remedy, '')
  })
}

t.test('what many URLs say alike is kept once, and read anew by the next reader', async (t) => {
  const path = await file('moving.pem', authority.own.cert)
  const tlsOf = (reader: ServerTlsReader, host: string) => {
    const result = parseServerUrl(`postgresql://u@${host}/d?sslrootcert=${path}`, reader)
    return result.kind === 'target' ? result.target.tls : undefined
  }
  const reader = new ServerTlsReader()
  const first = tlsOf(reader, 'a')
  t.equal(first?.rootCertificates, authority.own.cert)
  await writeFile(path, own.cert)
  t.equal(tlsOf(reader, 'b'), first)
  t.equal(tlsOf(new ServerTlsReader(), 'a')?.rootCertificates, own.cert)
})
