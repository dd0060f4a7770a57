import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { TestAuthority } from '../support/certificates.ts'
import { load, problemsOf } from './config-fixture.ts'

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const pair = await authority.issue({ commonName: 'localhost' })
const other = await authority.issue({ commonName: 'other' })
const file = async (name: string, text: string): Promise<string> => {
  const path = join(authority.folder, name)
  await writeFile(path, text)
  return path
}
const empty = await file('empty.pem', '')
const unreadable = join(authority.folder, 'gone.pem')
const own = { cert: pair.certFile, key: pair.keyFile }

function settings(client: object, others: object = {}) {
  return load(stringify({ tls: { client }, ...others }))
}

/** The paths of what is wrong. */
function problems(client: object, others: object = {}): readonly string[] {
  return problemsOf(stringify({ tls: { client }, ...others })).map(({ path }) => path)
}

t.test('what the files lead to', async (t) => {
  t.equal(settings({}).clientTls, undefined)
  t.equal(settings({ ...own, mode: 'disable' }).clientTls, undefined)
  t.strictSame(settings(own).clientTls, {
    isRequired: false,
    cert: pair.cert,
    key: pair.key,
    ca: undefined,
  })
  const { clientTls } = settings({ ...own, mode: 'require', ca: authority.caFile })
  t.match(clientTls, { isRequired: true, ca: authority.own.cert })
  t.ok(Object.isFrozen(clientTls))
})

const CLIENTS: readonly [name: string, client: object, path: string][] = [
  ['a mode without a certificate', { mode: 'require' }, 'tls.client.cert'],
  ['no key', { cert: pair.certFile }, 'tls.client.key'],
  ['a missing file', { ...own, cert: unreadable }, 'tls.client.cert'],
  ['a missing key', { ...own, key: unreadable }, 'tls.client.key'],
  ['a missing authority', { ...own, ca: unreadable }, 'tls.client.ca'],
  ['an empty file', { ...own, cert: empty }, 'tls.client.cert'],
  ['an empty key', { ...own, key: empty }, 'tls.client.key'],
  ['an empty authority', { ...own, ca: empty }, 'tls.client.ca'],
  ['a key as certificate', { ...own, cert: pair.keyFile }, 'tls.client.cert'],
  ['the key of another', { ...own, key: other.keyFile }, 'tls.client.key'],
  ['a relative path', { ...own, cert: 'server.crt' }, 'tls.client.cert'],
  ['an unknown mode', { ...own, mode: 'prefer' }, 'tls.client.mode'],
]
for (const [name, client, path] of CLIENTS) {
  t.test(`refused: ${name}`, async (t) => t.strictSame(problems(client), [path]))
}

t.test('refused: a key that OpenSSL finds too weak', async (t) => {
  const newKey = ['rsa:512']
  const weak = await authority.issue({ commonName: 'weak', newKey })
  t.strictSame(problems({ cert: weak.certFile, key: weak.keyFile }), ['tls.client.cert'])
})

const withCa = { ...own, ca: authority.caFile }
const TAGS = { sni: '{tenant}.db.example.com', certificate: '{tenant}' }
const USES: readonly [name: string, client: object, others: object, paths: readonly string[]][] = [
  [
    'tags without TLS',
    {},
    { tenancy: { tag: TAGS } },
    ['tenancy.tag.sni', 'tenancy.tag.certificate'],
  ],
  ['tags without an authority', own, { tenancy: { tag: TAGS } }, ['tenancy.tag.certificate']],
  ['tags with all they need', withCa, { tenancy: { tag: TAGS } }, []],
  [
    'tags where TLS is switched off',
    { ...withCa, mode: 'disable' },
    { tenancy: { tag: { sni: TAGS.sni } } },
    ['tenancy.tag.sni'],
  ],
  [
    'certificates as proof, without an authority',
    own,
    { auth: { method: 'cert' } },
    ['auth.method'],
  ],
  ['a pattern in capitals', own, { tenancy: { tag: { sni: '{tenant}.DB' } } }, ['tenancy.tag.sni']],
  [
    'a pattern of a user',
    own,
    { tenancy: { tag: { sni: '{user}.{tenant}' } } },
    ['tenancy.tag.sni'],
  ],
  ['a socket mode of no sense', {}, { listen: { socketMode: '888' } }, ['listen.socketMode']],
  ['a relative directory', {}, { listen: { socketDir: 'run' } }, ['listen.socketDir']],
  ['a long directory', {}, { listen: { socketDir: `/${'x'.repeat(92)}` } }, ['listen.socketDir']],
]
for (const [name, client, others, paths] of USES) {
  t.test(name, async (t) => t.strictSame(problems(client, others), paths))
}

t.test('no problem tells a key', async (t) => {
  const text = stringify({ tls: { client: { cert: other.certFile, key: pair.keyFile } } })
  const [found] = problemsOf(text)
  t.match(found, { path: 'tls.client.key' })
  t.notMatch(JSON.stringify(found), pair.key.split('\n')[1] ?? 'a key')
})
